"""Which URLs name a Redis server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from coredis.pool import ConnectionPool

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_MIN_CONNECTIONS = 2
_HOST = r"\S+"
_DATABASE = r"/?|/[0-9]{1,9}"
_TLS_OPTIONS = {
    "ssl_ca_certs",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_keyfile",
}


def check_url(url: str) -> str:
    """Refuse what is not the URL of a Redis; no message repeats it, since it may hold a password.

    Raises:
        ValueError: Its scheme is another one, something is missing, ambiguous or left over, or an
            option is unknown.
    """
    if "#" in url:
        raise ValueError("redis must have no fragment: in a password or a path, write # as %23")
    if not _is_complete(url):
        raise ValueError(
            "redis must be redis://HOST:PORT/DATABASE, rediss:// for TLS, or unix:///PATH,"
            " with a number as the database, and no spaces in the host"
        )
    parts = urlsplit(url)
    if not _has_known_options(parts):
        known = ", ".join(sorted(ConnectionPool.URL_QUERY_ARGUMENT_PARSERS))
        raise ValueError(
            f"redis must have no options but {known} (and ssl_... with rediss://),"
            " with valid values"
        )
    for number in parse_qs(parts.query).get("max_connections", []):
        check_connections(int(number))
    if _names_two_databases(parts):
        raise ValueError(
            "redis must name one database: at the end of the path, or as the option db"
        )
    if parts.scheme != "rediss":
        return url
    # coredis compares no host name unless it is told to.
    query = dict(parse_qsl(parts.query))
    if query.setdefault("ssl_cert_reqs", "required") != "none":
        query.setdefault("ssl_check_hostname", "true")
    return parts._replace(query=urlencode(query)).geturl()


def check_connections(number: int) -> None:
    """Refuse a pool that is too small: commands would wait for ever.

    Raises:
        ValueError: It has one connection, which the subscription needs.
    """
    if number < _MIN_CONNECTIONS:
        raise ValueError(
            f"max_connections must be at least {_MIN_CONNECTIONS}, not {number}:"
            " one connection hears of changes, and the others take commands"
        )


def _is_complete(url: str) -> bool:
    if not url.isprintable():  # urlsplit() leaves out line breaks and tabs
        return False
    try:
        parts = urlsplit(url)
        if parts.scheme == "unix":
            return bool(parts.path)
        is_complete = parts.scheme in {"redis", "rediss"} and parts.port != 0
        is_host = re.fullmatch(_HOST, unquote(parts.hostname or ""))
        return bool(is_complete and is_host and re.fullmatch(_DATABASE, parts.path))
    except ValueError:
        return False


def _names_two_databases(parts: SplitResult) -> bool:
    is_in_path = parts.scheme != "unix" and parts.path.strip("/")
    return len(parse_qs(parts.query).get("db", [])) + bool(is_in_path) > 1


def _has_known_options(parts: SplitResult) -> bool:
    parsers = ConnectionPool.URL_QUERY_ARGUMENT_PARSERS
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name in _TLS_OPTIONS and parts.scheme == "rediss":
            if name == "ssl_cert_reqs" and value not in {"none", "optional", "required"}:
                return False
            continue
        try:
            if name not in parsers or (name == "db" and int(value) < 0):
                return False
            parsers[name](value)
        except ValueError:
            return False
    return True

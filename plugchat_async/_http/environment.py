"""Mistakes in this machine's environment that allow no connection."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from urllib.request import getproxies

import httpx

from plugchat_async._arguments import MAX_PORT, is_quoted
from plugchat_async._errors import NetworkError

# httpx reads the second one only without the first.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")

_QUOTED = (
    "is in quotation marks, which are a part of it: remove them (`docker --env-file` keeps those of"
    " the file)"
)
_NOT_A_PROXY = "is not a proxy's URL, such as http://proxy.example:3128"


def check_proxies() -> None:
    """Refuse proxies to which nothing can connect: httpx takes some, and may quote a password.

    Raises:
        ValueError: One of the environment's proxies is not a proxy's URL.
    """
    if "*" in _entries_of_no_proxy():  # then httpx uses no proxy
        return
    mistakes = [
        f"{name} {mistake}"
        for name, value in _proxies().items()
        if (mistake := _find_mistake(value)) is not None
    ]
    if mistakes:
        raise ValueError("; ".join(mistakes))


def check_certificates() -> None:
    """Check the directories of certificates: OpenSSL accepts some that do not exist.

    Raises:
        OSError: There is not one.
    """
    if _certificates() == ["SSL_CERT_DIR"]:
        directories = os.environ["SSL_CERT_DIR"].split(os.pathsep)
        if not any(Path(directory).is_dir() for directory in directories):
            raise NotADirectoryError("SSL_CERT_DIR is not a directory")


def environment_failure(reason: Exception) -> NetworkError:
    """Return the error for what is raised when a connection is made ready.

    It names the variables to check, and no user or password of a proxy.
    """
    if isinstance(reason, OSError):
        check = "".join(f": check the environment variable {name}" for name in _certificates())
        message = f"no connection can be made, {reason}{check}"
    else:
        reason = _explain(reason)
        message = f"no connection can be made, since the environment variable {reason}"
    error = NetworkError(message)
    error.is_local = True
    error.__cause__ = reason
    return error


def _explain(reason: Exception) -> Exception:
    if isinstance(reason, ImportError):
        names = [name for name, value in _proxies().items() if value.lower().startswith("socks")]
        return ImportError(
            f"{' and '.join(names)} names a SOCKS proxy: run pip install 'httpx[socks]'"
        )
    if isinstance(reason, httpx.InvalidURL):
        # https://github.com/encode/httpx/issues/3221: httpx 0.28.1 can't read networks of IPv6, nor
        # addresses in brackets.
        entries = [entry for entry in _entries_of_no_proxy() if not _is_readable(entry)]
        # Without a user part, which is where a password would stand.
        shown = ", ".join(repr(entry.rpartition("@")[2]) for entry in entries)
        return ValueError(f"NO_PROXY can't be parsed: remove {shown}")
    return reason


def _certificates() -> list[str]:
    """Return the variable that names certificates, if one is set."""
    return [name for name in _CERTIFICATES if os.environ.get(name)][:1]


def _proxies() -> dict[str, str]:
    """Return the variables that name proxies, with their values."""
    values = {scheme: getproxies().get(scheme) for scheme in ("https", "http", "all")}
    return {f"{scheme.upper()}_PROXY": value for scheme, value in values.items() if value}


def _find_mistake(value: str) -> str | None:
    """Return what is wrong with the value of a proxy's variable, if anything is."""
    if is_quoted(value):
        return _QUOTED
    try:
        url = httpx.Proxy(value if "://" in value else f"http://{value}").url
        url.host.encode("idna")
    except (httpx.InvalidURL, ValueError):
        return _NOT_A_PROXY
    has_a_port = url.port is None or 0 < url.port <= MAX_PORT
    return None if url.host and has_a_port and not re.search(r"\s", value) else _NOT_A_PROXY


def _entries_of_no_proxy() -> list[str]:
    return [entry.strip() for entry in getproxies().get("no", "").split(",")]


def _is_readable(entry: str) -> bool:
    """Return whether httpx can read an entry of NO_PROXY, of which it makes a pattern like this."""
    host = entry.partition("/")[0]
    pattern = f"all://[{entry}]" if _is_ipv6(host) else f"all://*{entry}"
    try:
        httpx.URL(entry if "://" in entry else pattern)
    except httpx.InvalidURL:
        return False
    return True


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True

"""Validation of arguments, before anything is sent. Pure.

No message repeats a value that could hold a secret: a token, a header or a base URL.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Mapping, Sequence
from typing import cast

import httpx
from pydantic import Secret, SecretStr

# RFC 9110: a field name is a token; a value is visible ASCII with blanks inside.
_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HEADER_VALUE = r"[\x20-\x7e]*"

# Servers take heads of 8 KiB at most, and often less.
_MAX_HEADER_VALUE = 4096

_QUOTATION_MARKS = ('""', "''", "“”", "„“", "\u2018\u2019", "«»")
_QUOTED = (
    "is in quotation marks, which are sent as a part of it: remove them"
    " (`docker --env-file` keeps those of the file)"
)

_HEADERS_OF_A_BODY = {"content-length", "transfer-encoding"}

# A name or an address: httpx also takes what no resolver does, blanks and all.
_HOST = r"[\w.:-]+"

# With the separators at which `str.splitlines()` breaks a line, and the halves of surrogate pairs,
# which no encoding takes.
_CONTROL_CHARACTER = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"

_MIN_SECRET = 32
_MAKE_ONE = 'make one with `python -c "import secrets; print(secrets.token_urlsafe(32))"`'

# "Ask for a new code every 10 to 20 s": after 20 s a code has expired.
_MAX_INTERVAL = 20.0
MAX_PORT = 65535


class Quoted(ValueError):
    """Raised for a token or a base URL in quotation marks."""


class Unencrypted(ValueError):
    """Raised for plain http to a remote host that was not allowed."""


def seal(token: str | SecretStr) -> SecretStr:
    """Wrap a token, so that no traceback that renders locals can show it."""
    return token if isinstance(token, SecretStr) else SecretStr(token)


def seal_headers(headers: Mapping[str, str]) -> Secret[Mapping[str, str]]:
    """Wrap extra headers likewise, whatever they are."""
    return Secret(headers)


def seal_base_url(base_url: str | None) -> Secret[str | None]:
    """Wrap a base URL likewise: a wrong one may have the token in it."""
    return Secret(base_url)


def seal_secrets(secret: str | SecretStr | Sequence[str | SecretStr]) -> list[SecretStr]:
    """Wrap the secrets of an app likewise, one or several."""
    given = cast("object", secret)  # which may be anything
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return [seal(each) for each in cast("Sequence[str | SecretStr]", given)]
    return [seal(cast("str | SecretStr", given))]


def check_token(token: SecretStr) -> SecretStr:
    """Strip a token, and refuse one that can't be sent as a header."""
    if not isinstance(token.get_secret_value(), str):
        kind = type(token.get_secret_value()).__name__
        raise TypeError(f"token must be a str or a SecretStr, not {kind}")
    stripped = SecretStr(token.get_secret_value().strip())
    if not stripped:
        raise ValueError("token is empty: copy it from PlugChat's panel")
    if is_quoted(stripped.get_secret_value()):
        raise Quoted(f"token {_QUOTED}")
    if len(stripped) > _MAX_HEADER_VALUE:
        raise ValueError(
            f"token has more than {_MAX_HEADER_VALUE:,} characters, which no server takes:"
            " copy it again from PlugChat's panel"
        )
    if not re.fullmatch(_HEADER_VALUE, stripped.get_secret_value()):
        raise ValueError(
            "token has control characters or characters outside ASCII:"
            " copy it again from PlugChat's panel"
        )
    return stripped


def has_surrogate(text: str) -> bool:
    """Return whether text has half of a surrogate pair, as of bytes that were not UTF-8."""
    return bool(re.search(r"[\ud800-\udfff]", text))


def check_secrets(secrets: list[SecretStr]) -> None:
    """Refuse secrets of an app that keep nothing secret."""
    if not secrets:
        raise ValueError(f"secret is empty: pass one of at least {_MIN_SECRET} characters")
    for secret in secrets:
        if not isinstance(secret.get_secret_value(), str):
            kind = type(secret.get_secret_value()).__name__
            raise TypeError(f"secret must be a str, or a sequence of them, not {kind}")
        if len(secret) < _MIN_SECRET:
            raise ValueError(
                f"secret must have at least {_MIN_SECRET} characters, not {len(secret)}:"
                f" {_MAKE_ONE}"
            )
        if has_surrogate(secret.get_secret_value()):
            raise ValueError(
                "secret has half of a surrogate pair, as of an environment variable that is not"
                f" UTF-8: {_MAKE_ONE}"
            )
        if not secret.get_secret_value().strip():
            raise ValueError(f"secret is blank: {_MAKE_ONE}")


def check_headers(headers: Secret[Mapping[str, str]]) -> dict[str, SecretStr]:
    """Refuse headers that can't be sent, and a second way to pass the token."""
    if not isinstance(headers.get_secret_value(), Mapping):
        raise TypeError("headers must map str to str")
    # Sealed one by one before any is looked at, so that no refusal has one among its locals.
    sealed = {name: Secret(value) for name, value in headers.get_secret_value().items()}
    for name, value in sealed.items():
        if not all(isinstance(text, str) for text in (name, value.get_secret_value())):
            raise TypeError("headers must map str to str")
        if not re.fullmatch(_HEADER_NAME, name):
            raise ValueError("headers: a name has characters that HTTP does not allow")
        if not re.fullmatch(_HEADER_VALUE, value.get_secret_value()):
            raise ValueError(
                f"headers: the value of {name} has control characters or characters outside ASCII"
            )
        if len(value.get_secret_value()) > _MAX_HEADER_VALUE:
            raise ValueError(
                f"headers: the value of {name} has more than {_MAX_HEADER_VALUE:,} characters,"
                " which no server takes"
            )
        if name.lower() in _HEADERS_OF_A_BODY:
            raise ValueError(f"headers: {name} describes a body, and no call has one")
        if name.lower() == "authorization":
            raise ValueError("headers: Authorization is the token's; pass it as token=...")
    return {
        name: SecretStr(value.get_secret_value().strip())
        for name, value in sealed.items()
        if name.lower() != "accept-encoding"  # a response is read uncompressed, whoever asks
    }


def check_base_url(
    base_url: str | Secret[str | None] | None, *, allow_insecure_http: bool
) -> str | None:
    """Refuse what is not a base URL, sealed or not; None means the documented hosts."""
    # A wrong one may have a secret in it: no refusal has it among its locals.
    sealed = base_url if isinstance(base_url, Secret) else Secret(base_url)
    del base_url
    if not isinstance(allow_insecure_http, bool):
        raise TypeError("allow_insecure_http must be a bool")
    text = sealed.get_secret_value
    if text() is None:
        return None
    if not isinstance(text(), str):
        raise TypeError(f"base_url must be a str, not {type(text()).__name__}")
    mistake = _find_mistake(str(text()), allow_insecure_http=allow_insecure_http)
    if mistake is not None:
        raise mistake
    return str(httpx.URL(str(text()).strip())).rstrip("/")


def is_quoted(text: str) -> bool:
    """Return whether a text is in quotation marks, straight ones or those of a word processor."""
    text = text.strip()
    return len(text) > 1 and text[0] + text[-1] in _QUOTATION_MARKS


def _find_mistake(text: str, *, allow_insecure_http: bool) -> ValueError | None:
    """Return what is wrong with a base URL, if anything is, without a frame that has it."""
    if is_quoted(text):
        return Quoted(f"base_url {_QUOTED}")
    text = text.strip()
    try:
        url = httpx.URL(text)
        url.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        return ValueError("base_url is not a URL")
    if url.scheme not in {"http", "https"} or not re.fullmatch(_HOST, url.host):
        return ValueError("base_url must begin with https:// (or http://) and a host")
    if url.port is not None and not 0 < url.port <= MAX_PORT:
        return ValueError(f"base_url must have a port between 1 and {MAX_PORT}, or none")
    if "@" in text.split("/")[2]:
        return ValueError("base_url must not have a user part; pass the token as token=...")
    if "?" in text or "#" in text:
        return ValueError("base_url must not have a query or a fragment; it ends in /api/whatsapp")
    if url.scheme == "http" and not allow_insecure_http and not _is_loopback(url.host):
        return Unencrypted(
            "base_url is plain http to another machine, so that the token would be sent"
            " unencrypted: use https, or pass allow_insecure_http=True"
        )
    return None


def is_on_this_machine(base_url: str | None) -> bool:
    """Return whether a checked base URL leads to this machine, which no proxy can reach."""
    return base_url is not None and _is_loopback(httpx.URL(base_url).host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def check_seconds(name: str, value: float, *, may_be_zero: bool = False) -> float:
    """Refuse a value that is not a positive, finite number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 <= value <= sys.float_info.max or (value == 0 and not may_be_zero):
        least = "0 or more seconds" if may_be_zero else "more than 0 seconds"
        raise ValueError(f"{name} must be {least} and finite, not {value}")
    return float(value)


def check_interval(interval: float) -> float:
    """Refuse an interval in which a code would expire."""
    seconds = check_seconds("interval", interval)
    if seconds > _MAX_INTERVAL:
        raise ValueError(
            f"interval must be at most 20 seconds, not {interval}: a code is valid no longer"
        )
    return seconds


def check_count(name: str, value: int, *, at_least: int) -> int:
    """Refuse a value that is not a whole number, or a number that is too small."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, not {value}")
    return value


def check_name(name: str | None) -> str | None:
    """Refuse a name that is not text, or that no log could show on one line."""
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    if name is not None and re.search(_CONTROL_CHARACTER, name):
        raise ValueError(
            "name has control characters, line breaks or half of a surrogate pair,"
            " which would garble a log"
        )
    return name

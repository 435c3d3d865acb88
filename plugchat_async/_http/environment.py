"""What is wrong with this machine's environment, when it allows no connection."""

from __future__ import annotations

import os

import httpx

from plugchat_async._errors import NetworkError

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def environment_failure(reason: Exception) -> NetworkError:
    """Return the error for what httpx raises when it reads the environment.

    It names the variables to check. httpx may quote a proxy's user and password: that is left out.
    """
    if isinstance(reason, httpx.InvalidURL):
        # https://github.com/encode/httpx/issues/3221: httpx 0.28.1 can't read networks of IPv6, nor
        # addresses in brackets.
        names = [name for name in _PROXIES if not _is_url(_value(name))] or ["NO_PROXY"]
        reason = ValueError(f"{' and '.join(names)} can't be parsed")
    elif isinstance(reason, OSError):
        names = [name for name in _CERTIFICATES if _value(name)]
    else:
        names = [name for name in _PROXIES if _value(name)]
    check = f"check the environment variable{'s' * (len(names) > 1)} {' and '.join(names)}"
    error = NetworkError(f"no connection can be made, {reason}: {check}")
    error.is_local = True
    error.__cause__ = reason
    return error


def _value(name: str) -> str:
    return os.environ.get(name.lower()) or os.environ.get(name) or ""


def _is_url(value: str) -> bool:
    try:
        httpx.URL(value)
    except httpx.InvalidURL:
        return False
    return True

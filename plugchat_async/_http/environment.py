"""What is wrong with this machine's environment, when it allows no connection."""

from __future__ import annotations

import os
from urllib.request import getproxies

import httpx

from plugchat_async._errors import NetworkError

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def environment_failure(reason: Exception) -> NetworkError:
    """Return the error for what httpx raises when it reads the environment.

    It names the variables to check. httpx may quote a proxy's user and password: that is left out.
    """
    proxies = _proxies()
    if isinstance(reason, OSError):
        names = [name for name in _CERTIFICATES if os.environ.get(name)]
    elif isinstance(reason, ImportError):
        names = [name for name, url in proxies.items() if url.startswith("socks")]
    else:
        # https://github.com/encode/httpx/issues/3221: httpx 0.28.1 can't read networks of IPv6, nor
        # addresses in brackets.
        names = [name for name, url in proxies.items() if not _is_proxy(url)] or ["NO_PROXY"]
    if isinstance(reason, httpx.InvalidURL):
        reason = ValueError(f"{' and '.join(names)} can't be parsed")
    check = f": check the environment variable{'s' * (len(names) > 1)} {' and '.join(names)}"
    error = NetworkError(f"no connection can be made, {reason}{check if names else ''}")
    error.is_local = True
    error.__cause__ = reason
    return error


def _proxies() -> dict[str, str]:
    """Return the variables that name proxies, with the URLs that httpx makes of them."""
    urls = {scheme: getproxies().get(scheme) for scheme in ("https", "http", "all")}
    return {
        f"{scheme.upper()}_PROXY": url if "://" in url else f"http://{url}"
        for scheme, url in urls.items()
        if url
    }


def _is_proxy(url: str) -> bool:
    try:
        httpx.Proxy(url)
    except (httpx.InvalidURL, ValueError):
        return False
    return True

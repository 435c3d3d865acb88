"""What is wrong with this machine's environment, when it allows no connection."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.request import getproxies

import httpx

from plugchat_async._errors import NetworkError

# httpx reads the second one only without the first.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")

_MAX_PORT = 65535


def check_proxies() -> None:
    """Check the variables that name proxies: httpx accepts some to which nothing can connect.

    Raises:
        InvalidURL: One of them is not a URL, or has a host or a port that can't exist.
        ValueError: One of them has an unknown scheme.
    """
    for url in _proxies().values():
        _check_proxy(url)


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
    """Return the error for what httpx raises when it reads the environment.

    It names the variables to check. httpx may quote a proxy's user and password: that is left out.
    """
    proxies = _proxies()
    if isinstance(reason, OSError):
        names = _certificates()
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


def _certificates() -> list[str]:
    """Return the variable that names certificates, if one is set."""
    return [name for name in _CERTIFICATES if os.environ.get(name)][:1]


def _proxies() -> dict[str, str]:
    """Return the variables that name proxies, with the URLs that httpx makes of them."""
    urls = {scheme: getproxies().get(scheme) for scheme in ("https", "http", "all")}
    return {
        f"{scheme.upper()}_PROXY": url if "://" in url else f"http://{url}"
        for scheme, url in urls.items()
        if url
    }


def _check_proxy(url: str) -> None:
    proxy = httpx.Proxy(url).url
    # httpx encodes what no host name has; the zone of an IPv6 address has a % as well.
    is_host = proxy.host and ("%" not in proxy.host or ":" in proxy.host)
    if not is_host or (proxy.port or 0) > _MAX_PORT:
        raise httpx.InvalidURL("a proxy has a host or a port that can't exist")


def _is_proxy(url: str) -> bool:
    try:
        _check_proxy(url)
    except (httpx.InvalidURL, ValueError):
        return False
    return True

"""The address to which a page goes after a scan. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ._unicode import check_unicode

_MAX_LENGTH = 2048

# Browsers drop tabs and line feeds from an address, and read a backslash as a slash.
_CHANGED_BY_BROWSERS = r"[\x00-\x20\x7f-\xa0\\]"


def check_return_url(url: str) -> str:
    """Refuse what is neither a path of this site nor an http(s) URL.

    Args:
        url: A path that begins with one slash, or a URL with scheme and host.

    Raises:
        TypeError: It is not a str.
        ValueError: It is not such an address.
    """
    if not isinstance(url, str):
        raise TypeError(f"return_url must be a str, not {type(url).__name__}")
    check_unicode("return_url", url)
    if re.search(_CHANGED_BY_BROWSERS, url) or len(url) > _MAX_LENGTH:
        raise ValueError(
            "return_url has spaces, control characters or backslashes, or more than"
            f" {_MAX_LENGTH:,} characters: percent-encode or shorten it"
        )
    if not _is_path(url) and not _is_web_address(url):
        raise ValueError(
            "return_url must be a path such as /next, or begin with https:// (or http://)"
            " and a host, without a user part"
        )
    return url


def _is_path(url: str) -> bool:
    return url.startswith("/") and not url.startswith("//")


def _is_web_address(url: str) -> bool:
    # Browsers also take `https:host` and `https:/host`, which other readers take for a path.
    if not re.match(r"https?://[^/?#]", url, re.IGNORECASE):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False

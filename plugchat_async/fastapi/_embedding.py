"""Origins whose pages may frame the page. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from plugchat_async._arguments import MAX_PORT

_ORIGIN = r"(?P<scheme>https?)://(?P<host>[\w-]+(?:\.[\w-]+)*)(?::(?P<port>\d{1,5}))?"
_USUAL_PORTS = {"http": "80", "https": "443"}


def check_origins(origins: Sequence[str]) -> tuple[str, ...]:
    """Return origins as a browser writes them.

    Args:
        origins: Each a scheme, a host and, unless it is the scheme's own, a port.

    Raises:
        TypeError: It is not a sequence of str.
        ValueError: One is not an origin, or has a wildcard.
    """
    if isinstance(origins, str) or not isinstance(origins, Sequence):
        raise TypeError('embed_in must be a list of origins, such as ["https://app.example"]')
    return tuple(_check_origin(origin) for origin in origins)


def _check_origin(origin: str) -> str:
    if not isinstance(origin, str):
        raise TypeError(f"embed_in: an origin must be a str, not {type(origin).__name__}")
    if "*" in origin:
        raise ValueError(
            f"embed_in: {origin!r} has a wildcard, and would let sites frame the page that you"
            " don't know: list each origin"
        )
    if "[" in origin:
        raise ValueError(
            f"embed_in: {origin!r} has an IPv6 address, which browsers do not accept in a"
            " Content-Security-Policy: use a name, such as http://localhost:3000"
        )
    parts = re.fullmatch(_ORIGIN, origin.lower(), re.ASCII)
    if parts is None or not 0 < int(parts["port"] or 1) <= MAX_PORT:
        raise ValueError(
            f"embed_in: {origin!r} is not an origin: write scheme, host and port, and no path,"
            " such as https://app.example or http://localhost:3000"
        )
    scheme, host, port = parts.groups()
    return f"{scheme}://{host}" + ("" if port in {None, _USUAL_PORTS[scheme]} else f":{int(port)}")

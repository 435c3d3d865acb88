"""Read a response's body, and stop if it grows too large.

httpx would inflate each chunk whole, a thousandfold at worst, before anyone could look at its size.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    import httpx

MAX_BODY = 1024 * 1024

_GZIP = b"\x1f\x8b"
_WBITS_OF_GZIP = 16 + zlib.MAX_WBITS

# A mebibyte of members without content would hold up the event loop for a third of a second.
_MAX_MEMBERS = 1000

_KNOWN_ENCODINGS = {"gzip", "x-gzip", "deflate"}

_TOO_LARGE = "is larger than 1 MiB, which no code is; it was not read to the end"
_NOT_ASKED_FOR = "is compressed in a way that was not asked for"
_BROKEN = "is compressed and breaks off, or was never compressed"


class UnreadableBody(Exception):
    """Raised when a body is given up; its text is the end of a sentence."""


async def read_body(response: httpx.Response) -> bytes:
    """Read a body of at most 1 MiB, also when it is compressed or chunked.

    Raises:
        UnreadableBody: It is larger, or compressed in a way that can't be read.
    """
    if response.is_stream_consumed:  # by a hook of the user's, which inflated it, too
        if len(response.content) > MAX_BODY:
            raise UnreadableBody(_TOO_LARGE)
        return response.content
    if response.is_closed:  # by a hook that raised
        return b""
    raw = await _read_raw(response)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if not raw or encoding in {"", "identity"}:
        return raw
    if encoding not in _KNOWN_ENCODINGS:
        raise UnreadableBody(_NOT_ASKED_FOR)
    return _inflate(raw)


async def _read_raw(response: httpx.Response) -> bytes:
    body = bytearray()
    chunks = response.aiter_raw()
    async for chunk in chunks:
        if len(body) + len(chunk) > MAX_BODY:
            break
        body += chunk
    else:
        return bytes(body)
    # Left alone, httpx's nested generators would go to the garbage collector, which trio reports;
    # cancelling the next read unwinds them all and closes the connection.
    with anyio.CancelScope() as giving_up:
        giving_up.cancel()
        async for _ in chunks:
            pass
    raise UnreadableBody(_TOO_LARGE)


def _inflate(raw: bytes) -> bytes:
    # A gzip body may have several members (RFC 1952, section 2.2); a zlib stream is one.
    is_gzip = raw.startswith(_GZIP)
    body = bytearray()
    for _ in range(_MAX_MEMBERS if is_gzip else 1):
        inflating = zlib.decompressobj(_WBITS_OF_GZIP if is_gzip else zlib.MAX_WBITS)
        try:
            body += inflating.decompress(raw, MAX_BODY + 1 - len(body))
        except zlib.error:
            break
        if len(body) > MAX_BODY:
            raise UnreadableBody(_TOO_LARGE)
        raw = inflating.unused_data
        if not inflating.eof:
            break
        if not raw:
            return bytes(body)
    raise UnreadableBody(_BROKEN)

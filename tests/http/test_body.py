"""Bodies are read up to 1 MiB, compressed or not, and not a chunk further."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import httpx
import pytest

from plugchat_async._http.body import MAX_BODY, UnreadableBody, read_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio

MEBIBYTE = 1024 * 1024


class Chunks(httpx.AsyncByteStream):
    """Send chunks and count them."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk


def response(*chunks: bytes, encoding: str | None = None) -> httpx.Response:
    """Make a response whose body is still to be read."""
    headers = {} if encoding is None else {"Content-Encoding": encoding}
    return httpx.Response(200, headers=headers, stream=Chunks(*chunks))


async def test_a_body_is_joined_from_its_chunks() -> None:
    """Chunks are how it travels, not what it says."""
    assert await read_body(response(b'{"val', b'ue": 1}')) == b'{"value": 1}'


async def test_a_body_of_just_the_largest_size_is_read() -> None:
    """1 MiB is allowed, and one byte more is not."""
    assert MAX_BODY == MEBIBYTE
    assert len(await read_body(response(bytes(MEBIBYTE - 1), b"x"))) == MEBIBYTE
    with pytest.raises(UnreadableBody, match="larger than 1 MiB"):
        await read_body(response(bytes(MEBIBYTE), b"x"))


async def test_chunks_beyond_the_limit_are_dropped_until_the_transport_waits() -> None:
    """A transport that has more at hand is not cancelled before it has given that away."""
    with pytest.raises(UnreadableBody, match="larger than 1 MiB"):
        await read_body(response(bytes(MEBIBYTE), b"x", b"y"))


async def test_a_chunk_alone_may_be_too_large() -> None:
    """A transport that hands over everything in one chunk is bounded, too."""
    with pytest.raises(UnreadableBody, match="larger than 1 MiB"):
        await read_body(response(bytes(MEBIBYTE + 1)))


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        (" GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
    ],
)
async def test_a_compressed_body_is_inflated(encoding: str, compress: object) -> None:
    """We ask for none, but proxies compress what they like."""
    assert callable(compress)
    assert await read_body(response(compress(b"2@code"), encoding=encoding)) == b"2@code"


@pytest.mark.parametrize("encoding", ["identity", ""])
async def test_a_body_that_is_labelled_uncompressed_is_taken_unchanged(encoding: str) -> None:
    """`identity` is a legal label."""
    assert await read_body(response(b"2@code", encoding=encoding)) == b"2@code"


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress], ids=["gzip", "zlib"])
async def test_a_bomb_is_inflated_no_further_than_the_limit(compress: object) -> None:
    """A thousandfold compression does not reach memory."""
    assert callable(compress)
    bomb = compress(bytes(64 * MEBIBYTE))
    assert len(bomb) < MEBIBYTE
    with pytest.raises(UnreadableBody, match="larger than 1 MiB"):
        await read_body(response(bomb, encoding="gzip"))


@pytest.mark.parametrize(
    "body", [gzip.compress(b"2@code")[:-4], b"2@code"], ids=["truncated", "not compressed"]
)
async def test_broken_compression_is_refused(body: bytes) -> None:
    """A body that breaks off, or was never compressed, is not a code."""
    with pytest.raises(UnreadableBody, match="breaks off"):
        await read_body(response(body, encoding="gzip"))


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "nonsense"])
async def test_a_compression_that_was_not_asked_for_is_refused(encoding: str) -> None:
    """Only what the standard library inflates, once."""
    with pytest.raises(UnreadableBody, match="not asked for"):
        await read_body(response(b"xxxx", encoding=encoding))


async def test_an_empty_body_is_empty_whatever_its_label() -> None:
    """Nothing needs no inflating."""
    assert await read_body(response(encoding="br")) == b""


async def test_a_body_that_a_hook_has_read_is_taken_from_memory() -> None:
    """Users' hooks may read a response to log it; the limit holds all the same."""
    small, large = response(b"2@code"), response(bytes(MEBIBYTE + 1))
    await small.aread()
    await large.aread()
    assert await read_body(small) == b"2@code"
    with pytest.raises(UnreadableBody, match="larger than 1 MiB"):
        await read_body(large)


async def test_a_body_that_a_hook_has_closed_is_empty() -> None:
    """As it does who raises for the status."""
    closed = response(b"2@code")
    await closed.aclose()
    assert await read_body(closed) == b""


# Bodies of several members


@pytest.mark.parametrize("parts", [(b"2@", b"code"), (b"", b"2@code"), (b"2@code", b"", b"")])
async def test_all_members_of_a_gzip_body_are_read(parts: tuple[bytes, ...]) -> None:
    """A server may compress a body piece by piece (RFC 1952, section 2.2)."""
    raw = b"".join(map(gzip.compress, parts))
    assert await read_body(response(raw, encoding="gzip")) == b"2@code"


async def test_the_limit_is_for_all_members_together() -> None:
    """Each of them alone is small enough."""
    half = gzip.compress(bytes(MEBIBYTE // 2))
    assert len(await read_body(response(half * 2, encoding="gzip"))) == MEBIBYTE
    with pytest.raises(UnreadableBody, match="larger than 1 MiB"):
        await read_body(response(half * 2 + gzip.compress(b"x"), encoding="gzip"))


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress], ids=["gzip", "zlib"])
@pytest.mark.parametrize(
    "surplus",
    [b"x", b"more than a header has", gzip.compress(b"x")[:-1], zlib.compress(b"x")],
    ids=["a byte", "text", "a broken member", "zlib"],
)
async def test_anything_else_behind_compressed_data_is_refused(
    compress: Callable[[bytes], bytes], surplus: bytes
) -> None:
    """The body would be one that the sender did not mean."""
    with pytest.raises(UnreadableBody, match="breaks off"):
        await read_body(response(compress(b"2@code") + surplus, encoding="gzip"))


async def test_a_body_of_thousands_of_tiny_members_is_refused() -> None:
    """Each costs as much time as a large one, in which the event loop does nothing else."""
    empty = gzip.compress(b"")
    assert await read_body(response(empty * 999 + gzip.compress(b"2@code"), encoding="gzip"))
    with pytest.raises(UnreadableBody, match="breaks off"):
        await read_body(response(empty * (MEBIBYTE // len(empty)), encoding="gzip"))

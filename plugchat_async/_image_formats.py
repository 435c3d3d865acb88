"""Recognition of image files by their bytes, and of whole ones. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

MediaType = Literal["image/png", "image/jpeg", "image/gif", "image/webp"]

_PNG = b"\x89PNG\r\n\x1a\n"
_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_JPEG = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_GIF = (b"GIF87a", b"GIF89a")


def media_type(data: bytes) -> MediaType | None:
    """Return the type of an image file; None if it is not one of the four that browsers show."""
    if data.startswith(_PNG):
        return "image/png"
    if data.startswith(_JPEG):
        return "image/jpeg"
    if data.startswith(_GIF):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def is_whole(data: bytes) -> bool:
    """Check that a file of one of the four types goes on to its proper end."""
    match media_type(data):
        case "image/png":
            return _png_is_whole(data)
        case "image/jpeg":
            return _jpeg_is_whole(data)
        case "image/gif":
            return _gif_is_whole(data)
        case "image/webp":
            return len(data) >= int.from_bytes(data[4:8], "little") + 8
        case _:
            return False


def without_metadata(data: bytes) -> bytes:
    """Drop the metadata of a PNG: a kilobyte of text may unpack to a megabyte."""
    if media_type(data) != "image/png":
        return data
    return _PNG + b"".join(chunk for kind, chunk in _png_chunks(data) if kind in _PIXELS)


def _png_is_whole(data: bytes) -> bool:
    ends = (chunk for kind, chunk in _png_chunks(data) if kind == b"IEND")
    return any(len(end) == 12 + int.from_bytes(end[:4], "big") for end in ends)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Walk from chunk to chunk: length, type, content, checksum; the last may be cut off."""
    position = len(_PNG)
    while position + 12 <= len(data):
        kind = data[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        yield kind, data[position:end]
        if kind == b"IEND":
            return
        position = end


def _jpeg_is_whole(data: bytes) -> bool:
    """Walk from segment to segment up to the scan, past any thumbnail, which has a separate end."""
    position = 2
    while data[position : position + 1] == b"\xff" and data[position + 1 : position + 2] != b"\xda":
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    # In the scan each 0xFF is followed by 0x00, so that its end can't be mistaken.
    return data.find(_JPEG_END, position) != -1


def _gif_is_whole(data: bytes) -> bool:
    """Walk from block to block, each with its table of colours and its chain of sub-blocks."""
    position = _past_colours(data, flags_at=10, position=13)
    while (kind := data[position : position + 1]) in {b"!", b","}:
        if kind == b"!":
            position += 2
        else:
            position = _past_colours(data, flags_at=position + 9, position=position + 10) + 1
        while size := int.from_bytes(data[position : position + 1], "big"):
            position += 1 + size
        position += 1
    return kind == b";"


def _past_colours(data: bytes, *, flags_at: int, position: int) -> int:
    flags = int.from_bytes(data[flags_at : flags_at + 1], "big")
    return position + 3 * 2 ** ((flags & 0b111) + 1) if flags & 0b1000_0000 else position

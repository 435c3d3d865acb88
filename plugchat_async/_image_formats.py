"""Tell image files by their bytes, and whole ones from truncated ones. Pure."""

from __future__ import annotations

from typing import Literal

MediaType = Literal["image/png", "image/jpeg", "image/gif", "image/webp"]

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_GIF = (b"GIF87a", b"GIF89a")
_GIF_END = b"\x00;"


def media_type(data: bytes) -> MediaType | None:
    """Tell what an image file is; None where it is none of the four that browsers all show."""
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
    """Tell whether a file of one of the four types goes on to its proper end."""
    match media_type(data):
        case "image/png":
            return _png_is_whole(data)
        case "image/jpeg":
            # Entropy-coded data never contains the end marker: each 0xFF in it is followed by 0x00.
            return data.rstrip(b"\x00\r\n").endswith(_JPEG_END)
        case "image/gif":
            return data.endswith(_GIF_END)
        case "image/webp":
            return len(data) >= int.from_bytes(data[4:8], "little") + 8
        case _:
            return False


def _png_is_whole(data: bytes) -> bool:
    position = len(_PNG)
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        position += 12 + length
        if kind == b"IEND":
            return position <= len(data)
    return False

"""Pictures of a code, drawn apart from the SDK so that no mistake can be shared with it."""

from __future__ import annotations

import itertools
import struct
from io import BytesIO

import segno

QUIET_ZONE = 4
"""Modules of white around the symbol, as ISO/IEC 18004 wants them."""


def png(payload: str) -> bytes:
    """Draw `payload` as a PNG."""
    picture = BytesIO()
    segno.make(payload, micro=False).save(picture, kind="png", scale=4, border=QUIET_ZONE)
    return picture.getvalue()


def jpeg(payload: str) -> bytes:
    """Draw `payload` as a baseline JPEG (ITU-T T.81), in grey.

    A module is one block of 8 x 8 pixels in one colour, so a block is nothing but its mean.
    """
    rows = [
        bytes(row)
        for row in segno.make(payload, micro=False).matrix_iter(scale=1, border=QUIET_ZONE)
    ]
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            _segment(0xDB, b"\0" + bytes([_STEP]) * 64),
            _segment(
                0xC0, struct.pack(">BHHB3B", 8, 8 * len(rows), 8 * len(rows[0]), 1, 1, 0x11, 0)
            ),
            _segment(0xC4, b"\x00" + bytes([1, 1, 1]) + bytes(13) + bytes([0, 5, 4])),
            _segment(0xC4, b"\x10" + bytes([1]) + bytes(15) + bytes([0])),
            _segment(0xDA, bytes([1, 1, 0x00, 0, 63, 0])),
            _blocks(b"".join(rows)),
            b"\xff\xd9",
        )
    )


# White is +8 and black is -8 of these steps around middle grey. A block is coded as the difference
# to the block before it: its size in bits by the Huffman table above (0 -> "0", 5 -> "10",
# 4 -> "110"), then its bits, then "0" for the end of the block.
_STEP = 128
_FIRST_WHITE = "110" + "1000" + "0"
_SAME = "0" + "0"
_TO_WHITE = "10" + "10000" + "0"
_TO_BLACK = "10" + "01111" + "0"


def _blocks(modules: bytes) -> bytes:
    bits = [_FIRST_WHITE]
    for before, module in itertools.pairwise(modules):
        bits.append(_SAME if module == before else _TO_BLACK if module else _TO_WHITE)
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    return int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\0")


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content

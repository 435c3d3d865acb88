"""Images that cost more memory than a code is worth are refused, before a pixel is decoded."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import segno
from PIL import Image
from pydantic import SecretBytes

from plugchat_async._image_reader import read_payload

if TYPE_CHECKING:
    from pathlib import Path

CODE = "https://wa.me/settings/linked_devices#" + "aB3/" * 50

# The kinds of files, each with the side in pixels up to which a square image is decoded.
KINDS = [
    pytest.param({"format": "PNG"}, "L", 1672, id="grey PNG"),
    pytest.param({"format": "PNG"}, "P", 1672, id="PNG with a palette"),
    pytest.param({"format": "PNG"}, "RGBA", 1672, id="PNG with transparency"),
    pytest.param({"format": "JPEG"}, "RGB", 1094, id="JPEG"),
    pytest.param({"format": "JPEG"}, "CMYK", 1094, id="JPEG in four colours"),
    pytest.param({"format": "JPEG", "progressive": True}, "CMYK", 1094, id="progressive JPEG"),
    pytest.param({"format": "GIF"}, "P", 1672, id="GIF"),
    pytest.param({"format": "WEBP"}, "RGB", 965, id="WebP"),
    pytest.param({"format": "WEBP", "lossless": True}, "RGBA", 965, id="lossless WebP"),
]

MEASURE = """
import json, pathlib, re, sys
from pydantic import SecretBytes
from plugchat_async._image_reader import read_payload

def peak():
    # Not `ru_maxrss`, which begins with that of the process that started this one.
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\\s*([0-9]+) kB", status)[1])

small, large = (SecretBytes(pathlib.Path(path).read_bytes()) for path in sys.argv[1:])
read_payload(small)
before = peak()
print(json.dumps([read_payload(large), peak() - before]))
"""


def store(width: int, height: int, mode: str, options: dict[str, Any], code: str = CODE) -> bytes:
    """Draw a code into the middle of a white rectangle, and store it."""
    drawn = io.BytesIO()
    segno.make_qr(code).save(drawn, kind="png", scale=4)
    paper = Image.new("L", (width, height), "white")
    with Image.open(drawn) as symbol:
        middle = ((width - symbol.width) // 2, (height - symbol.height) // 2)
        paper.paste(symbol.convert("L"), middle)
    file = io.BytesIO()
    paper.convert(mode).save(file, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """Make a part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def measure(small: bytes, large: bytes, folder: Path) -> tuple[str | None, int]:
    """Read an image in a separate process: the code, and by how many bytes memory grew."""
    for name, data in (("small", small), ("large", large)):
        (folder / name).write_bytes(data)
    command = [sys.executable, "-c", MEASURE, str(folder / "small"), str(folder / "large")]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    payload, grown = json.loads(run.stdout)
    return payload, grown


@pytest.mark.parametrize(("options", "mode", "side"), KINDS)
def test_the_largest_image_takes_at_most_16_mib(
    options: dict[str, Any], mode: str, side: int, tmp_path: Path
) -> None:
    """Whatever the format keeps beside the pixels while it decodes."""
    small, large = store(300, 300, mode, options), store(side, side, mode, options)
    payload, grown = measure(small, large, tmp_path)
    assert payload == CODE
    assert grown <= 16 * 2**20


@pytest.mark.parametrize(("options", "mode", "side"), KINDS)
@pytest.mark.parametrize("other_side", [None, 300], ids=["square", "long"])
def test_a_larger_image_is_not_decoded(
    options: dict[str, Any], mode: str, side: int, other_side: int | None
) -> None:
    """The longer side decides, since a symbol is a square."""
    long, other = side + 1, other_side or side + 1
    assert read_payload(SecretBytes(store(long, other, mode, options))) is None
    assert read_payload(SecretBytes(store(other, long, mode, options))) is None


def test_a_code_of_the_largest_symbol_is_decoded_at_8_pixels_a_module() -> None:
    """As a symbol of 177 modules is drawn here by default: 1,480 pixels."""
    payload = CODE * 8
    drawn = io.BytesIO()
    segno.make_qr(payload, version=40).save(drawn, kind="png", scale=8, border=4)
    assert read_payload(SecretBytes(drawn.getvalue())) == payload


def test_a_text_in_a_png_is_not_unpacked(tmp_path: Path) -> None:
    """60 KiB of it would take 60 MiB."""
    small = store(300, 300, "L", {"format": "PNG"})
    text = zlib.compress(bytes(2**20 - 1), 9)
    texts = b"".join(chunk(b"zTXt", b"%d\0\0" % number + text) for number in range(60))
    payload, grown = measure(small, small[:33] + texts + small[33:], tmp_path)
    assert payload == CODE
    assert grown <= 16 * 2**20


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "MPO"])
def test_the_first_frame_of_an_animation_is_read(kind: str) -> None:
    """The others are neither decoded nor looked at."""
    first, second = (
        Image.open(io.BytesIO(store(300, 300, "L", {"format": "PNG"}, code)))
        for code in (CODE, "another")
    )
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=[second])
    assert read_payload(SecretBytes(file.getvalue())) == CODE


def test_a_format_that_no_gateway_sends_is_not_opened() -> None:
    """Pillow knows dozens, some of them old and seldom looked after."""
    assert read_payload(SecretBytes(store(300, 300, "RGB", {"format": "BMP"}))) is None

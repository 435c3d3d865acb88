"""A phone's camera: it reads codes dark on light only, as many phones do, to the character."""

from __future__ import annotations

import io
from contextlib import ExitStack

import resvg_py
import zxingcpp
from PIL import Image

# Among all formats, the reader sees a bar code by chance in one of a hundred QR codes.
_QR_CODE = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


def read_codes(image: Image.Image | bytes) -> list[str]:
    """Read all codes in an image, or in the file of one."""
    with ExitStack() as files:
        if isinstance(image, bytes):
            image = files.enter_context(Image.open(io.BytesIO(image)))
        found = zxingcpp.read_barcodes(
            image.convert("L"), _QR_CODE, try_invert=False, text_mode=zxingcpp.TextMode.Plain
        )
    return [code.text for code in found]


def read_code(image: Image.Image | bytes) -> str:
    """Read the one code in an image, or in the file of one."""
    (code,) = read_codes(image)
    return code


def read_symbol(svg: str) -> str:
    """Read the one code of an SVG document."""
    return read_code(resvg_py.svg_to_bytes(svg_string=svg))

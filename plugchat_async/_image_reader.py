"""Read a code out of an image, with the libraries of the extra `[decode]`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ._image_formats import without_metadata

if TYPE_CHECKING:
    from PIL.Image import Image
    from pydantic import SecretBytes

# The largest symbol, of 185 modules with its quiet zone, has 9 pixels a module then, or 5 in the
# formats that cost most: more than a reader needs, or a gateway draws.
_MAX_MEMORY = 16 * 2**20
# What decoding takes at its peak, as measured, and rounded up. The library of JPEG may keep the
# coefficients of four colours to the last scan; that of WebP has two canvases beside the frame.
# MPO is what Pillow calls a JPEG with several images.
_BYTES_A_PIXEL = {"PNG": 6, "GIF": 6, "JPEG": 14, "MPO": 14, "WEBP": 18}
_FORMATS = ("PNG", "GIF", "JPEG", "WEBP")
_ROWS_OF_A_BAND = 64


def read_payload(data: SecretBytes) -> str | None:
    """Read the code in an image file, with 16 MiB of memory at most; None if there is none.

    Raises:
        ImportError: The extra `[decode]` is not installed.
    """
    try:
        import PIL.Image
        import zxingcpp
    except ImportError as error:
        from ._extras import missing

        raise ImportError(missing("decoding an image", "Pillow and zxing-cpp", "decode")) from error

    try:
        image = _open_in_grey(data)
        codes = image and zxingcpp.read_barcodes(
            image,
            zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode),
            text_mode=zxingcpp.TextMode.Plain,
        )
    except (
        OSError,
        SyntaxError,
        ValueError,
        PIL.Image.DecompressionBombError,
        PIL.Image.DecompressionBombWarning,  # an error if warnings are
    ):
        return None
    return codes[0].text if codes else None


def _open_in_grey(data: SecretBytes) -> Image | None:
    """Decode the first frame on a white background; None if that takes too much memory."""
    from PIL import Image

    file = io.BytesIO(without_metadata(data.get_secret_value()))
    with Image.open(file, formats=_FORMATS) as image:
        if max(image.size) ** 2 * _BYTES_A_PIXEL[str(image.format)] > _MAX_MEMORY:
            return None
        image.draft("L", image.size)
        grey = Image.new("L", image.size, "white")
        # A symbol may stand on nothing: what is transparent is white to who looks at it. In bands,
        # since a copy in colour takes four times the memory.
        for top in range(0, image.height, _ROWS_OF_A_BAND):
            bottom = min(top + _ROWS_OF_A_BAND, image.height)
            band = image.crop((0, top, image.width, bottom)).convert("RGBA")
            grey.paste(band.convert("L"), (0, top), band.getchannel("A"))
        return grey

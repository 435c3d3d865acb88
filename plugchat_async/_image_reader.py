"""Read a code out of an image, with what the extra `[decode]` brings."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import SecretBytes

# A code is a few hundred pixels wide; an image of more than this is a bomb, not a code.
_MOST_PIXELS = 4096 * 4096


def read_payload(data: SecretBytes) -> str | None:
    """Read the code in an image file; None where there is none to read.

    Raises:
        ImportError: The extra `[decode]` is not installed.
    """
    try:
        import zxingcpp
        from PIL import Image
    except ImportError as error:
        from ._extras import missing

        raise ImportError(missing("decoding an image", "Pillow and zxing-cpp", "decode")) from error

    try:
        with Image.open(io.BytesIO(data.get_secret_value())) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            # A symbol may stand on nothing: what is transparent is white to who looks at it.
            drawn = image.convert("RGBA")
            paper = Image.new("RGBA", drawn.size, "white")
            codes = zxingcpp.read_barcodes(
                Image.alpha_composite(paper, drawn).convert("L"),
                zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode),
                text_mode=zxingcpp.TextMode.Plain,
            )
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,  # an error where warnings are
    ):
        return None
    return codes[0].text if codes else None

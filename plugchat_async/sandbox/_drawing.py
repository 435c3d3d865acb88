"""Images of a code, drawn without the SDK, so that no mistake is shared."""

from __future__ import annotations

from io import BytesIO

import segno


def png(payload: str) -> bytes:
    """Draw `payload` as a PNG, with the quiet zone of 4 modules that ISO/IEC 18004 requires."""
    image = BytesIO()
    segno.make_qr(payload).save(image, kind="png", scale=4, border=4)
    return image.getvalue()


def jpeg(payload: str) -> bytes:
    """Draw `payload` as a JPEG.

    Raises:
        ImportError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        from plugchat_async._extras import missing

        raise ImportError(missing("a JPEG from the sandbox", "Pillow", "decode")) from error

    image = BytesIO()
    Image.open(BytesIO(png(payload))).convert("L").save(image, "JPEG")
    return image.getvalue()

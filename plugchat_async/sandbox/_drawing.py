"""Pictures of a code, drawn apart from the SDK so that no mistake can be shared with it."""

from __future__ import annotations

from io import BytesIO

import segno


def png(payload: str) -> bytes:
    """Draw `payload` as a PNG, with the quiet zone of 4 modules that ISO/IEC 18004 wants."""
    picture = BytesIO()
    segno.make_qr(payload).save(picture, kind="png", scale=4, border=4)
    return picture.getvalue()


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

    picture = BytesIO()
    Image.open(BytesIO(png(payload))).convert("L").save(picture, "JPEG")
    return picture.getvalue()

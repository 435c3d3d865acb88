"""Draw a payload as a QR symbol, always dark on light, so that it scans on any background."""

from __future__ import annotations

import io
import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import SecretStr
    from segno import QRCode as Symbol

_DARK = "#000"
_LIGHT = "#fff"

# Both colours are set, whatever the theme. A terminal that lacks the bright white of 107 ignores it
# and keeps the white of 47.
BLACK_ON_WHITE = "\x1b[30;47;107m"
RESET = "\x1b[0m"


# Weighing all eight masks takes three quarters of the time, and every reader takes any. For text
# like a code's, the one of every third column is the best more often than all others together.
_MASK = 2

# The capacity of the largest symbol, version 40 at level L (ISO/IEC 18004, table 7). A charset that
# is named, by ECI, takes a byte of it.
_MAX_BYTES = 2953
_MAX_BYTES_WITH_ECI = 2952
_MAX_ALPHANUMERIC = 4296
_MAX_DIGITS = 7089
_ALPHANUMERIC = r"[0-9A-Z $%*+./:-]*"

# More sizes of one code than anybody looks at.
_REMEMBERED = 8


def fits(payload: str) -> bool:
    """Check that a payload fits a QR symbol."""
    length = len(payload)
    if payload.isascii():
        return (
            length <= _MAX_BYTES
            or (length <= _MAX_ALPHANUMERIC and re.fullmatch(_ALPHANUMERIC, payload) is not None)
            or (length <= _MAX_DIGITS and payload.isdigit())
        )
    return len(payload.encode()) <= _MAX_BYTES_WITH_ECI


class Drawings:
    """Drawings of one payload, which fits a symbol; each is made once and kept with the payload."""

    def __init__(self, payload: SecretStr) -> None:
        remembered = lru_cache(_REMEMBERED)
        self.svg = remembered(partial(_svg, payload))
        self.png = remembered(partial(_png, payload))
        self.terminal = remembered(partial(_terminal, payload))


def _svg(payload: SecretStr, *, border: int) -> str:
    """Write an SVG element of 8 pixels a module, free of names that could clash with a page's."""
    symbol = _encode(payload)
    out = io.BytesIO()
    symbol.save(
        out,
        kind="svg",
        scale=8,
        unit="px",
        border=border,
        dark=_DARK,
        light=_LIGHT,
        xmldecl=False,
        svgclass=None,
        lineclass=None,
        nl=False,
    )
    return out.getvalue().decode()


def _png(payload: SecretStr, *, scale: int, border: int) -> bytes:
    """Write a PNG of `scale` pixels a module."""
    symbol = _encode(payload)
    out = io.BytesIO()
    # The highest compression doubles the time to save half a kilobyte.
    symbol.save(
        out, kind="png", scale=scale, border=border, dark=_DARK, light=_LIGHT, compresslevel=1
    )
    return out.getvalue()


def _terminal(payload: SecretStr, *, border: int, color: bool) -> str:
    """Write lines of half blocks, two modules to a character.

    Without colour the light modules are the inked ones: that is dark on light if the terminal has a
    dark theme, as most have.
    """
    symbol = _encode(payload)
    rows = [bytes(row) for row in symbol.matrix_iter(border=border)]
    rows.append(bytes(len(rows[0])))  # symbols have an odd number of rows
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    if color:
        ink = {(1, 1): "█", (1, 0): "▀", (0, 1): "▄", (0, 0): " "}
        return "\n".join(
            BLACK_ON_WHITE + "".join(ink[pair] for pair in zip(*lines, strict=True)) + RESET
            for lines in pairs
        )
    ink = {(1, 1): " ", (1, 0): "▄", (0, 1): "▀", (0, 0): "█"}
    return "\n".join("".join(ink[pair] for pair in zip(*lines, strict=True)) for lines in pairs)


def _encode(payload: SecretStr) -> Symbol:
    """Choose version and error correction level."""
    import segno

    text = payload.get_secret_value()
    # The lowest level that fits is raised if that costs no size. ECI names the charset of what is
    # not ASCII; readers guess otherwise, and some guess wrong. Left to itself, segno names no
    # Latin-1, and takes some UTF-8 for kanji.
    if text.isascii():
        return segno.make_qr(text, mask=_MASK)
    return segno.make_qr(text, mask=_MASK, mode="byte", encoding="utf-8", eci=True)

"""Draw a payload as a QR symbol, always dark on light, so that it scans on any background."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segno import QRCode as Symbol

_DARK = "#000"
_LIGHT = "#fff"

# Both colours are set, whatever the theme. A terminal that lacks the bright white of 107 ignores it
# and keeps the white of 47.
_BLACK_ON_WHITE = "\x1b[30;47;107m"
_RESET = "\x1b[0m"


def encode(payload: str) -> Symbol | None:
    """Choose version, error correction level and mask; None where no symbol is large enough."""
    import segno

    try:
        # The lowest level that fits is raised where it costs no size. ECI names the charset of what
        # is not ASCII; readers guess otherwise, and some guess wrong. Left to itself, segno names
        # no Latin-1, and takes some UTF-8 for kanji.
        if payload.isascii():
            return segno.make_qr(payload)
        return segno.make_qr(payload, mode="byte", encoding="utf-8", eci=True)
    except segno.DataOverflowError:
        return None


def svg(symbol: Symbol, *, border: int) -> str:
    """Write an SVG element of 8 pixels a module, free of names that could clash with a page's."""
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


def png(symbol: Symbol, *, scale: int, border: int) -> bytes:
    """Write a PNG of `scale` pixels a module."""
    out = io.BytesIO()
    symbol.save(out, kind="png", scale=scale, border=border, dark=_DARK, light=_LIGHT)
    return out.getvalue()


def terminal(symbol: Symbol, *, border: int, color: bool) -> str:
    """Write lines of half blocks, two modules to a character.

    Without colour the light modules are the inked ones: that is dark on light where the terminal
    writes light on dark, as most do.
    """
    rows = [[bool(module) for module in row] for row in symbol.matrix_iter(border=border)]
    rows.append([False] * len(rows[0]))  # symbols have an odd number of rows
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    if color:
        ink = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
        return "\n".join(
            _BLACK_ON_WHITE + "".join(ink[pair] for pair in zip(*lines, strict=True)) + _RESET
            for lines in pairs
        )
    ink = {(True, True): " ", (True, False): "▄", (False, True): "▀", (False, False): "█"}
    return "\n".join("".join(ink[pair] for pair in zip(*lines, strict=True)) for lines in pairs)

"""Codes in characters."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import segno

from plugchat_async._render import BLACK_ON_WHITE, RESET

from .window import Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugchat_async import QRCode

# The quiet zone in modules: the usual one, and the least that still scans, for a narrow window.
_BORDERS = (2, 1)

_BLACK_ON_BLACK = "\x1b[30;40m"

# Unicode counts the 2 x 3 modules of a sextant in binary, without the four earlier characters.
_EARLIER = {0: " ", 21: "▌", 42: "▐", 63: "█"}


class Form(NamedTuple):
    """Characters to draw with, each for a block of modules.

    Attributes:
        inks: A character for each set of inked modules, in binary, row by row.
        columns: Columns of modules in a block.
        rows: Rows of modules in a block.
        width: Characters that a block takes.
    """

    inks: str
    columns: int
    rows: int
    width: int = 1

    def size(self, modules: int) -> Size:
        """Return the size of a drawing, given the modules of a side."""
        return Size(-(-modules // self.columns) * self.width, -(-modules // self.rows))


HALF_BLOCKS = Form(" ▀▄█", columns=1, rows=2)
SEXTANTS = Form(
    "".join(
        _EARLIER.get(bits) or chr(0x1FB00 + bits - 1 - (bits > 21) - (bits > 42))
        for bits in range(64)
    ),
    columns=2,
    rows=3,
)
ASCII = Form(" #", columns=1, rows=1, width=2)


class Drawing(NamedTuple):
    """Code in characters."""

    text: str
    size: Size


def draw(code: QRCode, forms: tuple[Form, ...], *, has_colors: bool) -> Iterator[Drawing]:
    """Draw a code in each form with each quiet zone, the best one first."""
    for form in forms:
        for border in _BORDERS:
            modules = _modules(code, border)
            lines = _lines(modules, form, has_colors=has_colors)
            yield Drawing("\n".join(lines), form.size(len(modules)))


@cache
def drawn_sizes(payload_size: int, forms: tuple[Form, ...]) -> tuple[Size, ...]:
    """Return the sizes of the drawings of an ASCII payload of a size, as `draw()` orders them."""
    symbol = segno.make_qr("x" * payload_size, mask=0)
    sides = [int(symbol.symbol_size(border=border)[0]) for border in _BORDERS]
    return tuple(form.size(side) for form in forms for side in sides)


def _modules(code: QRCode, border: int) -> list[list[bool]]:
    """Return the rows of modules, true if dark: without colours the light ones are inked."""
    lines = code.terminal(border=border, color=False).split("\n")
    inks = HALF_BLOCKS.inks
    rows = [[not inks.index(ink) & half for ink in line] for line in lines for half in (1, 2)]
    return rows[: len(rows[0])]


def _lines(modules: list[list[bool]], form: Form, *, has_colors: bool) -> Iterator[str]:
    side = len(modules)
    for top in range(0, side, form.rows):
        inks: list[str] = []
        for left in range(0, side, form.columns):
            places = [(top + y, left + x) for y in range(form.rows) for x in range(form.columns)]
            darks = [y < side and x < side and modules[y][x] for y, x in places]
            bits = sum((dark is has_colors) << place for place, dark in enumerate(darks))
            inks.append(form.inks[bits] * form.width)
        line = "".join(inks)
        if has_colors and form is ASCII:
            # Black on black, a dark module has no gaps.
            line = re.sub("#+", rf"{_BLACK_ON_BLACK}\g<0>{BLACK_ON_WHITE}", line)
        yield f"{BLACK_ON_WHITE}{line}{RESET}" if has_colors else line

"""Codes in characters, as standard output can show them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import segno

from plugchat_async._render import BLACK_ON_WHITE, RESET
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._texts import text

from .window import UNLIMITED, Size, draws_sextants, lacks_sextants

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plugchat_async import QRCode

    from .window import Window

# The quiet zone in modules: the usual one, and the least that still scans, for a narrow window.
BORDERS = (2, 1)

# Characters of WhatsApp's payloads, whose room is checked before a code is requested.
USUAL_PAYLOAD_SIZE = 237

_BLACK_ON_BLACK = "\x1b[30;40m"

_HALF_BLOCKS = " ▀▄█"
# Unicode counts the 2 x 3 modules of a sextant in binary, without the four earlier characters.
_EARLIER = {0: " ", 21: "▌", 42: "▐", 63: "█"}
_SEXTANTS = "".join(
    _EARLIER.get(bits) or chr(0x1FB00 + bits - 1 - (bits > 21) - (bits > 42)) for bits in range(64)
)


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


HALF_BLOCKS = Form(_HALF_BLOCKS, columns=1, rows=2)
SEXTANTS = Form(_SEXTANTS, columns=2, rows=3)
ASCII = Form(" #", columns=1, rows=1, width=2)


def forms(window: Window, *, ascii_only: bool, compact: bool) -> tuple[Form, ...]:
    """Return the forms that a window can show, the best one first.

    Args:
        window: Where to draw.
        ascii_only: Whether the user wants ASCII.
        compact: Whether the user wants sextants.

    Raises:
        Failure: The user wants both, or sextants that can't be shown.
    """
    if ascii_only and compact:
        raise Failure("two_forms")
    if ascii_only:
        return (ASCII,)
    if compact:
        if not window.encodes(_SEXTANTS):
            reason = text("compact.encoding", encoding=window.encoding)
            raise Failure("compact_impossible", reason=reason)
        if window.is_terminal and lacks_sextants():
            raise Failure("compact_impossible", reason=text("compact.terminal"))
        return (SEXTANTS,)
    if not window.encodes(_HALF_BLOCKS):
        return (ASCII,)
    is_known = window.is_terminal and window.encodes(_SEXTANTS) and draws_sextants()
    return (HALF_BLOCKS, SEXTANTS) if is_known else (HALF_BLOCKS,)


@dataclass(frozen=True, slots=True)
class Drawing:
    """Code in characters."""

    text: str
    size: Size


def draw(code: QRCode, window: Window, forms: tuple[Form, ...]) -> Iterator[Drawing]:
    """Draw a code in each form with each quiet zone, the best one first."""
    for form in forms:
        for border in BORDERS:
            modules = _modules(code, border)
            lines = _lines(modules, form, has_colors=window.has_colors)
            yield Drawing("\n".join(lines), form.size(len(modules)))


@cache
def drawn_sizes(payload_size: int, forms: tuple[Form, ...]) -> tuple[Size, ...]:
    """Return the sizes of the drawings of an ASCII payload, as `draw()` orders them.

    Args:
        payload_size: Characters of the payload, 1 to 2953.
        forms: The forms to draw in.
    """
    symbol = segno.make_qr("x" * payload_size, mask=0)
    return tuple(
        form.size(int(symbol.symbol_size(border=border)[0])) for form in forms for border in BORDERS
    )


def fitting(drawings: Iterable[Drawing], window: Size, *, rows_around: int) -> Drawing | None:
    """Return the first drawing that a window has room for, with the rows around it; else None."""
    room = window.plus(rows=-rows_around)
    return next((drawing for drawing in drawings if room.has_room_for(drawing.size)), None)


def other_ways(window: Window, forms: tuple[Form, ...], *ways: str) -> str:
    """Return other ways to get a code than in these forms, as options."""
    is_possible = window.encodes(_SEXTANTS) and not lacks_sextants() and SEXTANTS not in forms
    return ", ".join(["--compact", *ways] if is_possible else ways)


def check_room(window: Window, forms: tuple[Form, ...], *, rows_around: int, ways: str) -> None:
    """Check that a window has room for a code before one is requested.

    Raises:
        Failure: It has none. The size that it takes and the other ways are named.
    """
    if window.size == UNLIMITED:
        return
    needed = [size.plus(rows=rows_around) for size in drawn_sizes(USUAL_PAYLOAD_SIZE, forms)]
    if not any(map(window.size.has_room_for, needed)):
        raise Failure("window_too_small", needed=needed[-1], window=window.size, ways=ways)


def _modules(code: QRCode, border: int) -> list[list[bool]]:
    """Return the rows of modules, true if dark: without colours the light ones are inked."""
    lines = code.terminal(border=border, color=False).split("\n")
    rows = [
        [not _HALF_BLOCKS.index(ink) & half for ink in line] for line in lines for half in (1, 2)
    ]
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

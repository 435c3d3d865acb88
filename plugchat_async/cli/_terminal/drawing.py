"""Codes in characters, on whatever standard output is."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import segno
from rich.color import ColorSystem
from rich.console import Console
from rich.measure import Measurement
from rich.segment import ControlType, Segment
from rich.style import Style

from .window import Size

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult

    from plugchat_async import QRCode

_ESCAPE_SEQUENCE = re.compile(r"(\x1b\[[0-9;]*m)")

# Marks text as taking no room on the screen. The code itself is for consoles that know no escape
# sequences, and does nothing.
_NO_ROOM = ((ControlType.CURSOR_FORWARD, 0),)

# The quiet zone: what suits the eye, and what still scans where a window is narrow.
BORDERS = (2, 1)

# A line of half blocks, drawn light on dark, becomes two lines of two characters a module.
_TOP_INKS = {" ": "  ", "▄": "  ", "▀": "##", "█": "##"}
_BOTTOM_INKS = {" ": "  ", "▄": "##", "▀": "  ", "█": "##"}

# Every terminal with colours has these two. Black on black, a dark module has no gaps.
_DARK = Style(color="black", bgcolor="black")
_LIGHT = Style(color="black", bgcolor="white")


def standard_output() -> Console:
    """Look at standard output: escape sequences are for real terminals, whatever else is asked."""
    return Console(force_terminal=sys.stdout.isatty(), highlight=False)


def is_encodable(console: Console) -> bool:
    """Tell whether half blocks survive the way to the terminal."""
    try:
        "▀▄█".encode(console.encoding)
    except UnicodeEncodeError:
        return False
    return True


def has_colors(console: Console) -> bool:
    """Tell whether black and white can be set, whatever the theme."""
    return console.color_system is not None and not (console.no_color or console.legacy_windows)


class Drawing:
    """Draw a code once, to be shown often; a renderable of Rich's.

    Args:
        code: What to draw.
        console: Where; it decides on colours, and whether half blocks can be had at all.
        border: The quiet zone, in modules.
        ascii_only: Draw with `#` and spaces wherever it is.
    """

    def __init__(
        self, code: QRCode, console: Console, *, border: int = BORDERS[0], ascii_only: bool = False
    ) -> None:
        self.has_colors = has_colors(console)
        if ascii_only or not is_encodable(console):
            plain = _in_ascii(code.terminal(border=border, color=False))
            self.text = _colored(plain) if self.has_colors else plain
        else:
            self.text = code.terminal(border=border, color=self.has_colors)
        self._lines = [_ESCAPE_SEQUENCE.split(line) for line in self.text.splitlines()]
        self.size = Size(sum(map(len, self._lines[0][::2])), len(self._lines))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Tell Rich the width, which can't be any other."""
        return Measurement(self.size.columns, self.size.columns)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Hand the escape sequences on as they are: Rich would keep one of the two whites."""
        for line in self._lines:
            for place, part in enumerate(line):
                yield Segment(part, control=_NO_ROOM if place % 2 else None)
            yield Segment.line()


def draw(code: QRCode, console: Console, *, ascii_only: bool) -> tuple[Drawing, ...]:
    """Draw a code with each quiet zone, the widest first."""
    return tuple(Drawing(code, console, border=border, ascii_only=ascii_only) for border in BORDERS)


def fitting(drawings: tuple[Drawing, ...], window: Size, *, rows_around: int) -> Drawing | None:
    """Return the first drawing that a window has room for, with the rows around it; else None."""
    room = window.plus(rows=-rows_around)
    return next((drawing for drawing in drawings if room.has_room_for(drawing.size)), None)


def drawn_sizes(payload_size: int, *, ascii_only: bool) -> tuple[Size, ...]:
    """Return the sizes of the drawings of an ASCII payload, that with the widest border first.

    Args:
        payload_size: Characters of the payload, 1 to 2953.
        ascii_only: Whether it is drawn with `#` and spaces, not in half blocks.
    """
    symbol = segno.make_qr("x" * payload_size, mask=0)
    modules = [int(symbol.symbol_size(border=border)[0]) for border in BORDERS]
    return tuple(Size(2 * n, n) if ascii_only else Size(n, (n + 1) // 2) for n in modules)


def _in_ascii(half_blocks: str) -> str:
    rows = [
        "".join(inks[block] for block in line)
        for line in half_blocks.split("\n")
        for inks in (_TOP_INKS, _BOTTOM_INKS)
    ]
    # The last one only filled up the half blocks: symbols have an odd number of rows.
    return "\n".join(rows[:-1])


def _colored(plain: str) -> str:
    """Turn the inks around, and set both colours, so that the code scans on any theme."""
    return "\n".join("".join(map(_paint, re.findall("#+| +", line))) for line in plain.split("\n"))


def _paint(run: str) -> str:
    is_light = run[0] == "#"
    style, ink = (_LIGHT, " ") if is_light else (_DARK, "#")
    return style.render(ink * len(run), color_system=ColorSystem.STANDARD)

"""Codes in characters, on whatever standard output is."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.segment import ControlType, Segment

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult

    from plugchat_async import QRCode

_ESCAPE_SEQUENCE = re.compile(r"(\x1b\[[0-9;]*m)")

# Marks text as taking no room on the screen. The code itself is for consoles that know no escape
# sequences, and does nothing.
_NO_ROOM = ((ControlType.CURSOR_FORWARD, 0),)


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


class Drawing:
    """Draw a code once, to be shown often; a renderable of Rich's.

    Args:
        code: What to draw.
        console: Where; it decides on colours.
    """

    def __init__(self, code: QRCode, console: Console) -> None:
        has_colors = (
            console.color_system is not None and not console.no_color and not console.legacy_windows
        )
        self.text = code.terminal(color=has_colors)
        self.has_colors = has_colors
        self._lines = [_ESCAPE_SEQUENCE.split(line) for line in self.text.splitlines()]
        self.columns = sum(map(len, self._lines[0][::2]))
        self.rows = len(self._lines)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Tell Rich the width, which can't be any other."""
        return Measurement(self.columns, self.columns)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Hand the escape sequences on as they are: Rich would keep one of the two whites."""
        for line in self._lines:
            for place, part in enumerate(line):
                yield Segment(part, control=_NO_ROOM if place % 2 else None)
            yield Segment.line()

"""Layout of a full screen, by the size of the window."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

from rich.align import Align
from rich.console import Group
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.segment import ControlType, Segment
from rich.table import Table
from rich.text import Text

from plugchat_async.cli._texts import text

from .canvas import COLUMNS_BESIDE, GAP, ROWS_AROUND, beside_words, scan_this, with_few_words

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from plugchat_async import QRCode

    from .drawing import Drawing
    from .window import Size

_BAR_COLUMNS = 20

_ESCAPE_SEQUENCE = re.compile(r"(\x1b\[[0-9;]*m)")

# Marks text as taking no room on the screen. The code itself is for consoles that know no escape
# sequences, and does nothing.
_NO_ROOM = ((ControlType.CURSOR_FORWARD, 0),)


@dataclass(frozen=True, slots=True)
class Countdown:
    """Place of a code in its session and its remaining time, no finer than a person can see."""

    place: str
    lifetime: str
    cells_left: int

    @classmethod
    def of(cls, code: QRCode, *, left: float, total: float) -> Countdown:
        """Count the seconds that are `left` of `total`."""
        lifetime = "screen.expires_in" if code.round == code.rounds else "screen.next_in"
        return cls(
            place=text("screen.place", round=code.round, rounds=code.rounds),
            lifetime=text(lifetime, seconds=math.ceil(left)),
            cells_left=math.ceil(_BAR_COLUMNS * left / total),
        )

    def __rich__(self) -> RenderableType:
        """Return one line."""
        line = Table.grid(padding=(0, 2))
        bar = ProgressBar(
            total=_BAR_COLUMNS,
            completed=self.cells_left,
            width=_BAR_COLUMNS,
            style="bright_black",
            complete_style="green",
            finished_style="green",
        )
        # Of one width all the time, so that the line does not jump when it is centred.
        line.add_row(Text(self.place, style="bold"), bar, Text(f"{self.lifetime:<17}"))
        return line


@dataclass(frozen=True, slots=True)
class Layout:
    """Content of the screen; equal layouts need not be drawn twice.

    A code is never torn. If the window is too small for all of it, words give way, then the next
    of the drawings is tried; if it is too small for each, the size needed and the other ways to get
    the code are shown.

    Attributes:
        drawings: The drawings of the current code, the best one first; none before it.
        needed: The size of the smallest drawing; None if the window's size does not matter yet.
        countdown: The current code's; None before it.
        note: A remark of one or more lines.
        ways: Other ways to get a code, if none is requested without room in the window.
    """

    heading: str
    drawings: tuple[Drawing, ...]
    needed: Size | None
    countdown: Countdown | None
    note: str
    ways: str
    size: Size

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Fill the window with the most of the layout that fits."""
        yield Align.center(self._content(), vertical="middle", height=self.size.rows)

    def _content(self) -> RenderableType:
        for drawing in self.drawings:
            if layout := self._lay_out(drawing):
                return layout
        heading = _line(self.heading, style="dim")
        if self.needed is None:
            return _centered(heading, "", Text(self.note))
        needed = with_few_words(self.needed, ROWS_AROUND + self.note.count("\n"))
        elsewhere = text("screen.elsewhere", ways=self.ways) if self.ways else ""
        return _centered(
            heading,
            "",
            Text(text("screen.too_small"), style="bold yellow"),
            Text(text("screen.enlarge", needed=needed, window=self.size), justify="center"),
            Text(elsewhere, justify="center"),
            "",
            *([text("screen.waiting")] if self.ways else self._below()),
            *_how_to_stop(),
        )

    def _lay_out(self, drawing: Drawing) -> RenderableType | None:
        """Put words around a drawing; None if there is no room for it."""
        below, drawn = self._below(), _Drawn(drawing)
        heading = _line(self.heading, style="dim")
        rows = ROWS_AROUND + self.note.count("\n")
        least = with_few_words(drawing.size, rows)
        steps = Text.assemble((text("screen.steps_title"), "bold"), "\n", text("screen.steps"))
        around = len(steps.plain.split("\n")) + 5  # heading, gaps and how to stop
        if self.size.has_room_for(with_few_words(drawing.size, rows + around)):
            return _centered(heading, "", steps, "", drawn, "", *below, *_how_to_stop())
        note = "\n".join(fill(line, COLUMNS_BESIDE) for line in self.note.split("\n"))
        if self.size.has_room_for(beside_words(drawing.size, around + note.count("\n"))):
            words = Group(steps, "", *below[:1], Text(note), *_how_to_stop())
            side_by_side = Table.grid(padding=(0, GAP))
            side_by_side.add_row(drawn, Align.left(words, vertical="middle"))
            return _centered(side_by_side)
        if self.size.has_room_for(least):
            above = [heading] if self.size.rows > least.rows else []
            return _centered(*above, _line(scan_this(self.size.columns)), drawn, *below)
        return None

    def _below(self) -> list[RenderableType]:
        countdown = [self.countdown] if self.countdown else []
        return [*countdown, *map(_line, self.note.split("\n"))]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Drawing as a renderable of Rich's."""

    drawing: Drawing

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the width, which can't be any other."""
        return Measurement(self.drawing.size.columns, self.drawing.size.columns)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Hand the escape sequences on unchanged: Rich would keep one of the two whites."""
        for line in self.drawing.text.split("\n"):
            for place, part in enumerate(_ESCAPE_SEQUENCE.split(line)):
                yield Segment(part, control=_NO_ROOM if place % 2 else None)
            yield Segment.line()


def _centered(*rows: RenderableType) -> Group:
    return Group(*(Align.center(row or " ") for row in rows))


def _line(words: str, style: str = "") -> Text:
    """Keep to one line: a second one would push the code out of the window."""
    return Text(words, style=style, no_wrap=True, overflow="ellipsis")


def _how_to_stop() -> tuple[str, Text]:
    return "", Text(text("how_to_stop"), style="dim")

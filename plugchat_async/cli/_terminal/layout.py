"""How a page of the terminal looks: what goes where, at which size of the window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.align import Align
from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from plugchat_async.cli._texts import texts

from .drawing import drawn_sizes
from .window import Size

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from plugchat_async import QRCode

    from .drawing import Drawing

_BAR_COLUMNS = 20
_GAP = 4

# What a countdown takes in either language: where it broke, it would push the code out.
_WORDS_COLUMNS = 60


def fits(payload_size: int, window: Size, *, ascii_only: bool = False) -> bool:
    """Return whether a page with a note of one line has a layout for the code of an ASCII payload.

    Args:
        payload_size: Characters of the payload, 1 to 2953.
        window: The size of the page.
        ascii_only: Whether the code is drawn with `#` and spaces.
    """
    return any(
        window.has_room_for(layout)
        for drawing in drawn_sizes(payload_size, ascii_only=ascii_only)
        for layout in (_side_by_side(drawing), _with_few_words(drawing, note_rows=1))
    )


def _side_by_side(drawing: Size) -> Size:
    return drawing.plus(columns=_GAP + _WORDS_COLUMNS)


def _with_few_words(drawing: Size, *, note_rows: int) -> Size:
    columns = max(drawing.columns, _WORDS_COLUMNS)
    return drawing._replace(columns=columns).plus(rows=2 + note_rows)


@dataclass(frozen=True, slots=True)
class Countdown:
    """Tell which code this is and how long it stays, no finer than a person can see."""

    place: str
    lifetime: str
    cells_left: int

    @classmethod
    def of(cls, code: QRCode, *, left: float, total: float) -> Countdown:
        """Count the seconds that are `left` of `total`."""
        is_last = code.round == code.rounds
        lifetime = texts().expires_in if is_last else texts().next_in
        return cls(
            place=texts().place.format(round=code.round, rounds=code.rounds),
            lifetime=lifetime.format(seconds=math.ceil(left)),
            cells_left=math.ceil(_BAR_COLUMNS * left / total),
        )

    def __rich__(self) -> RenderableType:
        """Make it one line."""
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
class Page:
    """Hold all that a person can see: equal pages need not be drawn twice.

    A code is never torn. Where the window is too small for all of the page, words give way, then
    the next of the drawings is tried, which are ever smaller; where it is too small for the code,
    the page says which size it takes, and where else the code can be had.
    """

    heading: str
    drawings: tuple[Drawing, ...]
    countdown: Countdown | None
    note: str
    elsewhere: str
    size: tuple[int, int]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Fill the window with the most of the page that fits."""
        _, height = self.size
        yield Align.center(self._content(), vertical="middle", height=height)

    def _content(self) -> RenderableType:
        if self.countdown is None:
            return _centered(self._heading(), "", Text(self.note))
        for drawing in self.drawings:
            layout = self._lay_out(drawing, self.countdown)
            if layout is not None:
                return layout
        above = (self._heading(), "", *self._too_small(self.drawings[-1]), "")
        return _centered(*above, self.countdown, *self._notes(), "", _how_to_stop())

    def _lay_out(self, drawing: Drawing, countdown: Countdown) -> RenderableType | None:
        """Put words around a drawing; None where there is no room for it."""
        notes, window = self._notes(), Size(*self.size)
        least = self._least_size(drawing)
        around = len(texts().steps) + 6  # headings, gaps and how to stop
        if window.has_room_for(least.plus(rows=around)):
            above = (self._heading(), "", _steps(), "")
            return _centered(*above, drawing, "", countdown, *notes, "", _how_to_stop())
        if window.has_room_for(_side_by_side(drawing.size)):
            words = Group(_steps(), "", countdown, Text(self.note), "", _how_to_stop())
            side_by_side = Table.grid(padding=(0, _GAP))
            side_by_side.add_row(drawing, Align.left(words, vertical="middle"))
            return _centered(side_by_side)
        if window.has_room_for(least):
            heading = [self._heading()] if window.rows > least.rows else []
            return _centered(*heading, self._scan_this(), drawing, countdown, *notes)
        return None

    def _notes(self) -> list[Text]:
        return [_line(line) for line in self.note.split("\n")]

    def _least_size(self, drawing: Drawing) -> Size:
        return _with_few_words(drawing.size, note_rows=len(self._notes()))

    def _scan_this(self) -> Text:
        width, _ = self.size
        words = texts().scan_this
        return _line(words if len(words) <= width else texts().scan_this_briefly)

    def _heading(self) -> Text:
        return _line(self.heading, style="dim")

    def _too_small(self, drawing: Drawing) -> tuple[Text, Text, Text]:
        (columns, rows), (width, height) = self._least_size(drawing), self.size
        to_do = texts().window_to_enlarge.format(
            columns=columns, rows=rows, width=width, height=height
        )
        return (
            Text(texts().window_too_small, style="bold yellow"),
            Text(to_do, justify="center"),
            Text(self.elsewhere, justify="center"),
        )


def _centered(*rows: RenderableType) -> Group:
    return Group(*(Align.center(row or " ") for row in rows))


def _line(words: str, style: str = "") -> Text:
    """Keep to one line: a second one would push the code out of the window."""
    return Text(words, style=style, no_wrap=True, overflow="ellipsis")


def _steps() -> Text:
    numbered = (f"{number}  {step}" for number, step in enumerate(texts().steps, 1))
    return Text.assemble((texts().steps_title, "bold"), "\n", "\n".join(numbered))


def _how_to_stop() -> Text:
    return Text(texts().how_to_stop, style="dim")

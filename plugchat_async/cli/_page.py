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

from ._texts import texts

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from plugchat_async import QRCode

    from ._drawing import Drawing

_BAR_COLUMNS = 20
_GAP = 4

# What a countdown takes in either language: where it broke, it would push the code out.
_WORDS_COLUMNS = 60


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
        return _centered(
            *(self._heading(), "", *self._too_small(self.drawings[-1]), ""),
            *(self.countdown, _line(self.note), "", _how_to_stop()),
        )

    def _lay_out(self, drawing: Drawing, countdown: Countdown) -> RenderableType | None:
        """Put words around a drawing; None where there is no room for it."""
        note = _line(self.note)
        around = len(texts().steps) + 9
        if self._has_room(drawing.size.columns, drawing.size.rows + around):
            above = (self._heading(), "", _steps(), "")
            return _centered(*above, drawing, "", countdown, note, "", _how_to_stop())
        if self._has_room(drawing.size.columns + _GAP + _WORDS_COLUMNS, drawing.size.rows):
            words = Group(_steps(), "", countdown, Text(self.note), "", _how_to_stop())
            side_by_side = Table.grid(padding=(0, _GAP))
            side_by_side.add_row(drawing, Align.left(words, vertical="middle"))
            return _centered(side_by_side)
        if self._has_room(*self._least_size(drawing)):
            return _centered(self._scan_this(), drawing, countdown, note)
        return None

    def _has_room(self, columns: int, rows: int) -> bool:
        width, height = self.size
        return width >= max(columns, _WORDS_COLUMNS) and height >= rows

    def _least_size(self, drawing: Drawing) -> tuple[int, int]:
        return max(drawing.size.columns, _WORDS_COLUMNS), drawing.size.rows + 3

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

"""Where codes are shown while they change: redrawn in place on a terminal, else line by line."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import anyio
import typer
from rich.live import Live

from plugchat_async.cli._texts import texts

from .drawing import draw, drawn_sizes, fitting, is_encodable
from .layout import Countdown, Page, fits
from .window import UNLIMITED, window_size

if TYPE_CHECKING:
    from rich.console import Console

    from plugchat_async import QRCode

    from .drawing import Drawing
    from .window import Size

_SECONDS_BETWEEN_LOOKS = 0.1

# A line above the code, and a note and the cursor below it.
_ROWS_AROUND = 3


def has_room(console: Console, payload_size: int) -> bool:
    """Return whether the console's window, if it has one, has room for codes of a size.

    Args:
        console: Where to show codes.
        payload_size: Characters of a code's payload.
    """
    window, ascii_only = window_size(console), not is_encodable(console)
    if is_redrawn(console):
        return fits(payload_size, window, ascii_only=ascii_only)
    return any(
        window.has_room_for(drawing.plus(rows=_ROWS_AROUND))
        for drawing in drawn_sizes(payload_size, ascii_only=ascii_only)
    )


class Screen(Protocol):
    """Show one code at a time, and a note about it."""

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        """Show a code that will be replaced, or expire, in `seconds`."""
        ...

    def note(self, note: str) -> None:
        """Say something else about the same code."""
        ...


def open_screen(
    console: Console, *, heading: str, elsewhere: str = "", ascii_only: bool = False
) -> AbstractAsyncContextManager[Screen]:
    """Open the screen that suits the console; leaving it leaves the terminal as it was.

    Args:
        console: Where to show codes.
        heading: What is being done.
        elsewhere: Where else a code can be had that the window is too small for.
        ascii_only: Draw codes with `#` and spaces.
    """
    if is_redrawn(console):
        # The terminal's second page keeps nothing stale, and nothing torn when it is resized.
        live = Live(console=console, screen=True, auto_refresh=False)
        return _Pages(live, heading, elsewhere, ascii_only=ascii_only)
    return _Lines(console, heading, elsewhere, ascii_only=ascii_only)


def is_redrawn(console: Console) -> bool:
    """Tell whether codes replace each other, where they would else follow each other."""
    # Rich takes an unknown size for 80 x 25, and would crop a page to that.
    return not console.is_dumb_terminal and window_size(console) != UNLIMITED


class _Lines(AbstractAsyncContextManager["_Lines"]):
    """Write codes and notes one after the other, without escape sequences."""

    def __init__(self, console: Console, heading: str, elsewhere: str, *, ascii_only: bool) -> None:
        self._console = console
        self._heading = heading
        self._elsewhere = elsewhere
        self._ascii_only = ascii_only

    async def __aenter__(self) -> Self:
        typer.echo(self._heading)
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Do nothing: what was written stays."""

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        countdown = Countdown.of(code, total=seconds, left=seconds)
        typer.echo(f"\n{countdown.place}, {countdown.lifetime}.")
        drawings = draw(code, self._console, ascii_only=self._ascii_only)
        window = window_size(self._console)
        rows_around = _ROWS_AROUND + note.count("\n")
        drawing = fitting(drawings, window, rows_around=rows_around)
        needed = drawings[-1].size.plus(rows=rows_around)
        typer.echo(self._too_small(needed, window) if drawing is None else drawing.text)
        self.note(note)

    def note(self, note: str) -> None:
        if note:
            typer.echo(note)

    def _too_small(self, needed: Size, window: Size) -> str:
        size = texts().window_to_enlarge.format(
            columns=needed.columns, rows=needed.rows, width=window.columns, height=window.rows
        )
        return f"{texts().window_too_small}\n{size}\n{self._elsewhere}".rstrip()


class _Pages(AbstractAsyncContextManager["_Pages"]):
    """Fill the terminal, and draw it anew when a person could see a difference."""

    def __init__(self, live: Live, heading: str, elsewhere: str, *, ascii_only: bool) -> None:
        self._live = live
        self._elsewhere = elsewhere
        self._ascii_only = ascii_only
        self._tasks = anyio.create_task_group()
        self._heading = heading
        self._note = texts().asking
        self._on_show: _OnShow | None = None
        self._drawn: Page | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._live.start()
        self._tasks.start_soon(self._keep_fresh)
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._live.stop()
        self._tasks.cancel_scope.cancel()
        # The task group is not told of an exception from inside, which it would wrap in a group.
        await self._tasks.__aexit__(None, None, None)

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        drawings = draw(code, self._live.console, ascii_only=self._ascii_only)
        self._on_show = _OnShow(code, drawings, seconds, anyio.current_time() + seconds)
        self.note(note)

    def note(self, note: str) -> None:
        self._note = note
        self._refresh()

    async def _keep_fresh(self) -> None:
        """Follow the clock, and the size of the window."""
        while True:
            self._refresh()
            await anyio.sleep(_SECONDS_BETWEEN_LOOKS)

    def _refresh(self) -> None:
        if self._on_show is not None and self._on_show.code.is_expired:
            # The next one is late, and this one can't be scanned any more.
            self._on_show, self._note = None, texts().asking
        shown = self._on_show
        page = Page(
            heading=self._heading,
            drawings=() if shown is None else shown.drawings,
            countdown=None if shown is None else shown.countdown(),
            note=self._note,
            elsewhere=self._elsewhere,
            size=self._live.console.size,
        )
        if page != self._drawn:
            self._drawn = page
            self._live.update(page, refresh=True)


@dataclass(frozen=True, slots=True)
class _OnShow:
    """One code, and when its time is over by the clock of the event loop."""

    code: QRCode
    drawings: tuple[Drawing, ...]
    seconds: float
    ends_at: float

    def countdown(self) -> Countdown:
        left = max(0.0, self.ends_at - anyio.current_time())
        return Countdown.of(self.code, left=left, total=self.seconds)

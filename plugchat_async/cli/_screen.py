"""Where codes are shown while they change: redrawn in place on a terminal, else line by line."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import anyio
import typer
from rich.live import Live

from ._drawing import Drawing, is_encodable
from ._page import Countdown, Page
from ._texts import texts

if TYPE_CHECKING:
    from rich.console import Console

    from plugchat_async import QRCode

_SECONDS_BETWEEN_LOOKS = 0.1


class Screen(Protocol):
    """Show one code at a time, and a note about it."""

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        """Show a code that will be replaced, or expire, in `seconds`."""
        ...

    def note(self, note: str) -> None:
        """Say something else about the same code."""
        ...


def open_screen(console: Console, *, heading: str) -> AbstractAsyncContextManager[Screen]:
    """Open the screen that suits the console; leaving it leaves the terminal as it was."""
    if not console.is_terminal or console.is_dumb_terminal or not is_encodable(console):
        return _Lines(console, heading)
    # The terminal's second page keeps nothing stale, and nothing torn when it is resized.
    return _Pages(Live(console=console, screen=True, auto_refresh=False), heading)


class _Lines(AbstractAsyncContextManager["_Lines"]):
    """Write codes and notes one after the other, without escape sequences."""

    def __init__(self, console: Console, heading: str) -> None:
        self._console = console
        self._heading = heading

    async def __aenter__(self) -> Self:
        typer.echo(self._heading)
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Do nothing: what was written stays."""

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        countdown = Countdown.of(code, total=seconds, left=seconds)
        typer.echo(f"\n{countdown.place}, {countdown.lifetime}.")
        if is_encodable(self._console):
            typer.echo(Drawing(code, self._console).text)
        else:
            typer.echo(texts().not_encodable.happened.format(encoding=self._console.encoding))
        typer.echo(note)

    def note(self, note: str) -> None:
        typer.echo(note)


class _Pages(AbstractAsyncContextManager["_Pages"]):
    """Fill the terminal, and draw it anew when a person could see a difference."""

    def __init__(self, live: Live, heading: str) -> None:
        self._live = live
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
        drawing = Drawing(code, self._live.console)
        self._on_show = _OnShow(code, drawing, seconds, anyio.current_time() + seconds)
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
        shown = self._on_show
        page = Page(
            heading=self._heading,
            drawing=None if shown is None else shown.drawing,
            countdown=None if shown is None else shown.countdown(),
            note=self._note,
            size=self._live.console.size,
        )
        if page != self._drawn:
            self._drawn = page
            self._live.update(page, refresh=True)


@dataclass(frozen=True, slots=True)
class _OnShow:
    """One code, and when its time is over by the clock of the event loop."""

    code: QRCode
    drawing: Drawing
    seconds: float
    ends_at: float

    def countdown(self) -> Countdown:
        left = max(0.0, self.ends_at - anyio.current_time())
        return Countdown.of(self.code, left=left, total=self.seconds)

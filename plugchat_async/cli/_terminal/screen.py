"""Current codes on the screen: redrawn in place on a terminal, else line by line."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias

import anyio
import typer
from rich.console import Console
from rich.live import Live

from plugchat_async.cli._output.json_lines import print_json
from plugchat_async.cli._output.stderr import say
from plugchat_async.cli._texts import text

from .canvas import ROWS_AROUND, with_few_words
from .layout import Countdown, Layout

if TYPE_CHECKING:
    from plugchat_async import QRCode

    from .canvas import Canvas
    from .drawing import Drawing
    from .window import Size

_SECONDS_BETWEEN_LOOKS = 0.1


class Events:
    """Codes and notes as events, for a program that has no window."""

    async def wait_for_room(self) -> None:
        """Return once a code can be shown.

        Raises:
            Failure: The window has no room, and nobody could see it wait.
        """

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        """Show a code with its payload that will be replaced, or expire, in `seconds`."""
        print_json(event="code", **code.model_dump(mode="json"), shown_for=seconds)
        self.note(note)

    def note(self, note: str) -> None:
        """Show another note about the same code."""
        if note:
            say(note)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Codes and notes one after the other, without escape sequences that move the cursor."""

    canvas: Canvas
    ways: str

    async def wait_for_room(self) -> None:
        self.canvas.check_room(self.ways)

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        countdown = Countdown.of(code, total=seconds, left=seconds)
        typer.echo(f"\n{countdown.place}, {countdown.lifetime}.")
        drawings = self.canvas.draw(code)
        rows = ROWS_AROUND + note.count("\n")
        if drawing := self.canvas.fitting(drawings, rows):
            typer.echo(drawing.text)
        else:
            needed = with_few_words(drawings[-1].size, rows)
            typer.echo(text("screen.too_small"))
            typer.echo(text("screen.enlarge", needed=needed, window=self.canvas.window.size))
            if self.ways:
                typer.echo(text("screen.elsewhere", ways=self.ways))
        self.note(note)

    def note(self, note: str) -> None:
        if note:
            typer.echo(note)


class _Pages(AbstractAsyncContextManager["_Pages"]):
    """Pages that fill the terminal, drawn again when they would look different."""

    def __init__(self, canvas: Canvas, heading: str, ways: str) -> None:
        self._canvas = canvas
        self._heading = heading
        self._ways = ways
        # The terminal's second page keeps nothing stale, and nothing torn when it is resized.
        console = Console(force_terminal=True, highlight=False)
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._tasks = anyio.create_task_group()
        self._note = text("screen.asking")
        self._code: QRCode | None = None
        self._drawings: tuple[Drawing, ...] = ()
        self._seconds = self._ends_at = 0.0
        self._needed: Size | None = None
        self._drawn: Layout | None = None

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

    async def wait_for_room(self) -> None:
        while not self._canvas.has_room():
            self._needed = self._canvas.foreseen_sizes[-1]
            self.note(text("screen.waiting"))
            await anyio.sleep(_SECONDS_BETWEEN_LOOKS)
        self._needed = None
        self.note(text("screen.asking"))

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        self._code, self._drawings = code, self._canvas.draw(code)
        self._needed = self._drawings[-1].size
        self._seconds, self._ends_at = seconds, anyio.current_time() + seconds
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
        if self._code is not None and self._code.is_expired:
            # The next one is late, and this one has expired.
            self._code, self._drawings, self._needed = None, (), None
            self._note = text("screen.asking")
        code, left = self._code, max(0.0, self._ends_at - anyio.current_time())
        countdown = None if code is None else Countdown.of(code, left=left, total=self._seconds)
        layout = Layout(
            heading=self._heading,
            drawings=self._drawings,
            needed=self._needed,
            countdown=countdown,
            note=self._note,
            ways=self._ways,
            size=self._canvas.window.size,
        )
        if layout != self._drawn:
            self._drawn = layout
            # Rich would keep to the size of the start if `COLUMNS` and `LINES` told it.
            self._live.console.size = layout.size
            self._live.update(layout, refresh=True)


Screen: TypeAlias = Events | _Lines | _Pages


def open_screen(
    canvas: Canvas, *, heading: str, ways: str = ""
) -> AbstractAsyncContextManager[Screen]:
    """Open the screen that suits the window; leaving it leaves the terminal unchanged.

    It names other ways to get a code if the window is too small for it.
    """
    if canvas.window.is_redrawn:
        return _Pages(canvas, heading, ways)
    typer.echo(heading)
    return nullcontext(_Lines(canvas, ways))

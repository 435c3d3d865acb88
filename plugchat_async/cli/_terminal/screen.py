"""Current codes on the screen: redrawn in place on a terminal, else line by line."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias

import anyio
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live

from plugchat_async.cli._output.json_lines import print_json
from plugchat_async.cli._output.stderr import say
from plugchat_async.cli._texts import text

from .canvas import COLUMNS_AROUND, ROWS_AROUND, with_few_words
from .layout import Countdown, Layout

if TYPE_CHECKING:
    from plugchat_async import QRCode

    from .canvas import Canvas
    from .drawing import Drawing

SECONDS_BETWEEN_LOOKS = 0.1


class Events:
    """Codes and notes as events, for a program that has no window."""

    def has_room(self) -> bool:
        """Return whether the next code can be shown."""
        return True

    def ask_for_room(self) -> None:
        """Show the size that is needed, and other ways to get a code."""

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        """Show a code with its payload that will be replaced, or expire, in `seconds`."""
        print_json(event="code", **code.model_dump(mode="json"), shown_for=seconds)
        self.note(note)

    def note(self, note: str) -> None:
        """Show another note about the same code."""
        if note:
            say(note)


@dataclass(slots=True)
class _Lines:
    """Codes and notes one after the other, without escape sequences that move the cursor."""

    canvas: Canvas
    ways: tuple[str, ...]
    words: tuple[str, ...]
    code: QRCode | None = None
    drawings: tuple[Drawing, ...] = ()

    def has_room(self) -> bool:
        return not self.ways or self.canvas.has_room(self.drawings)

    def ask_for_room(self) -> None:
        if self.code is None:  # nobody could see it wait
            return self.canvas.check_room(*self.ways)
        self._ask_for_room(ROWS_AROUND)
        return typer.echo(text("screen.waiting"))

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        self.code, self.drawings = code, self.canvas.draw(code)
        lines = note.split("\n")
        rows = ROWS_AROUND - 1 + sum(1 + max(0, cell_len(x) - 1) // COLUMNS_AROUND for x in lines)
        drawing = self.canvas.fitting(self.drawings, rows)
        typer.echo()
        if code.round == 1:
            taken = drawing.size.rows + rows - (not note) if drawing else 0
            for line in self.canvas.words_above(self.words, taken):
                say(line)
        countdown = Countdown.of(code, total=seconds, left=seconds)
        typer.echo(f"{countdown.place}, {countdown.lifetime}.")
        if drawing:
            typer.echo(drawing.text)
        else:
            self._ask_for_room(rows)
        self.note(note)

    def note(self, note: str) -> None:
        if note:
            typer.echo(note)

    def _ask_for_room(self, rows: int) -> None:
        needed = with_few_words(self.drawings[-1].size, rows)
        typer.echo(text("screen.too_small"))
        typer.echo(text("screen.enlarge", needed=needed, window=self.canvas.window.size))
        if ways := self.canvas.other_ways(*self.ways, code=self.code):
            typer.echo(text("screen.elsewhere", ways=ways))


class _Pages(AbstractAsyncContextManager["_Pages"]):
    """Pages that fill the terminal, drawn again when they would look different."""

    def __init__(self, canvas: Canvas, heading: str, ways: tuple[str, ...]) -> None:
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

    def has_room(self) -> bool:
        return not self._ways or self._canvas.has_room(self._drawings)

    def ask_for_room(self) -> None:
        self._refresh()

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        self._code, self._drawings = code, self._canvas.draw(code)
        self._seconds, self._ends_at = seconds, anyio.current_time() + seconds
        self.note(note)

    def note(self, note: str) -> None:
        self._note = note
        self._refresh()

    async def _keep_fresh(self) -> None:
        """Follow the clock, and the size of the window."""
        while True:
            self._refresh()
            await anyio.sleep(SECONDS_BETWEEN_LOOKS)

    def _refresh(self) -> None:
        code, left = self._code, max(0.0, self._ends_at - anyio.current_time())
        if code is not None and code.is_expired:
            code = None  # the next one is late, or waits for the window
        layout = Layout(
            heading=self._heading,
            drawings=self._drawings if code else (),
            needed=self._canvas.sizes(self._drawings)[-1] if code or not self.has_room() else None,
            countdown=Countdown.of(code, left=left, total=self._seconds) if code else None,
            note=self._note if code else text("screen.asking"),
            ways=self._canvas.other_ways(*self._ways, code=self._code),
            size=self._canvas.window.size,
        )
        if layout != self._drawn:
            self._drawn = layout
            # Rich would keep to the size of the start if `COLUMNS` and `LINES` told it.
            self._live.console.size = layout.size
            self._live.update(layout, refresh=True)


Screen: TypeAlias = Events | _Lines | _Pages


def open_screen(
    canvas: Canvas, *, heading: str, ways: tuple[str, ...] = (), words: tuple[str, ...] = ()
) -> AbstractAsyncContextManager[Screen]:
    """Open the screen that suits the window; leaving it leaves the terminal unchanged.

    It names other ways to get a code if the window is too small for it. Lines have words before the
    first code, each on one row; a full screen has the steps on the phone instead.
    """
    if canvas.window.is_redrawn:
        return _Pages(canvas, heading, ways)
    typer.echo(heading)
    return nullcontext(_Lines(canvas, ways, words))

"""Current codes on the screen: redrawn in place on a terminal, else line by line."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import anyio
import typer

from plugchat_async.cli._output.events import print_event
from plugchat_async.cli._output.stderr import say
from plugchat_async.cli._texts import text

from .drawing import USUAL_PAYLOAD_SIZE, check_room, draw, drawn_sizes, fitting
from .layout import Countdown, Layout, has_layout

if TYPE_CHECKING:
    from rich.live import Live

    from plugchat_async import QRCode

    from .drawing import Drawing, Form
    from .window import Size, Window

_SECONDS_BETWEEN_LOOKS = 0.1

# A line above the code, and a note and the cursor below it.
_ROWS_AROUND = 3


def has_room(window: Window, payload_size: int, forms: tuple[Form, ...]) -> bool:
    """Return whether a window, if it is one, has room for codes of a size.

    Args:
        window: Where to show codes.
        payload_size: Characters of a code's payload.
        forms: The forms to draw in.
    """
    size, is_redrawn = window.size, window.is_redrawn
    return any(
        has_layout(drawing, size)
        if is_redrawn
        else size.has_room_for(drawing.plus(rows=_ROWS_AROUND))
        for drawing in drawn_sizes(payload_size, forms)
    )


class Screen(Protocol):
    """One code at a time, and a note about it."""

    async def wait_for_room(self) -> None:
        """Return once a code can be shown.

        Raises:
            Failure: The window has no room, and nobody could see it wait.
        """
        ...

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        """Show a code that will be replaced, or expire, in `seconds`."""
        ...

    def note(self, note: str) -> None:
        """Show another note about the same code."""
        ...


def open_screen(
    window: Window, forms: tuple[Form, ...], *, heading: str, ways: str = ""
) -> AbstractAsyncContextManager[Screen]:
    """Open the screen that suits the window; leaving it leaves the terminal unchanged.

    Args:
        window: Where to show codes.
        forms: The forms to draw them in.
        heading: The heading.
        ways: Other ways to get a code if the window is too small for it.
    """
    if window.is_redrawn:
        from rich.console import Console
        from rich.live import Live

        # The terminal's second page keeps nothing stale, and nothing torn when it is resized.
        console = Console(force_terminal=True, highlight=False)
        live = Live(console=console, screen=True, auto_refresh=False)
        elsewhere = text("screen.elsewhere", ways=ways) if ways else ""
        return _Pages(live, window, forms, heading, elsewhere)
    typer.echo(heading)
    return nullcontext(_Lines(window, forms, ways))


class Events:
    """Codes as events, for a program; a screen."""

    async def wait_for_room(self) -> None:
        """Return immediately: a program has no window."""

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        """Print a code with its payload: whoever reads it can link a phone while it is valid."""
        print_event("code", **code.model_dump(mode="json"), shown_for=seconds)
        self.note(note)

    def note(self, note: str) -> None:
        """Write it to standard error, beside the events."""
        if note:
            say(note)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Codes and notes one after the other, without escape sequences that move the cursor."""

    window: Window
    forms: tuple[Form, ...]
    ways: str

    async def wait_for_room(self) -> None:
        check_room(self.window, self.forms, rows_around=_ROWS_AROUND, ways=self.ways)

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        countdown = Countdown.of(code, total=seconds, left=seconds)
        typer.echo(f"\n{countdown.place}, {countdown.lifetime}.")
        drawings = tuple(draw(code, self.window, self.forms))
        rows_around = _ROWS_AROUND + note.count("\n")
        size = self.window.size
        drawing = fitting(drawings, size, rows_around=rows_around)
        if drawing is not None:
            typer.echo(drawing.text)
        else:
            needed = drawings[-1].size.plus(rows=rows_around)
            typer.echo(text("screen.too_small"))
            typer.echo(text("screen.enlarge", needed=needed, window=size))
            if self.ways:
                typer.echo(text("screen.elsewhere", ways=self.ways))
        self.note(note)

    def note(self, note: str) -> None:
        if note:
            typer.echo(note)


class _Pages(AbstractAsyncContextManager["_Pages"]):
    """Pages that fill the terminal, drawn again when they would look different."""

    def __init__(
        self, live: Live, window: Window, forms: tuple[Form, ...], heading: str, elsewhere: str
    ) -> None:
        self._live = live
        self._window = window
        self._forms = forms
        self._heading = heading
        self._elsewhere = elsewhere
        self._tasks = anyio.create_task_group()
        self._note = text("screen.asking")
        self._current: _Current | None = None
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
        while not has_room(self._window, USUAL_PAYLOAD_SIZE, self._forms):
            self._needed = drawn_sizes(USUAL_PAYLOAD_SIZE, self._forms)[-1]
            self.note(text("screen.waiting"))
            await anyio.sleep(_SECONDS_BETWEEN_LOOKS)
        self._needed = None
        self.note(text("screen.asking"))

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        drawings = tuple(draw(code, self._window, self._forms))
        self._needed = drawings[-1].size
        self._current = _Current(code, drawings, seconds, anyio.current_time() + seconds)
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
        if self._current is not None and self._current.code.is_expired:
            # The next one is late, and this one has expired.
            self._current = self._needed = None
            self._note = text("screen.asking")
        current = self._current
        # Rich would keep to the size of the start if `COLUMNS` and `LINES` told it.
        self._live.console.size = self._window.size
        layout = Layout(
            heading=self._heading,
            drawings=() if current is None else current.drawings,
            needed=self._needed,
            countdown=None if current is None else current.countdown(),
            note=self._note,
            elsewhere=self._elsewhere,
            size=self._window.size,
        )
        if layout != self._drawn:
            self._drawn = layout
            self._live.update(layout, refresh=True)


@dataclass(frozen=True, slots=True)
class _Current:
    """Current code, and its end by the clock of the event loop."""

    code: QRCode
    drawings: tuple[Drawing, ...]
    seconds: float
    ends_at: float

    def countdown(self) -> Countdown:
        left = max(0.0, self.ends_at - anyio.current_time())
        return Countdown.of(self.code, left=left, total=self.seconds)

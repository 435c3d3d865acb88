"""What many tests share: both event loops, in real and in virtual time, and a terminal."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import looptime
import pyte
import pytest
from blockbuster import blockbuster_ctx
from PIL import Image, ImageOps
from trio.testing import MockClock

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

pytest_plugins = ["plugchat_async.testing"]


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    # Of a shell's background jobs, and so of their children, Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)


_MAY_BLOCK = (
    # What an extra brings is imported at its first use, once a process.
    ("<frozen importlib._bootstrap>", "_find_and_load"),
    # It writes a file of some kilobytes for the one person at the terminal, alone in its loop.
    ("plugchat_async/cli/_picture.py", "show"),
    # It reads the page's files once, when a router is made: before there is anybody to wait.
    ("plugchat_async/fastapi/_page.py", "__init__"),
    # It is coverage's own lock, which a thread holds that meets a file for the first time.
    ("coverage/collector.py", "lock_data"),
)


@pytest.fixture(scope="session", autouse=True)
def _guarded_loop() -> Iterator[None]:
    """Let every call by which the package would hold up asyncio's loop raise a BlockingError."""
    with blockbuster_ctx("plugchat_async") as guard:
        for blocking in guard.functions.values():
            for module, function in _MAY_BLOCK:
                blocking.can_block_in(module, function)
        yield


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run a test on both event loops."""
    return request.param, {}


def _loop_in_virtual_time() -> asyncio.AbstractEventLoop:
    return looptime.new_event_loop(start=0, idle_timeout=1)


@pytest.fixture(params=["asyncio", "trio"])
def virtual_time(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run a test on both event loops with clocks that jump; a module makes it its backend."""
    if request.param == "trio":
        return "trio", {"clock": MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": _loop_in_virtual_time}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PLUGCHAT_TOKEN", "PLUGCHAT_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)


# Shades of grey: ink and paper of a theme, and the colours that codes are drawn in.
_THEMES = {"dark": (229, 0), "light": (0, 255)}
_SHADES = {"black": 0, "white": 205, "brightwhite": 255}
_HALVES = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}


@pytest.fixture(scope="session")
def paint_terminal() -> Callable[..., Image.Image]:
    """Give a terminal that obeys escape sequences and paints what a camera would see.

    Call it with the text that a program wrote, and by name `columns` and `theme`.
    """
    return _paint_terminal


def _paint_terminal(text: str, *, columns: int = 200, theme: str = "dark") -> Image.Image:
    screen = pyte.Screen(columns, text.count("\n") + 1)
    screen.set_mode(pyte.modes.LNM)
    pyte.Stream(screen).feed(text)
    ink, paper = _THEMES[theme]
    shades = bytearray()
    for row in range(screen.lines):
        cells = [screen.buffer[row][column] for column in range(columns)]
        for half in (0, 1):
            for cell in cells:
                # Letters count as ink: one beside a code must not touch it.
                is_inked = _HALVES.get(cell.data, (True, True))[half]
                colour, default = (cell.fg, ink) if is_inked else (cell.bg, paper)
                shades.append(default if colour == "default" else _SHADES.get(colour, 128))
    picture = Image.frombytes("L", (columns, 2 * screen.lines), bytes(shades))
    return ImageOps.expand(ImageOps.scale(picture, 4, Image.Resampling.NEAREST), 16, paper)

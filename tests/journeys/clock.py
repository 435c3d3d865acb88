"""The event loops' clocks, which run in real time and can be moved forward: no wait is waited for.

Over sockets a clock must not jump by itself: a loop can't tell a stalled server from a slow one.
"""

from __future__ import annotations

import asyncio
from typing import Any

import sniffio
import trio.lowlevel
from trio.testing import MockClock


class JumpingLoop(asyncio.SelectorEventLoop):
    """Event loop of asyncio whose clock can be moved forward."""

    _ahead = 0.0

    def time(self) -> float:
        """Return the loop's time, in seconds."""
        return super().time() + self._ahead

    def jump(self, seconds: float) -> None:
        """Move the clock forward."""
        self._ahead += seconds


def jumping(backend: str) -> tuple[str, dict[str, Any]]:
    """Return a backend for anyio whose clock can be moved forward."""
    if backend == "trio":
        return "trio", {"clock": MockClock(rate=1)}
    return "asyncio", {"loop_factory": JumpingLoop}


def jump(seconds: float) -> None:
    """Move the running loop's clock forward."""
    is_trio = sniffio.current_async_library() == "trio"
    clock = trio.lowlevel.current_clock() if is_trio else asyncio.get_running_loop()
    assert isinstance(clock, MockClock | JumpingLoop)
    clock.jump(seconds)

"""The event loop of a command, which Ctrl-C ends."""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

# What sends a signal to a process often sends it to the process's group as well.
_SECONDS_OF_ONE_INTERRUPTION = 1.0


def run(function: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """Run an async function until it returns or is interrupted.

    A signal that follows another one closely counts as the same: it would be raised in the middle
    of the clean-up, which may then wait for a thread without end.

    Raises:
        KeyboardInterrupt: A signal came; what is to be cleaned up has been.
    """

    async def run_interruptibly() -> T:
        # The event loop's own handler, which is set by now, cancels at the first signal.
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            signal.signal(signal.SIGINT, _once(handler))
        _hold_back(signals=False)
        return await function(*arguments)

    if threading.current_thread() is not threading.main_thread():  # which gets all signals
        return anyio.run(function, *arguments)
    before = signal.getsignal(signal.SIGINT)
    # An event loop that is interrupted while it is made complains when it is collected.
    _hold_back(signals=True)
    try:
        return anyio.run(run_interruptibly)
    finally:
        signal.signal(signal.SIGINT, before)
        _hold_back(signals=False)


def _hold_back(*, signals: bool) -> None:
    if sys.platform != "win32":  # pragma: no branch - coverage is measured on Linux
        how = signal.SIG_BLOCK if signals else signal.SIG_UNBLOCK
        signal.pthread_sigmask(how, {signal.SIGINT})


def _once(handler: Callable[..., object]) -> Callable[..., None]:
    handles_again_at = 0.0

    def handle(*signal: object) -> None:
        nonlocal handles_again_at
        now = time.monotonic()
        if now >= handles_again_at:
            handles_again_at = now + _SECONDS_OF_ONE_INTERRUPTION
            handler(*signal)

    return handle

"""Learning that the server was told to stop, while its event streams are still open.

Servers wait for open responses before they send the lifespan message of ASGI, so that only the
signal comes in time. uvicorn once passed it on to open streams, and took that back:
https://github.com/Kludex/uvicorn/pull/2913

When uvicorn stops by itself, as after `limit_max_requests`, there is no signal either. Then its
`Server.shutdown()` is the only one to know: nothing calls the app before it waits.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol, cast

import anyio
from anyio import from_thread
from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from types import FrameType

    from anyio.lowlevel import EventLoopToken

    class _Server(Protocol):
        shutdown: Callable[..., Awaitable[None]]


# SIGBREAK is that of Windows.
_NAMES: Final = ("SIGINT", "SIGTERM", "SIGBREAK")
SIGNALS: Final = [each for each in signal.Signals if each.name in _NAMES]

_listeners: dict[Stopping, EventLoopToken] = {}


class Stopping:
    """Whether the server was told to stop, as the event streams of one router need to know."""

    def __init__(self) -> None:
        self._users = 0
        self._is_told = False
        self._waiting: set[anyio.CancelScope] = set()

    @property
    def is_told(self) -> bool:
        """Whether the server was told to stop."""
        return self._is_told

    @contextmanager
    def listening(self) -> Generator[None]:
        """Listen for signals until the block ends; the handlers of the server are called as well.

        Signals arrive in the main thread: an event loop in another thread learns nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        if self._users == 0:
            self._is_told = False
            _listeners[self] = current_token()
        self._users += 1
        _chain_handlers()
        _chain_shutdown()
        try:
            yield
        finally:
            self._users -= 1
            if self._users == 0:
                del _listeners[self]
                _restore_shutdown()
                _restore_handlers()

    @contextmanager
    def cancelling(self, scope: anyio.CancelScope) -> Generator[None]:
        """Cancel a scope if the server is told to stop before the block ends, or was already."""
        if self._is_told:
            scope.cancel()
        self._waiting.add(scope)
        try:
            yield
        finally:
            self._waiting.discard(scope)

    def tell(self) -> None:
        """Let go of all that waits, in its event loop."""
        self._is_told = True
        for scope in self._waiting:
            scope.cancel()


class _Handler:
    """Handler of a signal that calls the one before it."""

    def __init__(self, previous: Callable[[int, FrameType | None], object]) -> None:
        self.previous = previous
        # sse-starlette looks for uvicorn's server at the handler that uvicorn installed:
        # https://github.com/sysid/sse-starlette/pull/151
        self.__self__ = getattr(previous, "__self__", None)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        try:
            if _listeners:
                # A handler may interrupt the event loop anywhere, so it must not touch it.
                told = threading.Thread(target=_tell, args=(dict(_listeners),), daemon=True)
                told.start()
        finally:
            self.previous(number, frame)


def _tell(listeners: dict[Stopping, EventLoopToken]) -> None:
    for stopping, event_loop in listeners.items():
        with suppress(RuntimeError):  # the event loop is over, and so are its streams
            from_thread.run_sync(stopping.tell, token=event_loop)


def _chain_handlers() -> None:
    for number in SIGNALS:
        previous = signal.getsignal(number)
        # Without a handler, the signal ends the process or is ignored: nobody stops anything.
        if callable(previous) and not isinstance(previous, _Handler):
            signal.signal(number, _Handler(previous))


def _restore_handlers() -> None:
    for number in SIGNALS:
        current = signal.getsignal(number)
        # A handler installed later may call this one, which does nothing by itself any more.
        if isinstance(current, _Handler) and not _listeners:
            signal.signal(number, current.previous)


class _Shutdown:
    """Shutdown of uvicorn's server that lets go of its streams first."""

    def __init__(self, previous: Callable[..., Awaitable[None]]) -> None:
        self.previous = previous

    async def __call__(self, *arguments: object, **options: object) -> None:
        for stopping, event_loop in _listeners.items():
            if event_loop == current_token():
                stopping.tell()
        await self.previous(*arguments, **options)


def _chain_shutdown() -> None:
    server = _uvicorn_server()
    if server is not None and not isinstance(server.shutdown, _Shutdown):
        server.shutdown = _Shutdown(server.shutdown)


def _restore_shutdown() -> None:
    server = _uvicorn_server()
    if server is not None and isinstance(server.shutdown, _Shutdown) and not _listeners:
        server.shutdown = server.shutdown.previous


def _uvicorn_server() -> _Server | None:
    """Return the server whose handler hears the signals, if it is uvicorn's."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    kinds = {each.__module__ for each in type(server).__mro__}
    return cast("_Server", server) if "uvicorn.server" in kinds else None

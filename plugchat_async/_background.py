"""Tasks that belong to nobody else: what one task opens, another may close."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any, Protocol, cast

import anyio
import sniffio
from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    class _EventLoop(Protocol):
        def create_task(self, coroutine: Coroutine[Any, Any, None]) -> object: ...


class BackgroundTasks:
    """A task group in a separate task, so that no cancel scope of its users encloses it."""

    def __init__(self) -> None:
        self._tasks = anyio.create_task_group()
        self._opened = anyio.Event()
        self._closing = anyio.Event()
        self._closed = anyio.Event()
        self._host: object = None

    @property
    def is_open(self) -> bool:
        """Whether tasks can be started."""
        return not (self._closing.is_set() or self._closed.is_set())

    async def open(self) -> None:
        """Begin to accept tasks."""
        # An event loop forgets a task that nobody holds.
        self._host = start_task(self._run)
        try:
            await self._opened.wait()
        except BaseException:  # a cancellation, too, must leave no task behind
            self._closing.set()
            raise

    def start_soon(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start a task, which must raise nothing: nobody would hear of it."""
        self._tasks.start_soon(run)

    async def close(self, within: float) -> None:
        """Wait until all tasks have ended by themselves, and cancel them after some seconds."""
        self._closing.set()
        with anyio.move_on_after(within, shield=True):
            await self._closed.wait()
        self._tasks.cancel_scope.cancel()

    async def _run(self) -> None:
        try:
            async with self._tasks:
                self._opened.set()
                await self._closing.wait()
        finally:
            self._closed.set()


def start_task(run: Callable[[], Coroutine[Any, Any, None]]) -> object:
    """Start a task outside of any task group, and return it: an event loop may forget it.

    An exception that leaves it ends trio's event loop; on asyncio, only those that end any do.
    """
    # anyio has no task outside of a task group: https://github.com/agronholm/anyio/issues/457
    if sniffio.current_async_library() == "trio":
        import trio

        return trio.lowlevel.spawn_system_task(run, context=contextvars.copy_context())
    return cast("_EventLoop", current_token().native_token).create_task(run())

"""The stream of events of one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import anyio
from fastapi.sse import KEEPALIVE_COMMENT
from starlette.responses import StreamingResponse

from ._events import encoded_event, is_ending

if TYPE_CHECKING:
    from plugchat_async import PairingHub, Watcher

    from ._events import Drawings
    from ._stopping import Stopping

# A login may run out while a page is open: each new stream has to pass `dependencies` again.
_MAX_SECONDS = 300

# As FastAPI's: proxies close what is silent for longer.
_KEEPALIVE_SECONDS = 15


class EventStreamResponse(StreamingResponse):
    """Response that is a stream of server-sent events.

    FastAPI's own runs two tasks for each stream, and encodes each event for each viewer.
    """

    media_type = "text/event-stream"


class EventStream:
    """Iterator over the encoded events of a watcher, up to an ending.

    Args:
        watcher: The watcher, which was entered.
        hub: Its hub.
        drawings: The drawings of codes.
        stopping: Whether the server was told to stop.
    """

    def __init__(
        self, watcher: Watcher, hub: PairingHub, drawings: Drawings, stopping: Stopping
    ) -> None:
        self._watcher = watcher
        self._interval = hub.interval
        self._drawings = drawings
        self._stopping = stopping
        self._ends_at = anyio.current_time() + _MAX_SECONDS
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._is_over:
            raise StopAsyncIteration
        keepalive_at = anyio.current_time() + _KEEPALIVE_SECONDS
        told = await self._stopping.unless_told(
            anext(self._watcher, False), min(keepalive_at, self._ends_at)
        )
        if isinstance(told, bool):  # the hub is closed
            raise StopAsyncIteration
        if told is not None:
            self._is_over = is_ending(told)
            return await encoded_event(
                told, self._watcher.version, self._drawings, interval=self._interval
            )
        if self._stopping.is_told or self._ends_at <= keepalive_at:
            raise StopAsyncIteration
        return KEEPALIVE_COMMENT

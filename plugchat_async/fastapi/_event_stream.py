"""The stream of events of one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from fastapi.sse import KEEPALIVE_COMMENT
from starlette.responses import StreamingResponse

from ._events import is_ending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import Send

    from plugchat_async import PairingHub, Watcher

    from ._encoded_events import EncodedEvent, EncodedEvents
    from ._stopping import Stopping

# A login may run out while a page is open: each new stream has to pass `dependencies` again.
_MAX_SECONDS = 300

# As FastAPI's: proxies close what is silent for longer.
_KEEPALIVE_SECONDS = 15


class EventStream:
    """The encoded events of a watcher, up to an ending.

    Args:
        watcher: The watcher, which was entered.
        hub: Its hub.
        events: The encoded events.
        stopping: Whether the server was told to stop.
    """

    def __init__(
        self, watcher: Watcher, hub: PairingHub, events: EncodedEvents, stopping: Stopping
    ) -> None:
        self._watcher = watcher
        self._interval = hub.interval
        self._events = events
        self._event: EncodedEvent | None = None
        self._sent = ""
        self._stopping = stopping
        self._ends_at = anyio.current_time() + _MAX_SECONDS

    async def run(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Send events until the stream is over.

        Args:
            send: Sends a part of the response. If it is interrupted, that event is sent again.
        """
        while True:
            # One scope for many events: each costs as much as sending one.
            with anyio.CancelScope(deadline=self._silent_until()) as scope:
                with self._stopping.cancelling(scope):
                    await self._send_states(send, scope)
                return
            if self._stopping.is_told or anyio.current_time() >= self._ends_at:
                return
            self._watcher.version = self._sent
            await send(KEEPALIVE_COMMENT)

    async def _send_states(
        self, send: Callable[[bytes], Awaitable[None]], scope: anyio.CancelScope
    ) -> None:
        async for state in self._watcher:
            version = self._watcher.version
            self._event = self._events.of(state, version, interval=self._interval)
            await send(await self._event.encoded())
            self._sent = version
            if is_ending(state):
                return
            scope.deadline = self._silent_until()

    def _silent_until(self) -> float:
        return min(anyio.current_time() + _KEEPALIVE_SECONDS, self._ends_at)


class EventStreamResponse(StreamingResponse):
    """Response that is a stream of server-sent events.

    FastAPI's own runs two tasks for each stream, and encodes each event for each viewer.
    """

    media_type = "text/event-stream"

    def __init__(
        self, stream: EventStream, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__((), status_code, headers)
        self._stream = stream

    async def stream_response(self, send: Send) -> None:
        """Send the whole response."""

        async def send_part(body: bytes, *, is_last: bool = False) -> None:
            await send({"type": "http.response.body", "body": body, "more_body": not is_last})

        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        await self._stream.run(send_part)
        await send_part(b"", is_last=True)

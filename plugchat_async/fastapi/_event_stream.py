"""The stream of events of one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from fastapi.sse import KEEPALIVE_COMMENT
from starlette.responses import StreamingResponse

from ._events import is_ending

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Message, Send

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

    async def run(self, send: Send) -> None:
        """Send events until the stream is over.

        Args:
            send: Sends a part of the response. If it is interrupted, that event is sent again.
        """
        while True:
            keepalive_at = min(anyio.current_time() + _KEEPALIVE_SECONDS, self._ends_at)
            # One scope for many events: each costs as much as sending one.
            with anyio.CancelScope(deadline=keepalive_at) as scope:
                with self._stopping.cancelling(scope):
                    await self._send_states(send, scope)
                return
            if self._stopping.is_told or anyio.current_time() >= self._ends_at:
                return
            self._watcher.version = self._sent
            await send(_part(KEEPALIVE_COMMENT))

    async def _send_states(self, send: Send, scope: anyio.CancelScope) -> None:
        async for state in self._watcher:
            version, now = self._watcher.version, anyio.current_time()
            self._event = self._events.of(state, version, interval=self._interval)
            await send(_part(await self._event.encoded(now)))
            self._sent = version
            if is_ending(state):
                return
            # Seldom, since that costs as well: a comment may come before it has to.
            if scope.deadline < now + _KEEPALIVE_SECONDS / 2:
                scope.deadline = min(now + _KEEPALIVE_SECONDS, self._ends_at)


class EventStreamResponse(StreamingResponse):
    """Response that is a stream of server-sent events.

    FastAPI's own runs two tasks for each stream, and encodes each event for each watcher.
    """

    media_type = "text/event-stream"

    def __init__(
        self, stream: EventStream, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__((), status_code, headers)
        self._stream = stream

    async def stream_response(self, send: Send) -> None:
        """Send the whole response."""
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        await self._stream.run(send)
        await send(_part(b"", more_body=False))


def _part(body: bytes, *, more_body: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more_body}

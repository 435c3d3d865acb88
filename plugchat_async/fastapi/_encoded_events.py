"""Events as they are sent: each is encoded once for all who watch at that moment."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import anyio
from fastapi.sse import format_sse_event

from ._events import event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugchat_async import PairingState

    from ._events import Drawings, PairingEvent

# Seconds for which all watchers of a state are sent the same bytes, in which time is told.
_MAX_AGE = 0.1


class EncodedEvents:
    """The events of all sessions that the streams of a router tell.

    Args:
        drawings: The drawings of codes.
    """

    def __init__(self, drawings: Drawings) -> None:
        self._drawings = drawings
        # An event that no stream refers to any more takes its drawing with it.
        self._events: WeakValueDictionary[str, EncodedEvent] = WeakValueDictionary()

    def of(self, state: PairingState, version: str, *, interval: float) -> EncodedEvent:
        """Return the event of a state.

        Args:
            state: The state.
            version: Identifier of the state, as `Watcher.version`.
            interval: Seconds from one code to the next, as `PairingHub.interval`.
        """
        encoded = self._events.get(version)
        if encoded is None:
            describe = partial(event, state, version, self._drawings, interval=interval)
            encoded = self._events[version] = EncodedEvent(describe)
        return encoded


class EncodedEvent:
    """The event of one state."""

    def __init__(self, describe: Callable[[], Awaitable[PairingEvent]]) -> None:
        self._describe = describe
        self._encoded = b""
        self._encoded_at = -math.inf
        self._is_encoded: anyio.Event | None = None

    async def encoded(self, now: float) -> bytes:
        """Return it as it is now, by the event loop's clock in seconds."""
        while now - self._encoded_at >= _MAX_AGE:
            # An event wakes all watchers together; a lock, one in each turn of the event loop.
            if self._is_encoded is not None:
                await self._is_encoded.wait()
                continue
            self._is_encoded = anyio.Event()
            try:
                self._encoded = _encode(await self._describe())
                self._encoded_at = anyio.current_time()
            finally:
                self._is_encoded.set()
                self._is_encoded = None
        return self._encoded


def _encode(told: PairingEvent) -> bytes:
    return format_sse_event(
        data_str=told.data.model_dump_json(), event=told.event, id=told.id, retry=told.retry
    )

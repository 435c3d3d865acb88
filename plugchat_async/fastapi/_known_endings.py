"""Browsers that connect again by themselves after an ending, which they know already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ._events import ending_id, event_id, is_ending

if TYPE_CHECKING:
    from plugchat_async import AsyncPlugChat, PairingHub

# A browser connects again after a second, or somewhat later over a slow network. If the ending was
# forgotten by then, it would begin a session, be told the next ending, and so on.
_RECONNECTS_WITHIN = 10.0


class KnownEndings:
    """The endings that a router has told, for as long as a browser may come back with them."""

    def __init__(self) -> None:
        self._told: dict[bytes, tuple[str, float]] = {}

    def add(self, client: AsyncPlugChat, version: str) -> None:
        """Note that a stream is over.

        Args:
            client: A client for the instance.
            version: Identifier of the state that it told last, as `Watcher.version`.
        """
        key, now = client.instance_key, anyio.current_time()
        self._told.pop(key, None)
        self._told[key] = ending_id(version), now + _RECONNECTS_WITHIN
        while (oldest := next(iter(self._told))) != key and self._told[oldest][1] < now:
            del self._told[oldest]

    async def include(self, hub: PairingHub, client: AsyncPlugChat, last_event_id: str) -> bool:
        """Return whether a browser would be told nothing but the ending that it knows.

        Args:
            hub: The hub.
            client: A client for the instance.
            last_event_id: The header `Last-Event-ID`; empty if there was none.
        """
        if not last_event_id.startswith(ending_id("")):
            return False
        state = await hub.state(client)
        if state is None:
            told, until = self._told.get(client.instance_key, ("", 0.0))
            return told == last_event_id and anyio.current_time() < until
        if not is_ending(state):
            return False
        async with hub.watch(client) as watcher:
            return event_id(await anext(watcher), watcher.version) == last_event_id

"""The hub over a store in memory: one process of several that a test plays in virtual time."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from plugchat_async.redis import RedisPairingHub

from .memory_store import MemoryServer, MemoryStore

if TYPE_CHECKING:
    from plugchat_async._end_hook import OnEnd

SECRET = "s" * 32

_numbers = count(1)


class MemoryHub(RedisPairingHub):
    """Hub of one process.

    Attributes:
        store: Its way to the server.
    """

    def __init__(
        self,
        server: MemoryServer | None = None,
        *,
        secret: str | list[str] = SECRET,
        interval: float = 15.0,
        max_rounds: int = 3,
        status_interval: float | None = 2.0,
        linger: float = 2.0,
        max_watchers: int | None = None,
        on_end: OnEnd | None = None,
        on_end_timeout: float = 10.0,
    ) -> None:
        super().__init__(
            "redis://localhost",
            secret=secret,
            interval=interval,
            max_rounds=max_rounds,
            status_interval=status_interval,
            linger=linger,
            max_watchers=max_watchers,
            on_end=on_end,
            on_end_timeout=on_end_timeout,
        )
        # There is no public way to another store, which nobody but a test would need.
        server = server or MemoryServer(keeps_history=False)
        self.store = self._store = MemoryStore(server, f"P{next(_numbers)}")

"""One poller, many watchers.

Each new code may kill the one before, so that two pollers on one instance fight: two tabs of a
browser are enough. The hub runs one session for an instance, whoever watches.
"""

from __future__ import annotations

import copy
import logging
from functools import partial
from typing import TYPE_CHECKING, Protocol, Self

from . import _arguments
from ._background import BackgroundTasks
from ._client import AsyncPlugChat
from ._end_hook import EndHook
from ._poller import Poller
from ._schedule import DEFAULT_INTERVAL, DEFAULT_MAX_ROUNDS, DEFAULT_STATUS_INTERVAL, Schedule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from types import TracebackType

    import anyio

    from ._end_hook import OnEnd
    from ._pairing_state import PairingState

logger = logging.getLogger("plugchat_async")

# Seconds for the clean-up of requests under way.
_CLOSING_TIME = 2.0

_CLOSED = "this hub is closed, or was never entered: use it as `async with PairingHub() as hub`"


class TooManyWatchers(RuntimeError):
    """Raised when an instance has as many watchers as the hub allows."""


class PairingHub:
    """One session for each instance, for any number of watchers, in an app's lifespan.

    Args:
        interval: Seconds from one code to the next, more than 0 and at most 20.
        max_rounds: The most codes that a session requests, at least 1.
        status_interval: Seconds from one request of `/status` to the next; None for none.
        linger: Seconds from the last watcher's leaving until no more code is requested, 0 or
            more, so that a reload requests no new code. `/status` is still requested until 10 s
            after the current code has expired, unless `status_interval` is None.
        max_watchers: How many watchers one instance may have, at least 1; None for no limit.
        on_end: Called with the client and a `PairingEnd`, once for each session, whether anybody
            watches or not, before a watcher is told; an async function, or a plain one, which
            runs in the event loop and must not block. Leave the hub before the loop ends: asyncio
            cancels a call that is under way then.
        on_end_timeout: Seconds for one call of `on_end`, more than 0. Then it is cancelled, and
            watchers are told, even if it goes on.

    Raises:
        ValueError: An argument is out of range.
        TypeError: An argument is of the wrong type.
    """

    def __init__(
        self,
        *,
        interval: float = DEFAULT_INTERVAL,
        max_rounds: int = DEFAULT_MAX_ROUNDS,
        status_interval: float | None = DEFAULT_STATUS_INTERVAL,
        linger: float = 2.0,
        max_watchers: int | None = None,
        on_end: OnEnd | None = None,
        on_end_timeout: float = 10.0,
    ) -> None:
        self._schedule = Schedule(interval, max_rounds, status_interval)
        self._linger = _arguments.check_seconds("linger", linger, may_be_zero=True)
        if max_watchers is not None:
            max_watchers = _arguments.check_count("max_watchers", max_watchers, at_least=1)
        self._max_watchers = max_watchers
        if on_end is not None and not callable(on_end):
            raise TypeError(f"on_end must be callable, not {type(on_end).__name__}")
        self._on_end = on_end
        self._on_end_timeout = _arguments.check_seconds("on_end_timeout", on_end_timeout)
        self._pollers: dict[bytes, Poller] = {}
        self._tasks: BackgroundTasks | None = None

    async def __aenter__(self) -> Self:
        if self._is_open:
            raise RuntimeError("this hub is open already: enter it once, and share it")
        self._pollers = {}
        self._hook = EndHook(self._on_end, self._on_end_timeout)
        self._tasks = BackgroundTasks()
        await self._tasks.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks, self._tasks = self._tasks, None
        if tasks is None:
            raise RuntimeError(_CLOSED)
        if not tasks.is_open:  # they have ended with their event loop
            return
        self._hook.hurry()
        for poller in self._pollers.values():
            poller.close()
        self._pollers.clear()
        await tasks.close(within=self._on_end_timeout + _CLOSING_TIME)

    @property
    def interval(self) -> float:
        """Seconds from one code to the next."""
        return self._schedule.interval

    @property
    def linger(self) -> float:
        """Seconds from the last watcher's leaving until no more code is requested."""
        return self._linger

    def __repr__(self) -> str:
        watched = self._watched()
        watchers = sum(len(each.clients) for each in watched)
        return f"<{type(self).__name__}: {len(watched)} sessions, {watchers} watchers>"

    def watch(self, client: AsyncPlugChat) -> Watcher:
        """Watch the session of a client's instance, and start it if nobody does yet.

        Args:
            client: A client for the instance. One made by `for_token()` may be closed right away;
                one that owns its connections must stay open while the hub uses it.

        Returns:
            A context manager that gives an asynchronous iterator of states: the present one
            immediately, then each later one. A slow watcher sees the latest, and none in between.
            The iterator ends when the hub is closed, not when the session is over, since somebody
            may restart it.

        Raises:
            RuntimeError: The hub is closed.
            TypeError: `client` is not an AsyncPlugChat.
            TooManyWatchers: On entering, the instance has `max_watchers` already.
        """
        self._tasks_for(client)
        return Watcher(self._join, copy.copy(client))

    async def state(self, client: AsyncPlugChat) -> PairingState | None:
        """Return the current state without watching: it starts nothing, and does not count.

        Args:
            client: A client for the instance.

        Returns:
            What a watcher who comes now would see; None if there is no session.

        Raises:
            RuntimeError: The hub is closed.
            TypeError: `client` is not an AsyncPlugChat.
        """
        self._tasks_for(client)
        poller = self._pollers.get(client.instance_key)
        return None if poller is None or poller.is_over else poller.present

    async def restart(self, client: AsyncPlugChat) -> None:
        """Start another session after one has ended; before that, do nothing.

        It does nothing before the `retry_at` of a `Failed` session, either.

        Args:
            client: A client for the instance, which may be closed afterwards.

        Raises:
            RuntimeError: The hub is closed.
            TypeError: `client` is not an AsyncPlugChat.
        """
        self._tasks_for(client)
        poller = self._pollers.get(client.instance_key)
        if poller is not None:
            poller.restart()

    async def _join(self, client: AsyncPlugChat) -> Watched:
        tasks = self._tasks_for(client)
        key = client.instance_key
        poller = self._pollers.get(key)
        if poller is None or poller.is_over:
            poller = self._pollers[key] = Poller(self._schedule, self._linger, self._hook)
            poller.join(client)
            tasks.start_soon(partial(self._run, key, poller))
            return poller
        if self._max_watchers is not None and len(poller.clients) >= self._max_watchers:
            raise self._too_many_watchers()
        poller.join(client)
        return poller

    def _too_many_watchers(self) -> TooManyWatchers:
        return TooManyWatchers(
            f"this instance has {self._max_watchers} watchers already, which is the hub's limit"
        )

    def _watched(self) -> Collection[Watched]:
        return self._pollers.values()

    async def _run(self, key: bytes, poller: Poller) -> None:
        try:
            await poller.run()
        except Exception:  # one instance's fault must not end the sessions of all others
            logger.exception("a pairing session broke: the next watcher begins another one")
            poller.close()
        if self._pollers.get(key) is poller:
            del self._pollers[key]

    @property
    def _is_open(self) -> bool:
        return self._tasks is not None and self._tasks.is_open

    def _tasks_for(self, client: AsyncPlugChat) -> BackgroundTasks:
        if not isinstance(client, AsyncPlugChat):
            raise TypeError(f"client must be an AsyncPlugChat, not {type(client).__name__}")
        if self._tasks is None or not self._tasks.is_open:
            raise RuntimeError(_CLOSED)
        return self._tasks


class Watched(Protocol):
    """Source of states for watchers."""

    @property
    def clients(self) -> Collection[AsyncPlugChat]:
        """The clients of those who watch."""
        ...

    @property
    def state(self) -> PairingState:
        """The state that watchers see."""
        ...

    @property
    def version(self) -> str:
        """Identifier of that state; empty before there is one."""
        ...

    @property
    def changed(self) -> anyio.Event:
        """Set when there is another state, or no further one."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether there is no further state."""
        ...

    def leave(self, client: AsyncPlugChat) -> None:
        """Let somebody go."""
        ...


class Watcher:
    """View of the sessions of one instance: context manager and iterator in one.

    Attributes:
        version: Identifier of the state last seen, the same for all watchers, and different for
            each state of each session; empty before the first.
    """

    def __init__(
        self, join: Callable[[AsyncPlugChat], Awaitable[Watched]], client: AsyncPlugChat
    ) -> None:
        self.version: str = ""
        self._join = join
        self._client = client
        self._poller: Watched | None = None

    async def __aenter__(self) -> Self:
        if self._poller is not None:
            raise RuntimeError("this watcher was entered already: call hub.watch() for another one")
        self._poller, self.version = await self._join(self._client), ""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._poller is not None:
            self._poller.leave(self._client)
            self._poller = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> PairingState:
        poller = self._poller
        if poller is None:
            raise RuntimeError("enter the watcher first: `async with hub.watch(client) as states`")
        while poller.version == self.version and not poller.is_closed:
            await poller.changed.wait()
        if poller.is_closed:
            raise StopAsyncIteration
        self.version = poller.version
        return poller.state

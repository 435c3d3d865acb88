"""One poller, many watchers.

Each new code may kill the one before, so that two pollers on one instance fight: two tabs of a
browser are enough. The hub runs one session for an instance, whoever watches.
"""

from __future__ import annotations

import copy
import logging
import math
from typing import TYPE_CHECKING, Self

import anyio

from . import _arguments
from ._errors import PlugChatError
from ._pairing import PairingOutcome
from ._pairing_state import Connected, Expired, Failed, ShowingCode, Starting
from ._schedule import DEFAULT_INTERVAL, DEFAULT_MAX_ROUNDS, DEFAULT_STATUS_INTERVAL, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from anyio.abc import TaskGroup

    from ._client import AsyncPlugChat
    from ._pairing_state import PairingState

logger = logging.getLogger("plugchat_async")

_CLOSED = "this hub is closed, or was never entered: use it as `async with PairingHub() as hub`"


class TooManyWatchers(RuntimeError):
    """Say that an instance has as many watchers as the hub allows."""


class PairingHub:
    """Run one session for each instance, for any number of watchers. Use it in an app's lifespan.

    Args:
        interval: Seconds from one code to the next, more than 0 and at most 20.
        max_rounds: How many codes a session asks for at most, at least 1.
        status_interval: Seconds from one look at `/status` to the next; None never looks.
        linger: Seconds for which a session outlives its last watcher, 0 or more, so that a page
            that is loaded again spends no code.
        max_watchers: How many watchers one instance may have, at least 1; None for no limit.

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
    ) -> None:
        self._schedule = Schedule(interval, max_rounds, status_interval)
        self._linger = _arguments.check_seconds("linger", linger, may_be_zero=True)
        if max_watchers is not None:
            max_watchers = _arguments.check_count("max_watchers", max_watchers, at_least=1)
        self._max_watchers = max_watchers
        self._sessions: dict[bytes, _Session] = {}
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise RuntimeError("this hub is open already: enter it once, and share it")
        tasks = anyio.create_task_group()
        await tasks.__aenter__()
        self._tasks = tasks
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks, self._tasks = self._running_tasks(), None
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
        tasks.cancel_scope.cancel()
        # The task group is not told of an exception of the user's, which it would wrap in a group.
        await tasks.__aexit__(None, None, None)

    def watch(self, client: AsyncPlugChat) -> Watcher:
        """Watch the session of a client's instance, and start it if nobody does yet.

        Args:
            client: A client for the instance. The hub uses it as it is now: it may be closed as
                soon as it was made by `for_token()`, not if the connections are its own.

        Returns:
            A context manager that gives an asynchronous iterator of states: the present one at
            once, then each later one. A slow watcher sees the latest, and none in between. The
            iterator ends when the hub is closed, not when the session is over, since somebody may
            restart it.

        Raises:
            RuntimeError: The hub is closed.
            TooManyWatchers: On entering, the instance has `max_watchers` already.
        """
        self._running_tasks()
        return Watcher(self._join, copy.copy(client), linger=self._linger)

    def state(self, client: AsyncPlugChat) -> PairingState | None:
        """Look at the present state without watching: it starts nothing, and does not count.

        Args:
            client: A client for the instance.

        Returns:
            What a watcher would see at once; None where there is no session.

        Raises:
            RuntimeError: The hub is closed.
        """
        self._running_tasks()
        session = self._sessions.get(client.instance_key)
        return None if session is None or session.was_left else session.state

    def restart(self, client: AsyncPlugChat) -> None:
        """Start a session anew after it has ended; before that, do nothing.

        Args:
            client: A client for the instance.

        Raises:
            RuntimeError: The hub is closed.
        """
        tasks = self._running_tasks()
        session = self._sessions.get(client.instance_key)
        if session is None or not session.is_over:
            return
        if session.clients:
            session.begin_again()
            # Who watches holds a client open for as long; who restarts may close it at once.
            tasks.start_soon(self._run, session, session.clients[-1])
        else:
            del self._sessions[client.instance_key]

    def _join(self, client: AsyncPlugChat) -> _Session:
        tasks = self._running_tasks()
        session = self._sessions.get(client.instance_key)
        if session is None or session.was_left:
            session = self._sessions[client.instance_key] = _Session()
            tasks.start_soon(self._run, session, client)
        if self._max_watchers is not None and len(session.clients) >= self._max_watchers:
            raise TooManyWatchers(
                f"this instance has {self._max_watchers} watchers already, which is the hub's limit"
            )
        session.join(client)
        return session

    async def _run(self, session: _Session, client: AsyncPlugChat) -> None:
        with session.scope:
            state = await self._pair(session, client)
            if not session.was_left:  # what nobody waited for any more must not come back
                session.end(state)
        if session.was_left and self._sessions.get(client.instance_key) is session:
            del self._sessions[client.instance_key]

    async def _pair(self, session: _Session, client: AsyncPlugChat) -> PairingState:
        try:
            pairing = client.pairing(
                interval=self._schedule.interval,
                max_rounds=self._schedule.max_rounds,
                status_interval=self._schedule.status_interval,
            )
            outcome = await pairing.wait(lambda code: session.show(ShowingCode(qr=code)))
        except PlugChatError as error:
            return Failed(code=error.code, message=str(error))
        except Exception:  # one tenant's broken client must not end the sessions of all others
            logger.exception("a pairing session broke")
            return Failed(code="internal_error", message="the session broke: see the server's log")
        if outcome is PairingOutcome.EXPIRED:
            return Expired()
        return Connected(already=outcome is PairingOutcome.ALREADY_CONNECTED)

    def _running_tasks(self) -> TaskGroup:
        if self._tasks is None:
            raise RuntimeError(_CLOSED)
        return self._tasks


class Watcher:
    """See the states of one session: context manager and iterator in one."""

    def __init__(
        self, join: Callable[[AsyncPlugChat], _Session], client: AsyncPlugChat, *, linger: float
    ) -> None:
        self._join = join
        self._client = client
        self._linger = linger
        self._session: _Session | None = None
        self._seen: PairingState | None = None

    async def __aenter__(self) -> Self:
        if self._session is not None:
            raise RuntimeError("this watcher was entered already: call hub.watch() for another one")
        self._session, self._seen = self._join(self._client), None
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            self._session.leave(self._client, self._linger)
            self._session = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> PairingState:
        session = self._session
        if session is None:
            raise RuntimeError("enter the watcher first: `async with hub.watch(client) as states`")
        while session.state is self._seen and not session.is_closed:
            await session.changed.wait()
        if session.is_closed:
            raise StopAsyncIteration
        self._seen = session.state
        return self._seen


class _Session:
    """The state of one instance, for all who watch it."""

    def __init__(self) -> None:
        self.clients: list[AsyncPlugChat] = []
        self.is_over = False
        self.scope = anyio.CancelScope()
        self.is_closed = False
        self.state: PairingState = Starting()
        self.changed = anyio.Event()

    @property
    def was_left(self) -> bool:
        """Whether it lingered for long enough after its last watcher."""
        return not self.is_over and self.scope.cancel_called

    def begin_again(self) -> None:
        self.is_over = False
        self.scope = anyio.CancelScope()
        self.show(Starting())

    def show(self, state: PairingState) -> None:
        self.state = state
        self._wake()

    def end(self, state: PairingState) -> None:
        self.is_over = True
        self.show(state)

    def close(self) -> None:
        self.is_closed = True
        self._wake()

    def join(self, client: AsyncPlugChat) -> None:
        self.clients.append(client)
        self.scope.deadline = math.inf

    def leave(self, client: AsyncPlugChat, linger: float) -> None:
        self.clients.remove(client)
        if not self.clients:
            self.scope.deadline = anyio.current_time() + linger

    def _wake(self) -> None:
        # Each change has an event of its own: who is late finds the state, and keeps no queue.
        self.changed.set()
        self.changed = anyio.Event()

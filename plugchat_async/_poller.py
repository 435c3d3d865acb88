"""The one poller of an instance, for all who watch it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio

from ._client import requests_of
from ._driver import Driver, log_end
from ._pairing_state import Failed, PairingEnd, ShowingCode, Starting
from ._session import LEFT, Phase, Session

if TYPE_CHECKING:
    from ._client import AsyncPlugChat
    from ._end_hook import EndHook
    from ._pairing_state import PairingState
    from ._schedule import Fetched, Schedule
    from ._session import Ending


class Poller:
    """Host of the sessions of one instance, one after another.

    Attributes:
        clients: The clients of the watchers, in the order in which they came.
        client: The one that requests are made with.
        state: What watchers see.
        version: Identifier of that state, different for each state of each session.
        changed: Set when there is another state, or no further one.
        is_closed: Whether there is no further state.
    """

    client: AsyncPlugChat

    def __init__(self, schedule: Schedule, linger: float, hook: EndHook) -> None:
        self.clients: list[AsyncPlugChat] = []
        self.is_closed = False
        self.changed = anyio.Event()
        self._schedule = schedule
        self._linger = linger
        self._hook = hook
        self._id = secrets.token_hex(8)
        self._changes = 0
        self._open = anyio.CancelScope()
        self._driver = Driver(self._begin(), self)

    @property
    def is_over(self) -> bool:
        """Whether the next watcher needs another poller."""
        return self.is_closed or self._session.phase is Phase.FORGOTTEN

    @property
    def present(self) -> PairingState:
        """The state that a watcher sees who comes now."""
        return Starting() if self._is_outdated else self.state

    def join(self, client: AsyncPlugChat) -> None:
        """Let somebody watch."""
        if self._is_outdated:
            self._show(Starting())
        self.clients.append(client)
        self.client = client
        self._session.join(anyio.current_time())
        self._driver.poke()

    def leave(self, client: AsyncPlugChat) -> None:
        """Let somebody go."""
        self.clients.remove(client)
        if self.clients:
            self.client = self.clients[-1]
        else:
            self._session.leave(anyio.current_time())
            self._driver.poke()

    def restart(self) -> None:
        """Begin another session if this one has ended and somebody watches; else forget it."""
        self._session.restart(anyio.current_time())
        self._begin_again_if_watched()
        self._driver.poke()

    def close(self) -> None:
        """Tell watchers that no further state follows, and end what runs."""
        self.is_closed = True
        self._wake()
        self._open.cancel()

    async def run(self) -> None:
        """Run sessions until the last one is forgotten, or until it is closed."""
        try:
            with self._open:
                while not self.is_over:
                    await self._driver.take_step()
        except anyio.get_cancelled_exc_class():  # the event loop ends before the hub is closed
            self.close()
            # What is being reported goes on by itself.
            if self._session.is_running:
                await self._give_up()
            raise
        await self._give_up()

    async def fetch_code(self, number: int) -> Fetched:
        """See `Host`."""
        return await requests_of(self.client).fetch_code(number, self._schedule.max_rounds)

    async def show_code(self, fetched: Fetched) -> None:
        """See `Host`."""
        self._show(ShowingCode(qr=fetched.code))

    async def stop_lingering(self) -> None:
        """See `Host`."""
        self._session.stop_lingering(anyio.current_time())

    async def report(self, ending: Ending) -> None:
        """See `Host`."""
        state = ending.state
        end = PairingEnd(
            name=self.client.name,
            outcome=ending.outcome,
            error_code=state.code if isinstance(state, Failed) else None,
            codes=self._session.rounds.spent,
            started_at=self._started_at,
            ended_at=datetime.now(UTC),
        )
        log_end(end)
        await self._hook.call(self.client, end)
        self._session.report(anyio.current_time())
        self._begin_again_if_watched()
        if state is not None:
            self._show(state)

    @property
    def _session(self) -> Session:
        return self._driver.session

    def _begin(self) -> Session:
        self._started_at = datetime.now(UTC)
        self._show(Starting())
        return Session(self._schedule, self._linger)

    def _begin_again_if_watched(self) -> None:
        if self._session.phase is Phase.FORGOTTEN and self.clients:
            self._driver.session = self._begin()

    async def _give_up(self) -> None:
        """Report how the session ended, by itself in this very moment or as left."""
        self._session.end(LEFT, anyio.current_time())
        if self._session.phase is Phase.REPORTING:
            await self.report(self._session.ending)

    @property
    def _is_outdated(self) -> bool:
        """Whether the code is one that expired while nobody watched, which nobody must see."""
        is_code = not self.clients and isinstance(self.state, ShowingCode)
        return is_code and self._session.is_code_expired(anyio.current_time())

    def _show(self, state: PairingState) -> None:
        self._changes += 1
        self.state, self.version = state, f"{self._id}-{self._changes}"
        self._wake()

    def _wake(self) -> None:
        # Each change has its own event: a late watcher finds the state, and keeps no queue.
        self.changed.set()
        self.changed = anyio.Event()

"""The one poller of an instance, for all who watch it."""

from __future__ import annotations

import logging
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio

from ._client import requests_of
from ._errors import AlreadyConnected, PlugChatError, RateLimited, ServerError
from ._pairing import PairingOutcome
from ._pairing_state import Connected, Failed, PairingEnd, ShowingCode, Starting
from ._rounds import Do
from ._session import LEFT, Ending, Phase, Session

if TYPE_CHECKING:
    from ._client import AsyncPlugChat
    from ._end_hook import EndHook
    from ._pairing_state import PairingState
    from ._rounds import Step
    from ._schedule import Schedule

logger = logging.getLogger("plugchat_async")

# However far away the time is that a gateway names: nobody's button is locked for longer.
_MAX_RETRY_AFTER = timedelta(days=1)

BROKE = Ending(
    None, Failed(code="internal_error", message="the session broke: see the server's log")
)


class Poller:
    """Driver of the sessions of one instance, one after another.

    Attributes:
        clients: The clients of the watchers, in the order in which they came.
        state: What watchers see.
        version: Identifier of that state, different for each state of each session.
        changed: Set when there is another state, or no further one.
        is_closed: Whether there is no further state.
    """

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
        self._poked = anyio.Event()
        self._code_request: anyio.CancelScope | None = None
        self._begin()

    @property
    def is_over(self) -> bool:
        """Whether the next watcher needs another poller."""
        return self.is_closed or self._session.phase is Phase.FORGOTTEN

    @property
    def present(self) -> PairingState:
        """What a watcher sees who comes now."""
        return Starting() if self._is_outdated else self.state

    def join(self, client: AsyncPlugChat) -> None:
        """Let somebody watch."""
        if self._is_outdated:
            self._show(Starting())
        self.clients.append(client)
        self._client = client
        self._session.join(anyio.current_time())
        self._poke()

    def leave(self, client: AsyncPlugChat) -> None:
        """Let somebody go."""
        self.clients.remove(client)
        if self.clients:
            self._client = self.clients[-1]
        else:
            self._session.leave(anyio.current_time())
            self._poke()

    def restart(self) -> None:
        """Begin another session if this one has ended and somebody watches; else forget it."""
        self._session.restart(anyio.current_time())
        self._begin_again_if_watched()
        self._poke()

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
                    await self._take_step()
        except anyio.get_cancelled_exc_class():  # the event loop ends before the hub is closed
            self.close()
            await self._give_up()
            raise
        await self._give_up()

    def _begin(self) -> None:
        self._session = Session(self._schedule, self._linger)
        self._started_at = datetime.now(UTC)
        self._show(Starting())

    def _begin_again_if_watched(self) -> None:
        if self._session.phase is Phase.FORGOTTEN and self.clients:
            self._begin()

    async def _take_step(self) -> None:
        """Wait until the next step is due, unless something happens before that."""
        self._poked = anyio.Event()
        now = anyio.current_time()
        step = self._session.next(now)
        if step.at > now:
            with anyio.CancelScope(deadline=step.at):
                return await self._poked.wait()
        match step.do:
            case Do.END:
                self._session.end_unscanned(anyio.current_time())
            case Do.PASS_TIME:
                self._session.pass_time(anyio.current_time())
            case Do.REPORT:
                await self._report()
            case _:
                await self._request(step)
        return None

    async def _request(self, step: Step) -> None:
        try:
            if step.do is Do.REQUEST_CODE:
                await self._request_code()
            elif await requests_of(self._client).sees_scan(step, self._session.rounds):
                self._end_connected()
        except AlreadyConnected:
            self._end_connected()
        except PlugChatError as error:
            self._end(failed_by(error))
        except Exception:  # one tenant's broken client must not end the sessions of all others
            logger.exception("a pairing session broke")
            self._end(BROKE)

    async def _request_code(self) -> None:
        number, of = self._session.rounds.next_round, self._schedule.max_rounds
        with anyio.CancelScope(deadline=self._session.give_up_at) as self._code_request:
            fetched = await requests_of(self._client).fetch_code(number, of)
            self._session.rounds.show(fetched)
            self._show(ShowingCode(qr=fetched.code))
        if self._code_request.cancelled_caught:
            self._end(LEFT)

    async def _give_up(self) -> None:
        if self._session.is_running:
            self._end(LEFT)
            await self._report()

    def _end_connected(self) -> None:
        self._end(connected(already=self._session.rounds.fetched is None))

    def _end(self, ending: Ending) -> None:
        self._session.end(ending, anyio.current_time())

    async def _report(self) -> None:
        ending = self._session.ending
        state = ending.state
        end = PairingEnd(
            name=self._client.name,
            outcome=ending.outcome,
            error_code=state.code if isinstance(state, Failed) else None,
            codes=self._session.rounds.next_round - 1,
            started_at=self._started_at,
            ended_at=datetime.now(UTC),
        )
        log_end(end)
        await self._hook.call(self._client, end)
        self._session.report(anyio.current_time())
        self._begin_again_if_watched()
        if state is not None:
            self._show(state)

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
        # Each change has an event of its own: a late watcher finds the state, and keeps no queue.
        self.changed.set()
        self.changed = anyio.Event()

    def _poke(self) -> None:
        """Let what happened count for what is next, and for a code request under way."""
        if self._code_request is not None:
            self._code_request.deadline = self._session.give_up_at
        self._poked.set()


def failed_by(error: PlugChatError) -> Ending:
    """Return how a session ends whose request failed."""
    failed = Failed(code=error.code, message=str(error))
    if not isinstance(error, RateLimited | ServerError) or error.retry_after is None:
        return Ending(None, failed)
    seconds = min(error.retry_after, _MAX_RETRY_AFTER.total_seconds())
    retry_at = datetime.now(UTC) + timedelta(seconds=seconds)
    failed = failed.model_copy(update={"retry_at": retry_at})
    return Ending(None, failed, restart_at=anyio.current_time() + seconds)


def connected(*, already: bool) -> Ending:
    """Return how a session ends whose phone is linked."""
    outcome = PairingOutcome.ALREADY_CONNECTED if already else PairingOutcome.CONNECTED
    return Ending(outcome, Connected(already=already))


def log_end(end: PairingEnd) -> None:
    """Log how a session ended."""
    logger.info(
        "pairing%s ended: %s, %d codes, %.1f s",
        "" if end.name is None else f" of {end.name}",
        end.outcome or end.error_code,
        end.codes,
        (end.ended_at - end.started_at).total_seconds(),
    )

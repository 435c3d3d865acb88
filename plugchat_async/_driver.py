"""The driver of a session: it does what is next, with what differs from hub to hub left to a host.

The hub in memory and the hub over Redis drive the same pure core by it.
"""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.lowlevel

from ._client import requests_of
from ._errors import AlreadyConnected, PlugChatError, RateLimited, ServerError
from ._pairing import PairingOutcome
from ._pairing_state import Connected, Failed
from ._rounds import Do
from ._session import LEFT, Ending

if TYPE_CHECKING:
    from ._client import AsyncPlugChat
    from ._pairing_state import PairingEnd
    from ._rounds import Step
    from ._schedule import Fetched
    from ._session import Session

logger = logging.getLogger("plugchat_async")

# However far away the time is that a gateway names: nobody's button is locked for longer.
_MAX_RETRY_AFTER = timedelta(days=1)

_BROKE = Ending(
    None, Failed(code="internal_error", message="the session broke: see the server's log")
)


class Host(Protocol):
    """Parts of a session that differ from one hub to another."""

    @property
    def client(self) -> AsyncPlugChat:
        """The client of the watcher who came last."""
        ...

    async def fetch_code(self, number: int) -> Fetched:
        """Request the code of a round, as soon as this process is permitted to."""
        ...

    async def show_code(self, fetched: Fetched) -> None:
        """Let watchers see a code."""
        ...

    async def stop_lingering(self) -> None:
        """Find out whether nobody watches anywhere, and let the session know."""
        ...

    async def report(self, ending: Ending) -> None:
        """Report to the app how the session ended, then show it to watchers."""
        ...


class Driver:
    """Driver of a session.

    Args:
        session: The session.
        host: The hub's part.

    Attributes:
        session: The session, which may be replaced by the next one.
        code_request: Scope of the code request under way, or of the last one.
    """

    def __init__(self, session: Session, host: Host) -> None:
        self.session = session
        self.code_request = anyio.CancelScope()
        self._host = host
        self._poked = anyio.Event()
        self._closes_at = math.inf

    def poke(self) -> None:
        """Let what happened count for what is next, and for a code request under way."""
        self.code_request.deadline = min(self.session.give_up_at, self._closes_at)
        self._poked.set()

    def hurry(self, within: float) -> None:
        """Give a code request under way so many seconds."""
        self._closes_at = anyio.current_time() + within
        self.poke()

    async def wait(self, until: float = math.inf) -> None:
        """Wait until a moment, or until something happens."""
        with anyio.CancelScope(deadline=until):
            await self._poked.wait()

    async def take_step(self) -> None:
        """Wait until the next step is due and take it, unless something happens before that."""
        self._poked = anyio.Event()
        now = anyio.current_time()
        step = self.session.next(now)
        if step.at > now:
            return await self.wait(step.at)
        match step.do:
            case Do.END:
                self.session.end_unscanned(now)
            case Do.STOP_LINGERING:
                await self._host.stop_lingering()
            case Do.PASS_TIME:
                self.session.pass_time(now)
            case Do.REPORT:
                await self._host.report(self.session.ending)
            case _:
                await self._request(step)
        return None

    async def _request(self, step: Step) -> None:
        try:
            if step.do is Do.REQUEST_CODE:
                await self._request_code()
            elif await requests_of(self._host.client).sees_scan(step, self.session.rounds):
                self._end_connected()
        except AlreadyConnected:
            self._end_connected()
        except PlugChatError as error:
            self._end(_failed_by(error))
        except Exception:  # one tenant's broken client must not end the sessions of all others
            logger.exception("a pairing session broke")
            self._end(_BROKE)

    async def _request_code(self) -> None:
        scope = self.code_request = anyio.CancelScope(deadline=self.session.give_up_at)
        with scope:
            fetched = await self._host.fetch_code(self.session.rounds.next_round)
            self.session.rounds.show(fetched)
            await self._host.show_code(fetched)
        # A host may have shielded it from what cancels the driver.
        await anyio.lowlevel.checkpoint()
        if scope.cancelled_caught:
            self._end(LEFT)

    def _end_connected(self) -> None:
        already = self.session.rounds.fetched is None
        outcome = PairingOutcome.ALREADY_CONNECTED if already else PairingOutcome.CONNECTED
        self._end(Ending(outcome, Connected(already=already)))

    def _end(self, ending: Ending) -> None:
        self.session.end(ending, anyio.current_time())


def _failed_by(error: PlugChatError) -> Ending:
    """Return how a session ends whose request failed."""
    failed = Failed(code=error.code, message=str(error))
    if not isinstance(error, RateLimited | ServerError) or error.retry_after is None:
        return Ending(None, failed)
    seconds = min(error.retry_after, _MAX_RETRY_AFTER.total_seconds())
    retry_at = datetime.now(UTC) + timedelta(seconds=seconds)
    failed = failed.model_copy(update={"retry_at": retry_at})
    return Ending(None, failed, restart_at=anyio.current_time() + seconds)


def log_end(end: PairingEnd) -> None:
    """Log how a session ended."""
    logger.info(
        "pairing%s ended: %s, %d codes, %.1f s",
        "" if end.name is None else f" of {end.name}",
        end.outcome or end.error_code,
        end.codes,
        (end.ended_at - end.started_at).total_seconds(),
    )

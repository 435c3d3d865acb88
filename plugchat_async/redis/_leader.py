"""Part of the leading process in a session: the only one that requests anything."""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import anyio

from plugchat_async._client import requests_of
from plugchat_async._driver import Driver, log_end
from plugchat_async._pairing_state import Connected, Failed, PairingEnd, ShowingCode
from plugchat_async._session import ENDING_KEPT_FOR, GRACE_AFTER_EXPIRY, LEFT, Phase, Session

from ._local_copy import RETRY
from ._record import Record, Stage
from ._states import Report, open_report, seal_report, seal_state
from ._steps import LEASE, StoreDown, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import NoReturn

    from anyio.abc import TaskGroup

    from plugchat_async import AsyncPlugChat, PairingState
    from plugchat_async._end_hook import EndHook
    from plugchat_async._schedule import Fetched, Schedule
    from plugchat_async._session import Ending

    from ._local_copy import LocalCopy
    from ._steps import Beat, Response

logger = logging.getLogger("plugchat_async")

# A leader that was away for a moment may still bring the code of its round.
_CODE_GRACE = 1.0
# When a hub closes, a code that was requested is not thrown away for so long.
_CLOSING_GRACE = 2.0


class Member(Protocol):
    """The process, as a follower of the session."""

    @property
    def clients(self) -> Collection[AsyncPlugChat]:
        """The clients of its watchers."""
        ...

    @property
    def client(self) -> AsyncPlugChat:
        """The one that requests are made with."""
        ...

    def poke(self) -> None:
        """Ask the store again without waiting for the next beat."""
        ...

    def go(self) -> None:
        """Leave the session now, unless this is the last process."""
        ...

    async def hand_over(self, ending: str) -> Response:
        """Let another process lead; with none, begin to report an ending, as the record says."""
        ...


class Leader:
    """Host of the session while this process leads.

    Args:
        copy: The copy of the record.
        member: The process.
        schedule: When codes and `/status` are requested.
        linger: Seconds for which a session goes on without watchers.
        hook: The app's hook.
    """

    def __init__(
        self,
        copy: LocalCopy,
        member: Member,
        schedule: Schedule,
        linger: float,
        hook: EndHook,
    ) -> None:
        self._copy = copy
        self._member = member
        self._schedule = schedule
        self._linger = linger
        self._hook = hook
        self._lease: anyio.CancelScope | None = None
        self._epoch = 0
        self._led_session = ""
        self._reserved = Record()
        self._told: Report | None = None
        self._driver = Driver(self._new_session(), self)

    @property
    def is_leading(self) -> bool:
        """Whether this process leads, or brings to its end what it began as the leader."""
        return self._lease is not None

    @property
    def sees_scans(self) -> bool:
        """Whether this process leads, and `/status` shows a scan of a code that is valid."""
        fetched, is_seen = self._copy.fetched, self._schedule.status_interval is not None
        is_valid = fetched is not None and fetched.expires > anyio.current_time()
        return self.is_leading and is_seen and is_valid

    @property
    def client(self) -> AsyncPlugChat:
        """See `Host`."""
        return self._member.client

    # The lease.

    def heed(self, beat: Beat, sent_at: float, tasks: TaskGroup) -> None:
        """Begin to lead, go on or stop, as the store's response to a beat says."""
        record, until = self._copy.record, sent_at + beat.lease_left
        if not beat.leads or record.stage is Stage.OVER:
            self._stop()
        elif self._lease is None:
            self._led_session, self._epoch = record.session, record.epoch
            self._lease = anyio.CancelScope(deadline=until)
            tasks.start_soon(self._run, self._lease, beat.left_for is not None)
        elif self._epoch == record.epoch:
            self._lease.deadline = until
        # Another epoch after a lease that ran out: what is under way ends first.

    def check(self) -> None:
        """Stop if another process leads, or another session has begun."""
        if not self._copy.is_led_here or self._copy.record.session != self._led_session:
            self._stop()

    def _stop(self) -> None:
        if self._lease is not None:
            self._lease.cancel()
        self._driver.code_request.cancel()

    async def _give_way(self) -> NoReturn:
        """Stop, since another process has gone on: that one publishes what is next."""
        self._stop()
        await anyio.sleep_forever()
        raise AssertionError("a leader that stops is cancelled")

    async def _run(self, lease: anyio.CancelScope, was_left: bool) -> None:
        """Lead until the session is over, or the lease."""
        with lease:
            await self._lead(was_left=was_left)
        self._lease = None
        self._member.poke()

    async def _lead(self, *, was_left: bool) -> None:
        copy = self._copy
        if copy.record.stage is Stage.ENDING:
            # One that can't be opened was not sealed by this app, or by a later release of it.
            return await self._tell(open_report(copy.seal, copy.record) or self._report_of(LEFT))
        if copy.last_round < copy.record.spent:
            await anyio.sleep(_CODE_GRACE)
        session = self._driver.session = self._resume(was_left=was_left)
        while not session.is_told:
            await self._driver.take_step()
        return None

    def _resume(self, *, was_left: bool) -> Session:
        """Go on where the record is."""
        session, now, fetched = self._new_session(), anyio.current_time(), self._copy.fetched
        session.rounds.resume(self._copy.record.spent, fetched)
        if was_left and (fetched is None or now >= fetched.expires + GRACE_AFTER_EXPIRY):
            session.end(LEFT, now)
        if not self._member.clients:
            session.leave(now)
            if was_left:
                session.stop_lingering(now)
        return session

    def _new_session(self) -> Session:
        return Session(self._schedule, self._linger, is_shared=True)

    # What happens meanwhile.

    def join(self) -> None:
        """Note that somebody watches here."""
        self._driver.session.join(anyio.current_time())
        self._driver.poke()

    def leave(self) -> None:
        """Note that nobody watches here any more."""
        self._driver.session.leave(anyio.current_time())
        self._driver.poke()

    def is_last(self) -> None:
        """Note that nobody watches in any process."""
        self._driver.session.stop_lingering(anyio.current_time())
        self._driver.poke()

    def hurry(self) -> None:
        """Let a code that was requested come soon: the hub closes."""
        self._driver.hurry(within=_CLOSING_GRACE)

    # The steps of a session.

    async def fetch_code(self, number: int) -> Fetched:
        """See `Host`."""
        before, nonce = self._copy.record, secrets.token_hex(8)
        request = self._driver.code_request

        async def permit() -> None:
            request.shield = False
            response = await self._copy.reserve(before, nonce=nonce)
            if response.verdict is Verdict.MISSING:
                raise StoreDown("the record is missing")
            if response.record is None:
                await self._give_way()
            # What is requested is brought to its end, unless another process goes on.
            request.shield = True

        self._reserved = replace(before, spent=number, nonce=nonce)
        requests = requests_of(self.client, permit=permit)
        while True:
            try:
                return await requests.fetch_code(number, self._schedule.max_rounds)
            except StoreDown:
                await anyio.sleep(RETRY)  # the end of the lease ends this

    async def show_code(self, fetched: Fetched) -> None:
        """See `Host`."""
        code, session = fetched.code, self._reserved.session
        state = seal_state(self._copy.seal, session, ShowingCode(qr=code), dated=code.fetched_at)
        wanted = replace(self._reserved, state=state, asked_at=fetched.began)
        try:
            is_written = await self._copy.write_code(wanted)
        except StoreDown:
            self._copy.keep_code(wanted)
            return self._member.poke()
        return None if is_written else await self._give_way()

    async def stop_lingering(self) -> None:
        """See `Host`."""
        self._member.go()
        await self._driver.wait()

    async def report(self, ending: Ending) -> None:
        """See `Host`; first the store is told, so that whoever goes on tells the same."""
        copy = self._copy
        report = self._report_of(ending)
        sealed = seal_report(copy.seal, copy.record.session, report)
        if report.state is None:
            response = await copy.insist(lambda: copy.leave(ending=sealed))
        else:
            wanted = replace(copy.record, stage=Stage.ENDING, ending=sealed)
            response = await copy.insist(lambda: copy.write(wanted))
        if response.record is None:
            await self._give_way()
        await self._tell(report)
        self._driver.session.report(anyio.current_time())

    # Endings.

    @property
    def _known_ending(self) -> Ending:
        """How the session ended, by itself in this very moment or as left."""
        session, is_same = self._driver.session, self._copy.record.session == self._led_session
        return session.ending if is_same and session.phase is Phase.REPORTING else LEFT

    def _report_of(self, ending: Ending) -> Report:
        now = datetime.now(UTC)
        end = PairingEnd(
            name=self.client.name,
            outcome=ending.outcome,
            error_code=ending.state.code if isinstance(ending.state, Failed) else None,
            codes=self._copy.last_round,
            started_at=now - self._copy.age,
            ended_at=now,
        )
        return Report(end=end, state=ending.state)

    async def _tell(self, report: Report) -> None:
        """Call the app's hook, and write the ending that watchers see."""
        copy, state = self._copy, report.state
        with anyio.CancelScope(shield=True):
            if report != self._told:  # or the store was away when the ending was to be written
                self._told = report
                log_end(report.end)
                await self._hook.call(self.client, report.end)
            is_linked = state is None or isinstance(state, Connected)
            wanted = replace(
                copy.record,
                stage=Stage.OVER,
                state="" if state is None else self._seal_now(state),
                asked_at=anyio.current_time(),
                ending="",
                # Whether the phone is still linked is the API's to say.
                retention=0.0 if is_linked else max(0.0, ENDING_KEPT_FOR - self._linger),
            )
            with anyio.move_on_after(LEASE):
                await copy.insist(lambda: copy.write(wanted))

    def _seal_now(self, state: PairingState) -> str:
        session, now = self._copy.record.session, datetime.now(UTC)
        return seal_state(self._copy.seal, session, state, dated=now)

    async def close(self) -> None:
        """Hand over; the last process ends what runs, and tells the app."""
        copy = self._copy
        if not copy.record.session:
            return
        report = self._report_of(self._known_ending)
        sealed = seal_report(copy.seal, copy.record.session, report)
        try:
            response = await self._member.hand_over(sealed)
            if response.record is not None:
                await self._tell(open_report(copy.seal, response.record) or report)
                await copy.leave()
        except StoreDown:
            logger.warning("a pairing session could not be handed over: Redis can't be reached")

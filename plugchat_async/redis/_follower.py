"""What one process does for the session of one instance, which all processes share."""

from __future__ import annotations

import logging
import math
import secrets
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from plugchat_async._client import requests_of
from plugchat_async._errors import AlreadyConnected, PlugChatError
from plugchat_async._pairing_state import Connected, Failed, PairingEnd, ShowingCode, Starting
from plugchat_async._poller import BROKE, connected, failed_by, log_end
from plugchat_async._rounds import Do
from plugchat_async._schedule import Fetched
from plugchat_async._session import (
    ENDING_KEPT_FOR,
    GRACE_AFTER_EXPIRY,
    LEFT,
    Ending,
    Session,
)

from ._record import Record, Stage, Then, after_message, after_response
from ._states import (
    UNREACHABLE,
    Report,
    open_report,
    open_state,
    seal_report,
    seal_state,
    version_of,
)
from ._steps import LEASE, Beat, Response, StoreDown, Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from plugchat_async import AsyncPlugChat, PairingState
    from plugchat_async._end_hook import EndHook
    from plugchat_async._rounds import Step
    from plugchat_async._schedule import Schedule

    from ._seal import Seal
    from ._steps import Store

logger = logging.getLogger("plugchat_async")

_LEADER_BEAT = LEASE / 3
_BEAT = 4.0
# For how long the store may be away before watchers are told.
_PATIENCE = 10.0
_RETRY = 0.5
# A leader that was away for a moment may still bring the code of its round.
_CODE_GRACE = 1.0
# When a hub closes, a code that was requested is not thrown away for so long.
_CLOSING_GRACE = 2.0


class _Fenced(Exception):
    """Raised when another process goes on with the session."""


class Follower:
    """Driver of one instance's session in one process: beats, and leads when it is its turn.

    Attributes:
        clients: The clients of this process's watchers, in the order in which they came.
        state: What they see.
        version: Identifier of that state, the same in each process; empty before the store was
            heard.
        changed: Set when there is another state, or no further one.
        is_closed: Whether there is no further state.
    """

    def __init__(
        self, store: Store, seals: list[Seal], schedule: Schedule, linger: float, hook: EndHook
    ) -> None:
        self.clients: list[AsyncPlugChat] = []
        self.state: PairingState = Starting()
        self.version = ""
        self.changed = anyio.Event()
        self.is_closed = False
        self.is_over = False
        self._store = store
        self._seals = seals
        self._seal = seals[0]
        self._schedule = schedule
        self._linger = linger
        self._hook = hook
        self._open = anyio.CancelScope()
        self._poked = anyio.Event()
        self._go_at = math.inf
        self._heard_at = anyio.current_time()
        self._record = Record()
        self._unwritten: Record | None = None
        self._left_for: float | None = None
        self._outdated = ""
        self._moved = anyio.Event()
        self._leading = 0
        self._led_session = ""
        self._lead: anyio.CancelScope | None = None
        self._code_request: anyio.CancelScope | None = None
        self._session: Session | None = None

    @property
    def names(self) -> list[str]:
        """Names under which the store may know the instance."""
        return [seal.name for seal in self._seals]

    @property
    def present(self) -> PairingState:
        """What a watcher sees who comes now."""
        is_outdated = not self.clients and self._is_expired(self._record)
        return Starting() if is_outdated else self.state

    def join(self, client: AsyncPlugChat) -> None:
        """Let somebody watch."""
        if not self.clients:
            self._forget_expired_code()
        self.clients.append(client)
        self._client = client
        self._go_at = math.inf
        if self._session is not None:
            self._session.join(anyio.current_time())
            self._move_on(self._session)
        self.poke()

    def leave(self, client: AsyncPlugChat) -> None:
        """Let somebody go."""
        self.clients.remove(client)
        if self.clients:
            self._client = self.clients[-1]
        else:
            self._go_at = anyio.current_time() + self._linger
            self.poke()

    def close(self) -> None:
        """Tell watchers that no further state follows, and let another process go on."""
        self.is_closed = True
        self._wake()
        if self._code_request is not None:
            self._code_request.deadline = anyio.current_time() + _CLOSING_GRACE
        self._open.cancel()

    def poke(self) -> None:
        """Ask the store again without waiting for the next beat."""
        self._poked.set()

    def hear(self, name: str, record: Record) -> None:
        """Take a record that was published."""
        if name != self._seal.name or not after_message(self._record, record):
            return
        is_free = not record.leader and record.stage is not Stage.OVER
        has_ended_as_left = record.stage is Stage.OVER and not record.state
        self._adopt(record)
        if is_free or has_ended_as_left:
            self.poke()

    async def restart(self, session: str) -> None:
        """Begin another session after one that is over, if anybody watches; else forget it."""
        name, known = self._seal.name, self._record.known
        await self._store.beat(name, watchers=len(self.clients), known=known)
        response = await self._take(self._store.restart(name, session))
        if response.verdict is Verdict.GONE and not self.clients:
            self.is_over, self._go_at = True, anyio.current_time()
        self.poke()

    async def count(self, limit: int) -> bool:
        """Return whether all processes together have at most so many watchers."""
        if len(self.clients) > limit:
            return False
        try:
            beat = await self._store.beat(
                self._seal.name,
                watchers=len(self.clients),
                limit=limit,
                known=self._record.known,
            )
        except StoreDown:
            return True  # the limit stops loops, and must not lock people out
        return beat.verdict is not Verdict.FULL

    async def run(self) -> None:
        """Follow the session for as long as this process has to do with it."""
        with self._open:
            await self._choose_seal()
            while not self.is_over:
                async with anyio.create_task_group() as tasks:
                    await self._follow(tasks)
                    tasks.cancel_scope.cancel()
                # Somebody may have come while a request under way was brought to its end.
                self.is_over = not self.clients
        self.is_over = True
        if self._open.cancelled_caught:
            with anyio.CancelScope(shield=True):
                await self._close()

    async def _choose_seal(self) -> None:
        """Go on with a session that was begun under an older secret."""
        for seal in self._seals[1:]:
            try:
                response = await self._store.peek(seal.name)
            except StoreDown:
                continue
            if response.record is not None:
                self._seal = seal

    async def _follow(self, tasks: TaskGroup) -> None:
        while True:
            self._poked = anyio.Event()
            try:
                if anyio.current_time() >= self._leaves_at and await self._go():
                    return
                await self._beat(tasks)
            except StoreDown:
                if anyio.current_time() > self._heard_at + _PATIENCE:
                    if not self.clients:
                        return
                    self._show_unreachable()
                await self._pause(_jittered(_RETRY), until=math.inf)

    @property
    def _leaves_at(self) -> float:
        # An ending is reported by whoever is there: its leader may die.
        has_to_stay = self.clients or self._record.stage is Stage.ENDING
        return math.inf if has_to_stay else self._go_at

    async def _go(self) -> bool:
        """Go; False if this process stays, as the last one does for the session's grace."""
        response = await self._store.leave(self._seal.name)
        if response.record is not None:
            self._adopt(response.record)
        if self.clients:  # somebody came meanwhile, as the next beat tells the store
            return False
        self._go_at = math.inf
        if response.record is None:
            return True
        self._left_for = 0.0
        if self._session is not None:
            self._session.leave(anyio.current_time())
            self._move_on(self._session)
        return False

    def _move_on(self, session: Session) -> None:
        """Let who comes or goes count for what is next, and for a code request under way."""
        self._moved.set()
        if self._code_request is not None:
            self._code_request.deadline = session.give_up_at

    async def _beat(self, tasks: TaskGroup) -> None:
        sent_at, known = anyio.current_time(), self._record.known
        beat = await self._store.beat(self._seal.name, watchers=len(self.clients), known=known)
        self._heard_at = anyio.current_time()
        if beat.verdict is Verdict.MISSING:
            if not self._record.session:
                self._go_at = min(self._go_at, anyio.current_time())
                return
            await self._sync()
            return
        await self._compare(beat.record, known)
        if self._unwritten is not None:
            with suppress(_Fenced):  # another process has gone on: nobody needs this code
                await self._write(self._unwritten)
        if self._record.stage is Stage.OVER and not self._record.state and self.clients:
            await self._take(self._store.restart(self._seal.name, self._record.session))
            return
        self._lead_or_not(beat, sent_at, tasks)
        await self._pause(self._next_beat(beat), until=self._leaves_at)

    def _next_beat(self, beat: Beat) -> float:
        if self._record.stage is Stage.OVER:
            return _BEAT
        return _LEADER_BEAT if beat.leads else min(_BEAT, beat.lease_left + _jittered(0.01))

    async def _compare(self, theirs: Record | None, known: tuple[str, int]) -> None:
        then = after_response(self._record, theirs, known=known)
        if then is Then.REPAIR:
            await self._sync()
        elif then is Then.ADOPT and theirs is not None:
            self._adopt(theirs)
        elif self.state == UNREACHABLE:
            self._show_record()

    async def _sync(self) -> None:
        await self._take(self._store.sync(self._seal.name, self._record))

    async def _take(self, step: Awaitable[Response]) -> Response:
        response = await step
        if response.record is not None and response.record.known > self._record.known:
            self._adopt(response.record)
        return response

    async def _pause(self, seconds: float, *, until: float) -> None:
        with anyio.CancelScope(deadline=min(anyio.current_time() + seconds, until)):
            await self._poked.wait()

    def _adopt(self, record: Record) -> None:
        self._record = record
        unwritten = self._unwritten
        if unwritten is not None and (
            (record.session, record.nonce) != (unwritten.session, unwritten.nonce)
            or record.stage is not Stage.RUNNING
            or record.state == unwritten.state
        ):
            self._unwritten = None
        if record.leader != self._store.process or record.session != self._led_session:
            self._stop_leading()
        self._show_record()

    # What watchers see.

    def _show_record(self) -> None:
        record = self._unwritten or self._record
        if not self.version:
            self._outdated = record.state if self._is_expired(record) else ""
        if record.state == self._outdated:
            record = replace(record, state="")
        if (version := version_of(record)) == self.version:
            return
        state = self._open_state(record)
        if state is None:
            logger.error(
                "a state of a pairing session was not sealed by this app:"
                " is the secret the same in all processes?"
            )
            return
        self._show(state, version)

    def _open_state(self, record: Record) -> PairingState | None:
        now = anyio.current_time()
        return open_state(self._seal, record, loop_time=now, wall_time=datetime.now(UTC))

    def _forget_expired_code(self) -> None:
        """Show no code that expired while nobody watched."""
        if self.version and self._is_expired(self._record):
            self._outdated = self._record.state
            self._show_record()

    def _is_expired(self, record: Record) -> bool:
        state = self._open_state(record)
        return isinstance(state, ShowingCode) and state.qr.is_expired

    def _show_unreachable(self) -> None:
        if self._record.stage is not Stage.OVER and self.state != UNREACHABLE:
            self._show(UNREACHABLE, f"{version_of(self._record)}-unreachable")

    def _show(self, state: PairingState, version: str) -> None:
        self.state, self.version = state, version
        self._wake()

    def _wake(self) -> None:
        # Each change has an event of its own: a late watcher finds the state, and keeps no queue.
        self.changed.set()
        self.changed = anyio.Event()

    # Leading.

    def _lead_or_not(self, beat: Beat, sent_at: float, tasks: TaskGroup) -> None:
        until = sent_at + beat.lease_left
        if not beat.leads or self._record.stage is Stage.OVER:
            self._stop_leading()
        elif self._lead is None:
            self._led_session, self._leading = self._record.session, self._record.epoch
            self._left_for = beat.left_for
            self._lead = anyio.CancelScope(deadline=until)
            tasks.start_soon(self._run_lead, self._lead)
        elif self._leading == self._record.epoch:
            self._lead.deadline = until
        # Another epoch after a lease that ran out: what is under way ends first.

    def _stop_leading(self) -> None:
        for scope in (self._lead, self._code_request):
            if scope is not None:
                scope.cancel()

    async def _run_lead(self, scope: anyio.CancelScope) -> None:
        """Lead until the session is over, or the lease."""
        with scope, suppress(_Fenced):  # whoever goes on publishes what is next
            await self._drive()
        self._session = self._lead = None
        if not self.clients and self._go_at == math.inf:
            self._go_at = anyio.current_time()
        self.poke()

    async def _drive(self) -> None:
        report = open_report(self._seal, self._record) if self._record.ending else None
        if report is not None:
            return await self._tell(report)
        session = self._session = self._resume()
        while session.is_running:
            await self._take_step(session)
        return await self._report(session.ending)

    def _resume(self) -> Session:
        """Go on where the record is."""
        record, now = self._record, anyio.current_time()
        session = Session(self._schedule, linger=0.0)
        state = self._open_state(record)
        if isinstance(state, ShowingCode) and record.asked_at is not None:
            # A round whose code never came counts as one that is over.
            code = state.qr.model_copy(update={"round": record.spent})
            session.rounds.show(Fetched(code, record.asked_at, record.asked_at))
        if self._left_for is not None:
            fetched = session.rounds.fetched
            if fetched is None or now >= fetched.expires + GRACE_AFTER_EXPIRY:
                session.end(LEFT, now)
            elif not self.clients:
                session.leave(now)
        return session

    async def _take_step(self, session: Session) -> None:
        now = anyio.current_time()
        step = session.next(now)
        if step.at > now:
            # A watcher who comes or goes may change what is next.
            self._moved = anyio.Event()
            with anyio.CancelScope(deadline=step.at):
                await self._moved.wait()
            return
        match step.do:
            case Do.END:
                session.end_unscanned(now)
            case Do.PASS_TIME:
                session.pass_time(now)
            case _:
                await self._request(session, step)

    async def _request(self, session: Session, step: Step) -> None:
        try:
            if step.do is Do.REQUEST_CODE and self._record.spent < self._schedule.max_rounds:
                await self._request_code(session)
            elif await requests_of(self._client).sees_scan(step, session.rounds):
                self._end_connected(session)
            elif step.do is Do.REQUEST_CODE:  # the code of the last round never came
                session.end_unscanned(anyio.current_time())
        except AlreadyConnected:
            self._end_connected(session)
        except PlugChatError as error:
            session.end(failed_by(error), anyio.current_time())
        except StoreDown:
            await anyio.sleep(_RETRY)  # the end of the lease ends this
        except _Fenced:
            raise
        except Exception:  # one tenant's broken client must not end the sessions of all others
            logger.exception("a pairing session broke")
            session.end(BROKE, anyio.current_time())

    def _end_connected(self, session: Session) -> None:
        session.end(connected(already=not self._record.state), anyio.current_time())

    async def _request_code(self, session: Session) -> None:
        if self._last_round < self._record.spent:
            await anyio.sleep(_CODE_GRACE)
        before, nonce = self._record, secrets.token_hex(8)

        async def permit() -> None:
            response = await self._store.reserve(self._seal.name, before, nonce=nonce)
            if response.record is None:
                raise StoreDown if response.verdict is Verdict.MISSING else _Fenced
            if response.record.known > self._record.known:
                self._adopt(response.record)

        number, of = before.spent + 1, self._schedule.max_rounds
        # What was requested is brought to its end, unless another process has gone on.
        scope = self._code_request = anyio.CancelScope(shield=True)
        with scope:
            try:
                requests = requests_of(self._client, permit=permit)
                fetched = await requests.fetch_code(number, of)
                session.rounds.show(fetched)
                code = fetched.code
                sealed = seal_state(
                    self._seal, before.session, ShowingCode(qr=code), dated=code.fetched_at
                )
                await self._write(
                    replace(
                        self._record,
                        session=before.session,
                        nonce=nonce,
                        spent=number,
                        state=sealed,
                        asked_at=fetched.began,
                    )
                )
            finally:
                self._code_request = None
        await anyio.lowlevel.checkpoint()  # which ends it here if this process leads no more
        if scope.cancelled_caught:
            session.end(LEFT, anyio.current_time())

    async def _write(self, wanted: Record) -> None:
        """Write a code; if the store is away, show it here, and write it later."""
        try:
            response = await self._store.write(self._seal.name, wanted)
        except StoreDown:
            response = Response(Verdict.MISSING)
        if response.verdict is Verdict.MISSING:
            self._unwritten = wanted
            self._show_record()
            return self.poke()
        self._unwritten = None
        if response.record is None:
            self._show_record()
            raise _Fenced
        if response.record.known > self._record.known:
            self._adopt(response.record)
        return None

    # Endings.

    async def _report(self, ending: Ending) -> None:
        """Tell the app, then watchers: first the store, so that whoever goes on tells the same."""
        report = self._report_of(ending)
        sealed = seal_report(self._seal, self._record.session, report)
        if report.state is None:
            response = await self._insist(lambda: self._store.leave(self._seal.name, ending=sealed))
        else:
            wanted = replace(self._record, stage=Stage.ENDING, ending=sealed)
            response = await self._insist(lambda: self._store.write(self._seal.name, wanted))
        if response.record is None:
            raise _Fenced
        self._adopt(response.record)
        await self._tell(report)

    def _report_of(self, ending: Ending) -> Report:
        record, now = self._record, anyio.current_time()
        began = self._store.clock.to_loop(int(record.session) // 1000)
        age = timedelta(seconds=max(0.0, now - (now if began is None else began)))
        end = PairingEnd(
            name=self._client.name,
            outcome=ending.outcome,
            error_code=ending.state.code if isinstance(ending.state, Failed) else None,
            codes=self._last_round,
            started_at=datetime.now(UTC) - age,
            ended_at=datetime.now(UTC),
        )
        return Report(end=end, state=ending.state)

    @property
    def _last_round(self) -> int:
        """Round of the code that was written last; 0 for none."""
        state = self._open_state(self._record)
        return state.qr.round if isinstance(state, ShowingCode) else 0

    async def _tell(self, report: Report) -> None:
        """Tell the app, and write the ending that watchers see."""
        log_end(report.end)
        with anyio.CancelScope(shield=True):
            await self._hook.call(self._client, report.end)
            state = report.state
            is_linked = state is None or isinstance(state, Connected)
            sealed = "" if state is None else self._sealed_now(state)
            wanted = replace(
                self._record,
                stage=Stage.OVER,
                state=sealed,
                asked_at=anyio.current_time(),
                ending="",
                # Whether the phone is still linked is the API's to say.
                retention=0.0 if is_linked else max(0.0, ENDING_KEPT_FOR - self._linger),
            )
            with anyio.move_on_after(LEASE):
                response = await self._insist(lambda: self._store.write(self._seal.name, wanted))
                if response.record is not None:
                    self._adopt(response.record)

    def _sealed_now(self, state: PairingState) -> str:
        session, now = self._record.session, datetime.now(UTC)
        return seal_state(self._seal, session, state, dated=now)

    async def _insist(self, step: Callable[[], Awaitable[Response]]) -> Response:
        """Take a step as soon as the store can be reached and has the record."""
        while True:
            try:
                response = await step()
                if response.verdict is not Verdict.MISSING:
                    return response
                await self._sync()
            except StoreDown:
                await anyio.sleep(_jittered(_RETRY))

    async def _close(self) -> None:
        """Hand over; the last process ends what runs, and tells the app."""
        if not self._record.session:
            return
        report = self._report_of(LEFT)
        sealed = seal_report(self._seal, self._record.session, report)
        try:
            response = await self._store.leave(self._seal.name, ending=sealed)
            if response.record is not None:
                self._record = response.record
                await self._tell(open_report(self._seal, response.record) or report)
                await self._store.leave(self._seal.name)
        except StoreDown:
            logger.warning("a pairing session could not be handed over: Redis can't be reached")


def _jittered(seconds: float) -> float:
    return seconds * (1 + secrets.randbelow(100) / 200)

"""Many tenants play their sessions in parallel, each one after another, as their scripts say."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import sniffio

from plugchat_async import Expired, Failed, PairingHub, PlugChatError, ShowingCode, Starting
from tests.state_words import word

from .ledger import Session
from .scripts import Script
from .unreliable_sandbox import UnreliableSandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from anyio.abc import TaskGroup

    from plugchat_async import AsyncPlugChat, Pairing, PairingEnd, PairingState, QRCode

    from .ledger import What
    from .scripts import Pace, Scan, Visitor


class WalkOut(Exception):
    """Leave a session from within, as a bug of the program would."""


@dataclass
class Soak:
    """Play at least `sessions` sessions of `tenants` tenants, all drawn from `seed`."""

    seed: int
    tenants: int
    sessions: int
    pace: Pace
    clock: Callable[[], float]
    sandbox: UnreliableSandbox = field(init=False)
    ledger: list[Session] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.sandbox = UnreliableSandbox(clock=self.clock, pace=self.pace)

    async def run(self, client: AsyncPlugChat) -> list[Session]:
        """Play all of it with clients for each tenant, made from one.

        Returns:
            The ledger: each session in the order in which they began.
        """
        random.seed(self.seed)  # the pauses between attempts are jittered by the global dice
        unit = self.pace.unit
        async with (
            PairingHub(
                interval=15 * unit,
                status_interval=4 * unit,
                linger=Script.linger * unit,
                on_end=self._hear,
            ) as hub,
            anyio.create_task_group() as tasks,
        ):
            for number in range(1, self.tenants + 1):
                tenant = Tenant(self, number, client, hub)
                tasks.start_soon(tenant.play)
        return self.ledger

    def _hear(self, client: AsyncPlugChat, end: PairingEnd) -> None:
        """Write the end of a hub's session down, also of one that nobody watches any more."""
        session = self.sandbox.sessions.get(client.name or "")
        if session is not None and not session.is_closed:
            session.end(outcome=end.outcome and str(end.outcome), error=end.error_code)

    async def sleep(self, seconds: float) -> None:
        """Let seconds of a script pass."""
        await anyio.sleep(seconds * self.pace.unit)


class Tenant:
    """One customer with one phone: a session at a time."""

    def __init__(self, soak: Soak, number: int, client: AsyncPlugChat, hub: PairingHub) -> None:
        self.soak = soak
        self.number = number
        self.token = f"tenant-{number}"
        self.client = client.for_token(self.token, name=self.token)
        self.hub = hub
        self._is_linked = False

    async def play(self) -> None:
        """Play sessions until all tenants together have played enough."""
        await self.soak.sleep(self.number * 0.37)  # not all in one moment
        while len(self.soak.ledger) < self.soak.sessions:
            number = next(self.soak.numbers)
            script = Script(self.soak.seed, number, self.soak.pace)
            await self._set_phone(linked=script.linked_before)
            if script.way == "pairing":
                await self._play_pairing(self.begin(number, script))
            else:
                numbers = itertools.chain([number], self.soak.numbers)
                await Visit(self, script.visitors, numbers).play()
            await self.soak.sleep(1)

    def begin(self, number: int, script: Script) -> Session:
        """Open a line in the ledger, to which the calls of this tenant's token go from now on."""
        session = Session(
            number,
            self.number,
            sniffio.current_async_library(),
            script,
            linked_before=self._is_linked,
            sockets=self.soak.pace.unit < 1,
            clock=self.soak.clock,
        )
        self.soak.ledger.append(session)
        self.soak.sandbox.sessions[self.token] = session
        return session

    async def _set_phone(self, *, linked: bool) -> None:
        """Unlink the phone, and link it again by a code that belongs to no session."""
        sandbox = self.soak.sandbox
        sandbox.disconnect(self.token)
        if linked:
            sandbox.sessions.pop(self.token, None)
            code = await self.client.qr_code()
            sandbox.scan(code.payload)
        self._is_linked = linked

    async def scan(self, session: Session, scan: Scan, code: QRCode) -> None:
        """Let the phone scan a code, some seconds after it was shown."""
        await self.soak.sleep(scan.after)
        linked = self.soak.sandbox.scan(code.payload)
        self._is_linked = self._is_linked or linked
        # A visit may have a second session by now.
        present = self.soak.sandbox.sessions[self.token]
        which = scan.round if present is session else f"{scan.round} of session {session.number}"
        present.note("scanned", which, "linked" if linked else "dead")

    async def _play_pairing(self, session: Session) -> None:
        script, unit = session.script, self.soak.pace.unit
        pairing = self.client.pairing(
            interval=script.interval * unit,
            max_rounds=script.max_rounds,
            status_interval=script.status_interval and script.status_interval * unit,
        )
        async with anyio.create_task_group() as tasks:
            if script.presses_after is not None:
                tasks.start_soon(self._press, session, pairing, script.presses_after)

            async def show(code: QRCode) -> None:
                session.note("shown", code.round)
                for scan in script.scans:
                    if scan.round == code.round:
                        tasks.start_soon(self.scan, session, scan, code)
                await self.soak.sleep(script.holds)
                # CPython 3.11 may lose the trace of what was cancelled, and of what comes after it:
                # https://github.com/coveragepy/coveragepy/issues/2124
                if script.walks_out_at == code.round and script.waits:  # pragma: no cover
                    raise WalkOut

            cancelled_after = script.cancelled_after
            delay = None if cancelled_after is None else cancelled_after * unit
            error = None
            with anyio.move_on_after(delay) as scope:
                try:
                    if script.waits:
                        await pairing.wait(show)
                    else:
                        await self._iterate(session, pairing, show)
                except WalkOut:  # pragma: no cover
                    session.note("stopped", "by an exception")
                except PlugChatError as failure:
                    error = failure.code
            if scope.cancelled_caught:
                session.note("stopped", "by cancellation")
            session.end(outcome=pairing.outcome, error=error)
        # The phone and the button may have gone on after the end.
        session.outcome_later = pairing.outcome

    async def _iterate(
        self, session: Session, pairing: Pairing, show: Callable[[QRCode], Awaitable[None]]
    ) -> None:
        async with pairing:
            async for code in pairing:
                await show(code)
                if code.round == session.script.walks_out_at:
                    session.note("stopped", "by break")
                    break

    async def _press(self, session: Session, pairing: Pairing, after: float) -> None:
        await self.soak.sleep(after)
        session.note("pressed", "connected" if await pairing.check() else "not connected")


class Visit:
    """Watchers of the hub come and go: at least one session of one tenant."""

    def __init__(self, tenant: Tenant, visitors: list[Visitor], numbers: Iterator[int]) -> None:
        self._tenant = tenant
        self._hub = tenant.hub
        self._client = tenant.client
        self._sleep = tenant.soak.sleep
        self._visitors = visitors
        self._numbers = numbers
        self._session: Session | None = None
        self._shown: set[int] = set()
        self._watching: list[str] = []

    async def play(self) -> None:
        """Let all watchers come, look and go, and see what becomes of the session."""
        async with anyio.create_task_group() as tasks:
            for number, visitor in enumerate(self._visitors, 1):
                tasks.start_soon(self._watch, f"watcher {number}", visitor, tasks)
        it_lingers = True
        while it_lingers:
            await self._sleep(0.5)
            it_lingers = _is_running(await self._hub.state(self._client))
        self._close(await self._hub.state(self._client))
        # Without a watcher it forgets the session, and the next visit begins anew.
        await self._hub.restart(self._client)

    async def _watch(self, name: str, visitor: Visitor, tasks: TaskGroup) -> None:
        await self._sleep(visitor.joins_after)
        if await self._hub.state(self._client) is None:
            self._begin()
        async with self._hub.watch(self._client) as states:
            self._watching.append(name)
            self._note("joined", name)
            with anyio.move_on_after(visitor.stays * self._tenant.soak.pace.unit):
                async for state in states:
                    self._see(name, state, tasks)
                    await self._sleep(visitor.holds)
                    present = await self._hub.state(self._client)
                    goes_on = visitor.restarts and await self._restart(present)
                    if not (goes_on or _is_running(present)):
                        break
        self._watching.remove(name)
        self._note("left", name)

    def _begin(self) -> None:
        """Open a line for the session that is about to start."""
        self._close(None)
        soak = self._tenant.soak
        number = next(self._numbers)
        self._session = self._tenant.begin(number, Script(soak.seed, number, soak.pace, way="hub"))
        self._shown.clear()
        for name in self._watching:
            self._note("stayed", name)

    async def _restart(self, ending: PairingState | None) -> bool:
        """Press the button that a page shows when there is something to try again."""
        if not isinstance(ending, Expired | Failed):
            return False
        self._begin()
        for _ in range(2):  # two people press it simultaneously
            await self._hub.restart(self._client)
        return True

    def _see(self, name: str, state: PairingState, tasks: TaskGroup) -> None:
        self._note("saw", name, word(state))
        if not _is_running(state):
            self._close(state)
        elif isinstance(state, ShowingCode) and state.qr.round not in self._shown:
            self._shown.add(state.qr.round)
            for scan in self._present.script.scans:
                if scan.round == state.qr.round:
                    tasks.start_soon(self._tenant.scan, self._present, scan, state.qr)

    def _close(self, state: PairingState | None) -> None:
        """Write the ending down, by whoever is the first to see it; None if it was left."""
        session = self._session
        if session is None or session.is_closed:
            return
        if isinstance(state, Failed):
            session.end(outcome=None, error=state.code)
        else:
            session.end(outcome="cancelled" if state is None else word(state))

    @property
    def _present(self) -> Session:
        assert self._session is not None
        return self._session

    def _note(self, what: What, name: str, detail: str = "") -> None:
        self._present.note(what, name, detail)


def _is_running(state: PairingState | None) -> bool:
    return isinstance(state, Starting | ShowingCode)

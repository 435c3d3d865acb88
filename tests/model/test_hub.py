"""The hub against a model of it, in every order in which people come, look, press and go.

A machine draws what happens and tells its model, which says by the second what has to follow. The
same is then played with a `PairingHub` and the sandbox in virtual time on both event loops, and
compared: what each watcher sees, what anyone would see, and every call.
"""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import anyio
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from plugchat_async import (
    AsyncPlugChat,
    PairingEnd,
    PairingHub,
    PairingState,
    ShowingCode,
    Watcher,
)
from plugchat_async.sandbox import Sandbox
from tests.state_words import word

from .playing import SETTINGS, on_both_loops

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

INTERVAL = 15_000
STATUS_INTERVAL = 7_000
VALID_FOR = 20_000
GRACE = 10_000
ENDING_KEPT_FOR = 3_600_000
MAX_ROUNDS = 2
MAX_WATCHERS = 3
TENANTS = ("one", "two")
NEVER = 10**9

Endpoint: TypeAlias = Literal["/qr-code", "/status"]
Seen: TypeAlias = "list[tuple[int, str]]"


@dataclass
class Session:
    """One session of an instance, in milliseconds: what it shows, and what it does next when."""

    state: str = "starting"
    changes: int = 0
    round: int = 0
    asked_at: int = 0
    status_at: int = 0
    shown_until: int = 0
    left_at: int | None = None
    is_in_grace: bool = False
    is_over: bool = False

    @property
    def until(self) -> int:
        """When the next code is due, or the end."""
        return self.asked_at + VALID_FOR + GRACE if self.is_in_grace else self.shown_until

    @property
    def kept_for(self) -> int:
        """How long its ending is kept after the last watcher has left, or -1 for the linger."""
        return -1 if self.state in {"connected", "already_connected"} else ENDING_KEPT_FOR


@dataclass
class Watching:
    """The session of one watcher, and up to which change it has seen it."""

    session: Session
    is_eager: bool
    changes_seen: int = 0
    is_cut_off: bool = False


@dataclass
class Instance:
    """Instance of one tenant, as the gateway knows it."""

    is_linked: bool = False
    has_valid_code: bool = False
    failing: Counter[Endpoint] = field(default_factory=Counter)


class Model:
    """Reference of a hub: a list of moments and what is seen at each."""

    def __init__(self, *, linger: int) -> None:
        self.seen: Seen = []
        self._linger = linger
        self._now = 0
        self.is_open = False
        self._instances = {tenant: Instance() for tenant in TENANTS}
        self._sessions: dict[str, Session] = {}
        self._watchers: dict[str, Watching] = {}

    def advance(self, to: int) -> None:
        """Let time pass."""
        while moments := [
            (moment, tenant)
            for tenant, session in self._sessions.items()
            if (moment := self._next_moment(session)) <= to
        ]:
            self._now, tenant = min(moments)
            self._happen(tenant, self._sessions[tenant])
        self._now = to
        for tenant in TENANTS:
            self._see(f"anyone sees {tenant} {self.state(tenant)}")

    def state(self, tenant: str) -> str:
        """Look without watching."""
        if not self.is_open:
            return "refused"
        if tenant not in self._sessions:
            return "nothing"
        session = self._sessions[tenant]
        return "starting" if self._is_outdated(session) else session.state

    def join(self, name: str, tenant: str, *, is_eager: bool) -> None:
        """Come and watch; who is eager sees every change, who is not has to `glance()`."""
        if not self.is_open or len(self._who_watches(self._sessions.get(tenant))) == MAX_WATCHERS:
            return self._see(f"{name} refused")
        if tenant not in self._sessions:
            self._sessions[tenant] = Session()
            self._begin(tenant)
        session = self._sessions[tenant]
        if self._is_outdated(session):
            self._show(tenant, "starting")
        session.left_at, session.is_in_grace = None, False
        self._watchers[name] = Watching(session, is_eager, session.changes - 1)
        if not session.is_over and session.shown_until <= self._now:
            self._happen(tenant, session)
        if is_eager:
            self.glance(name)
        return None

    def glance(self, name: str) -> None:
        """Look at what has changed since the last look."""
        watching = self._watchers.get(name)
        if watching is None:
            return
        session = watching.session
        if watching.is_cut_off:
            if not watching.is_eager:
                self._see(f"{name} sees the end")
        elif watching.changes_seen != session.changes:
            watching.changes_seen = session.changes
            self._see(f"{name} sees {session.state}")

    def leave(self, name: str) -> None:
        """Go."""
        watching = self._watchers.pop(name, None)
        if watching is not None and not self._who_watches(watching.session):
            watching.session.left_at = self._now

    def restart(self, tenant: str) -> None:
        """Press the button."""
        if not self.is_open:
            return self._see("restart refused")
        session = self._sessions.get(tenant)
        if session is not None and session.is_over:
            if self._who_watches(session):
                self._begin(tenant)
            else:
                del self._sessions[tenant]
        return None

    def close(self) -> None:
        """Close the hub."""
        self.is_open = False
        for tenant, session in self._sessions.items():
            if not session.is_over:
                self._tell_app(tenant, "cancelled")
        self._sessions.clear()
        for name, watching in self._watchers.items():
            if watching.is_eager and not watching.is_cut_off:
                self._see(f"{name} sees the end")
            watching.is_cut_off = True

    def open(self) -> None:
        """Open it again."""
        self.is_open = True

    def scan(self, tenant: str) -> None:
        """Scan the current code."""
        instance = self._instances[tenant]
        if self.state(tenant).startswith("code") and instance.has_valid_code:
            instance.is_linked = True

    def unlink(self, tenant: str) -> None:
        """Unlink the phone, which invalidates the current code."""
        self._instances[tenant].is_linked = self._instances[tenant].has_valid_code = False

    def fail(self, tenant: str, endpoint: Endpoint) -> None:
        """Let the next call of an endpoint fail."""
        self._instances[tenant].failing[endpoint] += 1

    def _is_outdated(self, session: Session) -> bool:
        """Whether its code expired while nobody watched."""
        is_code = session.state.startswith("code") and not self._who_watches(session)
        return is_code and session.asked_at + VALID_FOR <= self._now

    def _lingers_until(self, session: Session) -> int:
        if session.left_at is None or session.is_in_grace:
            return NEVER
        kept_for = session.kept_for if session.is_over else -1
        until = session.left_at + (self._linger if kept_for == -1 else kept_for)
        if session.round == MAX_ROUNDS and not session.is_over:
            until = min(until, session.shown_until)
        return until

    def _next_moment(self, session: Session) -> int:
        due = NEVER if session.is_over else min(session.status_at, session.until)
        return max(self._now, min(due, self._lingers_until(session)))

    def _happen(self, tenant: str, session: Session) -> None:
        if self._now >= self._lingers_until(session):
            if session.is_over:
                del self._sessions[tenant]
            else:
                session.is_in_grace = True
                session.shown_until = max(session.shown_until, session.asked_at + VALID_FOR)
        elif self._now < session.until:
            self._look(tenant, session)
        elif session.round < MAX_ROUNDS and not session.is_in_grace:
            self._ask_for_code(tenant, session)
        else:
            self._look(tenant, session)
            if not session.is_over:
                self._end(tenant, "cancelled" if session.is_in_grace else "expired")

    def _begin(self, tenant: str) -> None:
        session = self._sessions[tenant]
        session.round, session.is_over = 0, False
        self._ask_for_code(tenant, session)

    def _ask_for_code(self, tenant: str, session: Session) -> None:
        instance = self._instances[tenant]
        if self._call(tenant, "/qr-code"):
            self._end(tenant, "server_error")
        elif instance.is_linked:
            self._end(tenant, "connected" if session.round else "already_connected")
        else:
            instance.has_valid_code = True
            session.round += 1
            session.asked_at = self._now
            session.status_at = self._now + STATUS_INTERVAL
            session.shown_until = self._now + INTERVAL
            self._show(tenant, f"code {session.round}")

    def _look(self, tenant: str, session: Session) -> None:
        session.status_at += STATUS_INTERVAL
        if not self._call(tenant, "/status") and self._instances[tenant].is_linked:
            self._end(tenant, "connected")

    def _call(self, tenant: str, endpoint: Endpoint) -> bool:
        """Make a call, and return whether it fails."""
        self._see(f"{tenant} asked {endpoint}")
        failing = self._instances[tenant].failing
        fails = failing[endpoint] > 0
        failing[endpoint] -= fails
        return fails

    def _end(self, tenant: str, state: str) -> None:
        self._tell_app(tenant, state)
        if state == "cancelled":
            del self._sessions[tenant]
        else:
            session = self._sessions[tenant]
            session.is_over, session.is_in_grace = True, False
            if session.left_at is not None:
                session.left_at = self._now
            self._show(tenant, state)

    def _tell_app(self, tenant: str, state: str) -> None:
        self._see(f"the app of {tenant} hears {state}, {self._sessions[tenant].round} codes")

    def _show(self, tenant: str, state: str) -> None:
        session = self._sessions[tenant]
        session.state = state
        session.changes += 1
        for name in self._who_watches(session):
            if self._watchers[name].is_eager:
                self.glance(name)

    def _who_watches(self, session: Session | None) -> list[str]:
        return [name for name, watching in self._watchers.items() if watching.session is session]

    def _see(self, what: str) -> None:
        self.seen.append((self._now, what))


class Player:
    """Do the same with a real hub and the sandbox, and write down what is seen when."""

    def __init__(self, *, linger: int, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._began = anyio.current_time()
        self._last_seen: dict[tuple[int, str], str] = {}
        self._sandbox = Sandbox(clock=anyio.current_time)
        self._client = self._sandbox.client(retries=0)
        self._hub = PairingHub(
            interval=INTERVAL / 1000,
            max_rounds=MAX_ROUNDS,
            status_interval=STATUS_INTERVAL / 1000,
            linger=linger / 1000,
            max_watchers=MAX_WATCHERS,
            on_end=self._hear,
        )
        self._heard: Seen = []
        self._opened = AsyncExitStack()
        self._current: dict[str, PairingState | None] = {}
        self._eager: dict[str, anyio.CancelScope] = {}
        self._slow: dict[str, tuple[AsyncExitStack, Watcher]] = {}

    @property
    def seen(self) -> Seen:
        """All calls, and what was seen: of several states in one moment, the last."""
        calls = [
            (round(call.at * 1000), f"{call.token} asked {call.endpoint}")
            for call in self._sandbox.calls
        ]
        seen = [(at, f"{who} {what}") for (at, who), what in self._last_seen.items()]
        return calls + self._heard + seen

    async def advance(self, to: int) -> None:
        """Let time pass."""
        await anyio.sleep_until(self._began + to / 1000)
        for tenant in TENANTS:
            try:
                state = await self._hub.state(self._client.for_token(tenant))
            except RuntimeError:
                self._see(f"anyone sees {tenant}", "refused")
                self._current[tenant] = None
            else:
                self._see(f"anyone sees {tenant}", "nothing" if state is None else word(state))
                self._current[tenant] = state

    async def join(self, name: str, tenant: str, *, is_eager: bool) -> None:
        """Come and watch."""
        if is_eager:
            self._eager[name] = anyio.CancelScope()
            self._tasks.start_soon(self._watch, name, tenant)
            return
        stay = AsyncExitStack()
        try:
            states = await stay.enter_async_context(self._watcher(tenant))
        except RuntimeError:
            self._see(name, "refused")
        else:
            self._slow[name] = stay, states

    async def glance(self, name: str) -> None:
        """Look, and don't wait for anything to change."""
        if name in self._slow:
            with anyio.move_on_after(0.0001):
                await self._look(name, self._slow[name][1])

    async def leave(self, name: str) -> None:
        """Go."""
        if name in self._eager:
            self._eager.pop(name).cancel()
        if name in self._slow:
            stay, _ = self._slow.pop(name)
            await stay.aclose()

    async def restart(self, tenant: str) -> None:
        """Press the button twice."""
        try:
            for _ in range(2):
                await self._hub.restart(self._client.for_token(tenant))
        except RuntimeError:
            self._see("restart", "refused")

    async def open(self) -> None:
        """Open the hub, also once more."""
        await self._opened.enter_async_context(self._hub)

    async def close(self) -> None:
        """Close the hub."""
        await self._opened.aclose()

    async def scan(self, tenant: str) -> None:
        """Scan the current code."""
        state = self._current.get(tenant)
        if isinstance(state, ShowingCode):
            self._sandbox.scan(state.qr.payload)

    async def unlink(self, tenant: str) -> None:
        """Unlink the phone."""
        self._sandbox.disconnect(tenant)

    async def fail(self, tenant: str, endpoint: Endpoint) -> None:
        """Let the next call of an endpoint fail."""
        self._sandbox.answer_next("server_error", endpoint=endpoint, token=tenant)

    async def _hear(self, client: AsyncPlugChat, ending: PairingEnd) -> None:
        outcome = ending.outcome or ending.error_code
        what = f"the app of {client.name} hears {outcome}, {ending.codes} codes"
        self._heard.append((self._now, what))

    def _watcher(self, tenant: str) -> Watcher:
        return self._hub.watch(self._client.for_token(tenant, name=tenant))

    async def _watch(self, name: str, tenant: str) -> None:
        with self._eager[name]:
            try:
                async with self._watcher(tenant) as states:
                    while await self._look(name, states):
                        pass
            except RuntimeError:
                self._see(name, "refused")

    async def _look(self, name: str, states: Watcher) -> bool:
        try:
            state = await anext(states)
        except StopAsyncIteration:
            self._see(name, "sees the end")
            return False
        self._see(name, f"sees {word(state)}")
        return True

    @property
    def _now(self) -> int:
        return round((anyio.current_time() - self._began) * 1000)

    def _see(self, who: str, what: str) -> None:
        self._last_seen[self._now, who] = what


# To a model it happens immediately, to a player it is awaited.
Action: TypeAlias = "Callable[[Any, str, str], Any]"

ACTIONS: dict[str, Action] = {
    "glance": lambda one, _, watcher: one.glance(watcher),
    "leave": lambda one, _, watcher: one.leave(watcher),
    "restart": lambda one, tenant, _: one.restart(tenant),
    "scan": lambda one, tenant, _: one.scan(tenant),
    "unlink": lambda one, tenant, _: one.unlink(tenant),
    "let a code fail": lambda one, tenant, _: one.fail(tenant, "/qr-code"),
    "let a look fail": lambda one, tenant, _: one.fail(tenant, "/status"),
    "close": lambda one, *_: one.close(),
    "join eagerly": lambda one, tenant, watcher: one.join(watcher, tenant, is_eager=True),
    "join slowly": lambda one, tenant, watcher: one.join(watcher, tenant, is_eager=False),
}
JOINS = ("join eagerly", "join slowly")


class Hubs(RuleBasedStateMachine):
    """Draw a hub's life. Each thing happens in another millisecond, so that none ties."""

    @initialize(linger=st.sampled_from([0, 2_000]))
    def begin(self, linger: int) -> None:
        """Make a hub."""
        self.linger = linger
        self.now = 0
        self.model = Model(linger=linger)
        self.script: list[tuple[int, Action, str, str]] = []
        self.watchers = ["nobody"]
        self.open()

    # One rule and not one for each action: Hypothesis leaves rules out of whole examples, and
    # without watchers or scans little happens.
    @rule(
        after=st.sampled_from([0, 1, 2, 6, 14, 22, 31, 3_700]),
        action=st.sampled_from(["scan", "leave", *JOINS, *ACTIONS]),
        tenant=st.sampled_from(["one", *TENANTS]),
        place=st.integers(0, 2),
    )
    def let(self, after: int, action: str, tenant: str, place: int) -> None:
        """Let something happen after some seconds, to a tenant or one of the last watchers."""
        if action in JOINS:
            self.watchers.append(f"watcher {len(self.watchers)}")
            place = 0
        self._let(after, ACTIONS[action], tenant, self.watchers[-1 - place % len(self.watchers)])

    @precondition(lambda self: not self.model.is_open)
    @rule()
    def open(self) -> None:
        """Open it once more."""
        self._let(1, lambda one, *_: one.open())

    def _let(self, after: int, action: Action, tenant: str = "", watcher: str = "") -> None:
        """Let it happen to the model now, and to the hub later."""
        self.now += 1000 * after + 1
        self.model.advance(self.now)
        action(self.model, tenant, watcher)
        self.script.append((self.now, action, tenant, watcher))

    def teardown(self) -> None:
        """Play it, and compare what was seen with what the model said."""
        end = self.now + 60_000
        self.model.advance(end)
        for loop, seen in on_both_loops(partial(play, self.linger, self.script, end)):
            assert (loop, sorted(seen)) == (loop, sorted(self.model.seen))


async def play(linger: int, script: list[tuple[int, Action, str, str]], end: int) -> Seen:
    """Play a hub's life, and give what was seen of it."""
    async with anyio.create_task_group() as tasks:
        player = Player(linger=linger, tasks=tasks)
        for at, action, tenant, watcher in script:
            await player.advance(at)
            await action(player, tenant, watcher)
        await player.advance(end)
        seen = player.seen
        await player.close()
    return seen


Hubs.TestCase.settings = SETTINGS
TestEveryHub = Hubs.TestCase


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.parametrize(
    "story",
    [
        pytest.param([(5, "scan")], id="a look sees the scan"),
        pytest.param([(15, "glance"), (14, "scan")], id="the last look sees it"),
        pytest.param([(31, "restart"), (5, "scan")], id="a second session is linked"),
        pytest.param([(5, "leave"), (6, "join slowly")], id="all have left"),
        pytest.param([(5, "leave"), (1, "join slowly")], id="one comes back"),
        pytest.param([(5, "leave"), (6, "scan")], id="all have left before the scan"),
        pytest.param([(5, "leave"), (22, "join slowly")], id="one comes back for the next round"),
        pytest.param([(22, "leave"), (22, "join eagerly")], id="one comes back after the last"),
        pytest.param(
            [(5, "scan"), (14, "leave"), (6, "unlink"), (0, "join slowly")], id="unlinked"
        ),
        pytest.param([(31, "leave"), (3_700, "join slowly")], id="one comes back after an hour"),
        pytest.param([(31, "leave"), (0, "restart")], id="the last one to leave restarts"),
        pytest.param([(22, "glance"), (6, "leave"), (6, "scan")], id="all leave before the end"),
        pytest.param([(5, "close"), (0, "glance"), (0, "restart")], id="the hub is closed"),
    ],
)
def test_the_usual_lives_of_a_hub(join: str, story: list[tuple[int, str]]) -> None:
    """The machine would find them, too, but not in every run."""
    machine = Hubs()
    machine.begin(2_000)
    for after, action in [(0, join), *story]:
        machine.let(after, action, "one", 0)
    machine.teardown()

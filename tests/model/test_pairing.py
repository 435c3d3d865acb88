"""A session against a model of it, in every order of what can happen to one.

A machine draws what happens and tells its model, which says by the second what has to follow. The
same is then played with a `Pairing` in virtual time on both event loops, and compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import anyio
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from plugchat_async import (
    AlreadyConnected,
    InstanceStatus,
    Pairing,
    PairingOutcome,
    PlugChatError,
    QRCode,
    ServerError,
)
from plugchat_async._requests import Requests
from plugchat_async._schedule import Fetched, Schedule

from .playing import SETTINGS, on_both_loops

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

NEVER = 10**9
VALID_FOR = 20_000


class Setting(NamedTuple):
    """How a session is set up, and how slow its gateway is; times are in milliseconds."""

    interval: int
    max_rounds: int
    status_interval: int | None
    code_takes: int
    status_takes: int


@dataclass
class World:
    """State outside of the session, for the model and for the gateway alike."""

    is_linked: bool = False
    codes_fail: bool = False
    status_fails: bool = False
    is_closed: bool = False


@dataclass
class Model:
    """Reference of a session: a list of moments and what is seen at each.

    `take()` is one step of the iteration: it waits until the next code is due, while looks are made
    at the status, and asks for the code. `due`, `look_at` and the `…_told_at` are the moments at
    which something has to happen next.
    """

    setting: Setting
    world: World
    seen: list[tuple[int, str]] = field(default_factory=list)
    now: int = 0
    outcome: PairingOutcome | None = None
    is_over: bool = False
    round: int = 0
    asked_for: int = 0
    asked_at: int = 0
    is_stepping: bool = False
    due: int = NEVER
    look_at: int = NEVER
    looked_at: int = NEVER
    look_told_at: int = NEVER
    code_told_at: int = NEVER
    last_look_told_at: int = NEVER
    checks_told_at: list[int] = field(default_factory=list)

    def advance(self, to: int) -> None:
        """Let time pass."""
        while (moment := self._next_moment()) <= to:
            self.now = moment
            self._happen()
        self.now = to
        self._see(f"outcome {self.outcome}, code {self._current()}")

    def take(self) -> None:
        """Ask for the next code."""
        if self.is_stepping:
            self._see("step refused")
        elif self.is_over:
            self._see("step stopped")
        elif self.round == 0:
            self.is_stepping = True
            self._come_due()
        else:
            self.is_stepping = True
            self.due = max(self._shown_until(), self.now)
            if self.setting.status_interval is not None:
                self.look_at = max(self.asked_at + self.setting.status_interval, self.now)

    def cancel(self) -> None:
        """Cancel the step, after which another one can be made."""
        if self.is_stepping:
            self._end_step("cancelled")

    def check(self) -> None:
        """Press "I have scanned it"."""
        if self.is_over:
            self._see(f"check {self._is_connected()}")
        elif self.world.is_closed:
            self._see("check refused")
        else:
            self._see("look")
            self.checks_told_at.append(self.now + self.setting.status_takes)

    def leave(self) -> None:
        """Leave the context."""
        self._end(PairingOutcome.CANCELLED)

    def _next_moment(self) -> int:
        look_at = self.look_at if self.look_at < self.due else NEVER
        return min(
            self.due,
            look_at,
            self.look_told_at,
            self.code_told_at,
            self.last_look_told_at,
            *self.checks_told_at,
        )

    def _happen(self) -> None:
        match self.now:
            case self.due:
                self._come_due()
            case self.code_told_at:
                self._be_told_a_code()
            case self.look_told_at:
                self.look_told_at = NEVER
                self.look_at = max(self.looked_at + (self.setting.status_interval or 0), self.now)
                if self._status_says_connected():
                    self._end_connected()
            case self.last_look_told_at:
                was_told = self.setting.status_takes < self.setting.interval
                if was_told and self._status_says_connected():
                    self._end_connected()
                else:
                    self._end(PairingOutcome.EXPIRED)
            case self.look_at:
                self._look()
            case _:
                self.checks_told_at.remove(self.now)
                if self._status_says_connected():
                    self._end_connected()
                self._see(f"check {self._is_connected()}")

    def _shown_until(self) -> int:
        """Return when the code is over: a slow or a last one is shown for as long as others."""
        takes, interval = self.setting.code_takes, self.setting.interval
        is_last = self.round == self.setting.max_rounds
        if is_last or takes > interval / 2:
            return self.asked_at + min(takes + interval, VALID_FOR)
        return self.asked_at + interval

    def _come_due(self) -> None:
        """Ask for the next code; after the last one, whether it was scanned in its last moment."""
        self.due = self.look_at = self.look_told_at = NEVER
        if self.asked_for < self.setting.max_rounds:
            self._ask_for_code()
        elif self.setting.status_interval is None:
            self._end(PairingOutcome.EXPIRED)
        elif self.world.is_closed:
            self._fail("refused")
        else:
            self._see("look")
            self.last_look_told_at = self.now + min(
                self.setting.status_takes, self.setting.interval
            )

    def _ask_for_code(self) -> None:
        if self.world.is_closed:
            self._fail("refused")
        else:
            self.asked_for += 1
            self._see(f"ask for code {self.asked_for}")
            self.code_told_at = self.now + self.setting.code_takes

    def _be_told_a_code(self) -> None:
        asked_at = self.code_told_at - self.setting.code_takes
        if self.world.is_linked:
            self._end_connected()
        elif self.world.codes_fail:
            self._fail("failed")
        else:
            self.round = self.asked_for
            self.asked_at = asked_at
            self._end_step(f"showed code {self.round}")

    def _look(self) -> None:
        if self.world.is_closed:
            return self._fail("refused")
        self._see("look")
        self.looked_at, self.look_at = self.now, NEVER
        self.look_told_at = self.now + self.setting.status_takes
        return None

    def _end_connected(self) -> None:
        self._end(PairingOutcome.CONNECTED if self.round else PairingOutcome.ALREADY_CONNECTED)

    def _end(self, outcome: PairingOutcome) -> None:
        """End the session, unless it has ended before."""
        if self.is_over:
            return
        self.is_over, self.outcome = True, outcome
        if self.is_stepping:
            self._end_step("stopped")

    def _fail(self, how: str) -> None:
        """End the session without an outcome."""
        self.is_over = True
        self._end_step(how)

    def _end_step(self, how: str) -> None:
        self.is_stepping = False
        self.due = self.look_at = self.look_told_at = NEVER
        self.code_told_at = self.last_look_told_at = NEVER
        self._see(f"step {how}")

    def _status_says_connected(self) -> bool:
        return self.world.is_linked and not self.world.status_fails

    def _is_connected(self) -> bool:
        return self.outcome in {PairingOutcome.CONNECTED, PairingOutcome.ALREADY_CONNECTED}

    def _current(self) -> int | None:
        return None if self.is_over or self.round == 0 else self.round

    def _see(self, what: str) -> None:
        self.seen.append((self.now, what))


class Player:
    """Do the same with a real session, and write down what is seen when."""

    def __init__(self, setting: Setting, tasks: TaskGroup) -> None:
        self._setting = setting
        self._tasks = tasks
        self._steps: list[anyio.CancelScope] = []
        self._began = anyio.current_time()
        self.world = World()
        self.seen: list[tuple[int, str]] = []
        self._pairing = Pairing(
            Requests(self._fetch_code, self._ask_status, self._ask_status),
            Schedule(
                setting.interval / 1000,
                setting.max_rounds,
                setting.status_interval and setting.status_interval / 1000,
            ),
        )

    async def advance(self, to: int) -> None:
        """Let time pass."""
        await anyio.sleep_until(self._began + to / 1000)
        code = self._pairing.qr
        self._see(f"outcome {self._pairing.outcome}, code {code and code.round}")

    def take(self) -> None:
        """Ask for the next code, in a separate task."""
        self._tasks.start_soon(self._take)

    def cancel(self) -> None:
        """Cancel that task."""
        for step in self._steps:
            step.cancel()

    def check(self) -> None:
        """Press the button, in a separate task."""
        self._tasks.start_soon(self._check)

    def leave(self) -> None:
        """Leave the context."""
        self._tasks.start_soon(self._pairing.__aexit__, None, None, None)

    async def _take(self) -> None:
        with anyio.CancelScope() as step:
            self._steps.append(step)
            try:
                code = await anext(self._pairing)
            except StopAsyncIteration:
                self._see("step stopped")
            except PlugChatError:
                self._see("step failed")
            except RuntimeError:
                self._see("step refused")
            else:
                self._see(f"step showed code {code.round}")
        if step.cancelled_caught:
            self._see("step cancelled")

    async def _check(self) -> None:
        try:
            self._see(f"check {await self._pairing.check()}")
        except RuntimeError:
            self._see("check refused")

    async def _fetch_code(self, number: int, of: int) -> Fetched:
        self._call(f"ask for code {number}")
        began = anyio.current_time()
        await anyio.sleep(self._setting.code_takes / 1000)
        if self.world.is_linked:
            raise AlreadyConnected("linked", status_code=200)
        if self.world.codes_fail:
            raise ServerError("down", status_code=500)
        code = QRCode(payload="code", round=number, rounds=of)
        return Fetched(code, began, anyio.current_time())

    async def _ask_status(self) -> InstanceStatus:
        self._call("look")
        await anyio.sleep(self._setting.status_takes / 1000)
        if self.world.status_fails:
            raise ServerError("down", status_code=500)
        return InstanceStatus(connected=self.world.is_linked)

    def _call(self, what: str) -> None:
        if self.world.is_closed:
            raise RuntimeError("closed")
        self._see(what)

    def _see(self, what: str) -> None:
        self.seen.append((round((anyio.current_time() - self._began) * 1000), what))


Action: TypeAlias = "Callable[[Model | Player], None]"


SETTINGS_OF_A_SESSION = st.builds(
    Setting,
    interval=st.just(15_000),
    max_rounds=st.integers(1, 3),
    status_interval=st.sampled_from([2_000, 7_000, None]),
    code_takes=st.sampled_from([0, 400, 5_100, 8_300, 18_700]),
    status_takes=st.sampled_from([0, 300, 2_700, 30_000]),
)


def let_be(**changes: bool) -> Action:
    """Change the world: the phone, the gateway, the client."""
    return lambda one: vars(one.world).update(changes)


ACTIONS: dict[str, Action] = {
    "take": lambda one: one.take(),
    "cancel": lambda one: one.cancel(),
    "check": lambda one: one.check(),
    "leave": lambda one: one.leave(),
    "link": let_be(is_linked=True),
    "unlink": let_be(is_linked=False),
    "break the codes": let_be(codes_fail=True),
    "mend the codes": let_be(codes_fail=False),
    "break the status": let_be(status_fails=True),
    "mend the status": let_be(status_fails=False),
    "close": let_be(is_closed=True),
    "open": let_be(is_closed=False),
}


class Sessions(RuleBasedStateMachine):
    """Draw sessions' lives. Each thing happens in another millisecond, so that none ties."""

    def __init__(self) -> None:
        super().__init__()
        self.stories: list[tuple[Model, list[tuple[int, Action]]]] = []

    @initialize(setting=SETTINGS_OF_A_SESSION)
    def begin(self, setting: Setting) -> None:
        """Make a session."""
        self.now = 0
        self.model = Model(setting, World())
        self.script: list[tuple[int, Action]] = []
        self.stories.append((self.model, self.script))

    @precondition(lambda self: self.model.is_over)
    @rule(setting=SETTINGS_OF_A_SESSION)
    def begin_another(self, setting: Setting) -> None:
        """Make one more, after the end of this one."""
        self.begin(setting)

    # One rule and not one for each action: Hypothesis leaves rules out of whole examples, and
    # without a `take` nothing happens.
    @rule(
        after=st.sampled_from([0, 1, 2, 6, 14, 31]),
        action=st.sampled_from(["take", "take", "take", "link", *ACTIONS]),
    )
    def let(self, after: int, action: str) -> None:
        """Let something happen after some seconds, to the model now and to the session later."""
        self.now += 1000 * after + 1
        self.model.advance(self.now)
        ACTIONS[action](self.model)
        self.script.append((self.now, ACTIONS[action]))

    def teardown(self) -> None:
        """Play them, and compare what was seen with what the models said."""
        for model, script in self.stories:
            end = model.now + 100_000
            model.advance(end)
            for loop, seen in on_both_loops(partial(play, model.setting, script, end)):
                assert (loop, sorted(seen)) == (loop, sorted(model.seen))


async def play(
    setting: Setting, script: list[tuple[int, Action]], end: int
) -> list[tuple[int, str]]:
    """Play one session, and give what was seen of it."""
    async with anyio.create_task_group() as tasks:
        player = Player(setting, tasks)
        for at, action in script:
            await player.advance(at)
            action(player)
        await player.advance(end)
    return player.seen


Sessions.TestCase.settings = SETTINGS
TestEverySession = Sessions.TestCase


@pytest.mark.parametrize(
    "story",
    [
        pytest.param([(5, "link")], id="a look sees the scan"),
        pytest.param([(12, "link")], id="the last look sees it"),
        pytest.param([(4, "link"), (0, "check")], id="a check sees it"),
        pytest.param([(3, "break the status"), (2, "link")], id="no look sees it"),
        pytest.param([(4, "link"), (0, "check"), (0, "leave")], id="a check gets a late response"),
        pytest.param([(1, "close"), (0, "check")], id="the client is closed"),
        pytest.param([(1, "cancel"), (30, "take")], id="the iteration goes on after a pause"),
    ],
)
def test_the_usual_lives_of_a_session(story: list[tuple[int, str]]) -> None:
    """The machine would find them, too, but not in every run."""
    machine = Sessions()
    machine.begin(Setting(15_000, 1, 7_000, 400, 300))
    for after, action in [(0, "take"), (2, "take"), *story]:
        machine.let(after, action)
    machine.teardown()

"""Random lives of several processes: invariants, whatever dies or is lost."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import anyio
import pytest
import trio

from plugchat_async import PairingEnd, PairingState, ShowingCode
from plugchat_async.redis import _follower, _local_copy
from plugchat_async.redis._record import Stage
from plugchat_async.sandbox import Sandbox

from .memory_hub import MemoryHub
from .memory_store import MemoryServer

pytestmark = pytest.mark.anyio

# The rest is for the journeys.
SEEDS = [pytest.param(seed, marks=[] if seed < 3 else pytest.mark.journey) for seed in range(15)]
EVENTS = ("watch", "watch", "leave", "restart", "close", "kill", "cut", "down", "lossy", "scan")


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


class Life:
    """Three processes or more, one instance, and a list of what each viewer saw.

    Attributes:
        is_one_lost: Whether nobody was left to report a session that a process had left.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.sandbox = Sandbox(clock=anyio.current_time)
        self.server = MemoryServer(rng=self.rng)
        self.server.latency = self.rng.choice([0.0, 0.05, 0.5])
        self.seen: dict[MemoryHub, PairingState] = {}
        self.endings: list[PairingEnd] = []
        self.viewers: dict[MemoryHub, anyio.CancelScope] = {}
        self.closing: dict[MemoryHub, anyio.Event] = {}
        self.is_one_lost = False
        self.violations: list[str] = []

    async def process(self, *, task_status: Any) -> None:
        """Run a process until it is closed or killed."""
        hub = MemoryHub(self.server, on_end=lambda _, ending: self.endings.append(ending))
        self.closing[hub] = anyio.Event()
        async with hub:
            task_status.started()
            await self.closing[hub].wait()

    def come(self, hub: MemoryHub, tasks: anyio.abc.TaskGroup) -> None:
        """Let a viewer come, unless one is there."""
        if hub not in self.viewers:
            self.viewers[hub] = anyio.CancelScope()
            tasks.start_soon(self.view, hub)

    async def view(self, hub: MemoryHub) -> None:
        """View in a process, until the viewer leaves."""
        with self.viewers[hub]:
            async with hub.watch(self.sandbox.client()) as states:
                before = ("0", 0)
                async for state in states:
                    self.seen[hub] = state
                    number = state.qr.round if isinstance(state, ShowingCode) else 0
                    now = (states.version.split("-")[0], number)
                    if number and now < before:
                        self.violations.append(f"a screen went back from {before} to {now}")
                    before = max(before, now)
        del self.viewers[hub]
        self.seen.pop(hub, None)

    async def live(self) -> None:
        """Let things happen, then heal all and wait for an agreement."""
        rng = self.rng
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                await tasks.start(self.process)
            for _ in range(rng.randint(5, 20)):
                await anyio.sleep(rng.choice([0.01, 0.3, 1, 3, 7, 15]) * rng.uniform(0.5, 1.2))
                hubs = [hub for hub, closing in self.closing.items() if not closing.is_set()]
                if not hubs:
                    await tasks.start(self.process)
                    continue
                await self.happen(rng.choice(EVENTS), rng.choice(hubs), tasks)
            self.server.is_up, self.server.loss = True, 0.0
            hubs = [hub for hub, closing in self.closing.items() if not closing.is_set()]
            for hub in hubs:
                hub.store.reconnect()
            await anyio.sleep(rng.choice([0.1, 3]))
            if self.is_one_lost or rng.random() < 0.5:
                await self.agree(hubs, tasks)
            for scope in [*self.viewers.values()]:
                scope.cancel()
            for closing in self.closing.values():
                closing.set()
        self.check()

    async def agree(self, hubs: list[MemoryHub], tasks: anyio.abc.TaskGroup) -> None:
        """Let somebody watch in each process until all see one ending."""
        for hub in hubs:
            self.come(hub, tasks)
        await anyio.sleep(100)
        finals = {state.kind for hub, state in self.seen.items() if hub in hubs}
        if len(finals) > 1 or not finals <= {"expired", "connected", "failed"}:
            self.violations.append(f"no agreement: {finals}")

    async def happen(self, event: str, hub: MemoryHub, tasks: anyio.abc.TaskGroup) -> None:
        """Let one thing happen."""
        server = self.server
        if event == "watch":
            self.come(hub, tasks)
        elif event == "leave" and hub in self.viewers:
            self.viewers[hub].cancel()
        elif event == "restart":
            tasks.start_soon(hub.restart, self.sandbox.client())
        elif event in {"close", "kill"}:
            can_report = event == "close" and hub.store.is_connected and server.is_up
            others = [each for each in self.closing if each is not hub and each.store.is_connected]
            self.is_one_lost |= not (can_report or any(each._followers for each in others))
            hub.store.is_connected = event == "close"
            self.closing[hub].set()
            await tasks.start(self.process)
        elif event == "cut":
            hub.store.is_connected = False
            tasks.start_soon(self.mend, hub)
        elif event == "down":
            open_hubs = [each for each, closing in self.closing.items() if not closing.is_set()]
            self.is_one_lost |= len(server.stores) > len(open_hubs)
            server.is_up = False
            tasks.start_soon(self.start_server)
        elif event == "lossy":
            server.loss = self.rng.choice([0.0, 0.5, 1.0])
        elif event == "scan":
            for state in [*self.seen.values()]:
                if isinstance(state, ShowingCode):
                    self.sandbox.scan(state.qr.payload)

    async def mend(self, hub: MemoryHub) -> None:
        """Connect a process again, unless it was closed or killed."""
        await anyio.sleep(self.rng.choice([1, 4, 7, 15]))
        if not self.closing[hub].is_set():
            hub.store.reconnect()

    async def start_server(self) -> None:
        """Let the server be back after a while."""
        await anyio.sleep(self.rng.choice([0.5, 3, 6, 14]))
        self.server.is_up = True

    def check(self) -> None:
        """Compare the requests with the permits."""
        permits: dict[int, set[str]] = defaultdict(set)
        for _, _, row in self.server.history:
            if row.nonce:
                permits[row.session].add(row.nonce)
        ended = {row.session for *_, row in self.server.history if row.stage is Stage.ENDING}
        begun = {row.session for *_, row in self.server.history if row.spent}
        if len(self.endings) < len(ended if self.is_one_lost else ended | begun):
            self.violations.append("an ending was not reported")
        requested = sum(call.endpoint == "/qr-code" for call in self.sandbox.calls)
        if any(len(nonces) > 3 for nonces in permits.values()):
            self.violations.append("a session had more than three permits")
        if requested > sum(map(len, permits.values())):
            self.violations.append("a request without a permit")


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return what a life is drawn from, which also settles what else is left to chance."""
    seed: int = request.param
    rng = random.Random(seed)
    for module in (_follower, _local_copy):
        monkeypatch.setattr(module, "jittered", lambda seconds: seconds * rng.uniform(1, 1.5))
    # As Hypothesis does it: there is no public way.
    monkeypatch.setattr(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    monkeypatch.setattr(trio._core._run, "_r", random.Random(seed))
    return seed


async def test_whatever_happens_codes_are_permitted_and_screens_agree(seed: int) -> None:
    """Never more than three codes a session, none taken back, and one ending for everybody."""
    life = Life(seed)
    await life.live()
    assert life.violations == []

"""Cost of telling 1,000 watchers of one change of state, beside a bare `anyio.Event`.

The bare one is a number, and an event for each change of it. Nothing is fetched: a hub's session is
told of the change as its poller would.
"""

from __future__ import annotations

import time

import anyio
import httpx

from plugchat_async import AsyncPlugChat, PairingHub, ShowingCode, Starting, Watcher

from .figures import Figure
from .interleaving import in_turns

WATCHERS = 1000
CHANGES = 20
RUNS = 15


def measure() -> list[Figure]:
    """Take both in turns, on both event loops."""
    return [
        Figure.from_pairs(
            anyio.run(_pairs, backend=backend),
            what=f"a change of state, per watcher, {backend}",
            unit="µs of CPU",
            against="a bare `anyio.Event`",
            ratio_goal=1.0,
        )
        for backend in ("asyncio", "trio")
    ]


async def _pairs() -> list[tuple[float, float]]:
    return await in_turns(_hub_broadcast, _bare_broadcast, runs=RUNS)


class Bare:
    """The least that reaches everybody: a value, and an event for each change."""

    def __init__(self) -> None:
        self.value = 0
        self.changed = anyio.Event()

    def change(self) -> None:
        """Wake everybody."""
        self.value += 1
        self.changed.set()
        self.changed = anyio.Event()


async def _bare_broadcast() -> float:
    bare = Bare()
    reached = 0

    async def watch() -> None:
        nonlocal reached
        seen = 0
        while seen < CHANGES:
            while bare.value == seen:
                await bare.changed.wait()
            seen = bare.value
            reached += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(WATCHERS):
            tasks.start_soon(watch)
        await anyio.wait_all_tasks_blocked()
        began = time.process_time()
        for change in range(1, CHANGES + 1):
            bare.change()
            while reached < change * WATCHERS:
                await anyio.lowlevel.checkpoint()
        ended = time.process_time()
    return _per_watcher(ended - began)


async def _hub_broadcast() -> float:
    reached = 0
    never = anyio.Event()

    async def respond(request: httpx.Request) -> httpx.Response:
        await never.wait()
        return httpx.Response(200)

    async def watch(states: Watcher) -> None:
        nonlocal reached
        async with states:
            async for state in states:
                if isinstance(state, ShowingCode):
                    reached += 1

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http_client:
        client = AsyncPlugChat("token", http_client=http_client)
        async with PairingHub(status_interval=None) as hub, anyio.create_task_group() as tasks:
            watchers = [hub.watch(client) for _ in range(WATCHERS)]
            for watcher in watchers:
                tasks.start_soon(watch, watcher)
            await anyio.wait_all_tasks_blocked()
            # The private poller shows codes by itself: polling PlugChat is not measured.
            (poller,) = hub._pollers.values()
            assert isinstance(poller.state, Starting)
            code = ShowingCode.model_validate({"qr": {"payload": "2@code"}})
            began = time.process_time()
            for change in range(1, CHANGES + 1):
                poller._show(code.model_copy())
                while reached < change * WATCHERS:
                    await anyio.lowlevel.checkpoint()
            ended = time.process_time()
            tasks.cancel_scope.cancel()
    return _per_watcher(ended - began)


def _per_watcher(seconds: float) -> float:
    return seconds * 1e6 / CHANGES / WATCHERS

"""How long one change of state takes to reach 1,000 watchers, beside a bare `anyio.Event`.

Both are measured in one process and in turns, so that a noisy machine slows both. The figure to
look at is the ratio.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import anyio
import httpx

from plugchat_async import AsyncPlugChat, PairingHub, ShowingCode, Starting, Watcher

WATCHERS = 1000
CHANGES = 20
ROUNDS = 15


class Bare:
    """The least that reaches everybody: a value, and an event for each change."""

    def __init__(self) -> None:
        self.value = 0
        self.changed = anyio.Event()

    def change(self) -> None:
        self.value += 1
        self.changed.set()
        self.changed = anyio.Event()


async def bare_broadcast() -> float:
    """Return milliseconds for one change to reach every watcher."""
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
        began = time.perf_counter()
        for change in range(1, CHANGES + 1):
            bare.change()
            while reached < change * WATCHERS:
                await anyio.lowlevel.checkpoint()
        ended = time.perf_counter()
    return (ended - began) * 1000 / CHANGES


async def hub_broadcast() -> float:
    """Return milliseconds for one change to reach every watcher of a hub."""
    changes = 0
    reached = 0
    next_code = anyio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        await next_code.wait()
        return httpx.Response(200, json={"value": f"2@{changes}"})

    async def watch(states: Watcher) -> None:
        nonlocal reached
        async with states:
            async for state in states:
                if isinstance(state, ShowingCode):
                    reached += 1

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http_client:
        client = AsyncPlugChat("token", http_client=http_client)
        async with PairingHub(status_interval=None) as hub, anyio.create_task_group() as tasks:
            watchers = [hub.watch(client) for _ in range(WATCHERS)]
            for watcher in watchers:
                tasks.start_soon(watch, watcher)
            await anyio.wait_all_tasks_blocked()
            # The session itself is told of the change, as its poller would: the call is not timed.
            (session,) = hub._sessions.values()
            assert isinstance(session.state, Starting)
            code = ShowingCode.model_validate({"qr": {"payload": "2@code"}})
            began = time.perf_counter()
            for change in range(1, CHANGES + 1):
                session.show(code.model_copy())
                while reached < change * WATCHERS:
                    await anyio.lowlevel.checkpoint()
            took = (time.perf_counter() - began) * 1000 / CHANGES
            tasks.cancel_scope.cancel()
    return took


async def measure() -> dict[str, float]:
    """Take both in turns, and the median of the ratios."""
    await bare_broadcast()
    await hub_broadcast()
    pairs = [(await hub_broadcast(), await bare_broadcast()) for _ in range(ROUNDS)]
    ratios = [hub / bare for hub, bare in pairs]
    return {
        "hub_ms": statistics.median(hub for hub, _ in pairs),
        "bare_ms": statistics.median(bare for _, bare in pairs),
        "ratio": statistics.median(ratios),
        "ratio_least": min(ratios),
        "ratio_most": max(ratios),
    }


def main() -> None:
    """Print a table, and write it as JSON where a file is named."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", type=Path)
    file = arguments.parse_args().json
    figures = {backend: anyio.run(measure, backend=backend) for backend in ("asyncio", "trio")}
    print(f"one change of state to {WATCHERS} watchers, median of {ROUNDS} runs in turns")
    print(f"{'backend':10}{'hub':>12}{'bare event':>12}{'ratio':>8}  (spread)")
    for backend, row in figures.items():
        print(
            f"{backend:10}{row['hub_ms']:>9.2f} ms{row['bare_ms']:>9.2f} ms{row['ratio']:>8.2f}"
            f"  ({row['ratio_least']:.2f} to {row['ratio_most']:.2f})"
        )
    if file is not None:
        file.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()

"""Calls and streams that start simultaneously, beside the same ones in good order.

10,000 streams wait for 100 connections on an API that responds in 100 ms, so that no pool could
serve the last of them before 10 s: that is the floor. The CPU of one of 1,000 simultaneous
calls is set beside that of sequential ones, on an API that responds immediately.
"""

from __future__ import annotations

import time
from functools import partial

import anyio

from plugchat_async import AsyncPlugChat

from .figures import Figure, percentile_99
from .interleaving import cpu_per_call, in_turns
from .processes import in_fresh_process
from .server import Server, serving
from .streams import run_streams

STREAMS = 10_000
SLOTS = 100
API_SECONDS = 0.1
CALLS = 1000
RUNS = 15


def measure() -> list[Figure]:
    """Run both on both event loops."""
    return [
        figure
        for measure_one in (_streams, _calls)
        for backend in ("asyncio", "trio")
        for figure in in_fresh_process(measure_one, backend)
    ]


def _streams(backend: str) -> list[Figure]:
    with serving() as server:
        server.take(API_SECONDS)
        start = partial(run_streams, server.base_url, starts=[0.0] * STREAMS, max_rounds=1)
        run = anyio.run(start, backend=backend)
    floor = STREAMS * API_SECONDS / SLOTS
    return [
        Figure(
            what=f"streams not served of {STREAMS:,}, {backend}",
            measured=STREAMS - len(run.waits),
            unit="streams",
            goal=0,
        ),
        Figure.from_pairs(
            [(percentile_99(run.waits), floor)],
            what=f"99 % of first codes come within, {backend}",
            unit="s",
            against="the floor",
            ratio_goal=2.0,
        ),
    ]


def _calls(backend: str) -> list[Figure]:
    with serving() as server:
        pairs = anyio.run(_cpu, server, backend=backend)
    return [
        Figure.from_pairs(
            pairs,
            what=f"one of {CALLS:,} simultaneous calls, {backend}",
            unit="µs of CPU",
            against="sequential",
            ratio_goal=1.5,
        )
    ]


async def _cpu(server: Server) -> list[tuple[float, float]]:
    async with AsyncPlugChat("token", base_url=server.base_url) as client:
        return await in_turns(
            partial(cpu_per_simultaneous_call, client, CALLS),
            partial(cpu_per_call, client.qr_code, CALLS),
            runs=RUNS,
        )


async def cpu_per_simultaneous_call(client: AsyncPlugChat, calls: int) -> float:
    """Return the microseconds of CPU that one of many simultaneous calls costs."""
    began = time.process_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(calls):
            tasks.start_soon(client.qr_code)
    return (time.process_time() - began) * 1e6 / calls

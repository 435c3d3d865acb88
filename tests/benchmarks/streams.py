"""Run many streams in parallel in this process, and take down how late each code came."""

from __future__ import annotations

import gc
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from plugchat_async import AsyncPlugChat, PlugChatError

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERVAL = 15.0

# Seconds in which all tasks come to be, so that no stream is late for that.
LEAD = 3.0


@dataclass
class Run:
    """Results of the streams.

    Attributes:
        waits: Seconds from the moment a code was due to its arrival, for each that came.
        failures: How many streams ended with an error.
        seconds: How long it took, from the first start to the last code.
        cpu_seconds: The CPU time that this process used meanwhile.
    """

    waits: list[float] = field(default_factory=list)
    failures: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


async def run_streams(
    base_url: str,
    *,
    starts: Sequence[float],
    max_rounds: int,
    holds_collector_back: bool = False,
) -> Run:
    """Run a stream for each start, each of a separate tenant, up to its last code.

    Args:
        base_url: The URL of the server.
        starts: When each stream starts, in seconds from when all tasks are there.
        max_rounds: How many codes each of them asks for.
        holds_collector_back: Whether to do what `docs/guides/scaling.md` tells of the collector.
    """
    run = Run()
    async with AsyncPlugChat("token", base_url=base_url) as client:
        await client.qr_code()
        if holds_collector_back:
            gc.collect()
            gc.freeze()
            gc.set_threshold(700, 10, 1000)
        async with anyio.create_task_group() as tasks:
            began = time.time() + LEAD
            for number, start in enumerate(starts):
                tenant = client.for_token(f"token-of-tenant-{number}")
                tasks.start_soon(_follow, tenant, began + start, max_rounds, run)
            await anyio.sleep(began - time.time())
            cpu_began = time.process_time()
        run.seconds = time.time() - began
        run.cpu_seconds = time.process_time() - cpu_began
    return run


async def _follow(client: AsyncPlugChat, due: float, max_rounds: int, run: Run) -> None:
    # The time of day, since a code tells by it when it was asked for.
    await anyio.sleep(max(0.0, due - time.time()))
    async with aclosing(client.qr_stream(interval=INTERVAL, max_rounds=max_rounds)) as codes:
        try:
            async for code in codes:
                run.waits.append(time.time() - due)
                due = code.fetched_at.timestamp() + INTERVAL
                if code.round == code.rounds:
                    break
        except PlugChatError:
            run.failures += 1

"""Measure two things in turns, A B A B, so that a noisy machine slows both."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Cost = Callable[[], Awaitable[float]]


async def in_turns(ours: Cost, alternative: Cost, *, runs: int) -> list[tuple[float, float]]:
    """Take both costs `runs` times, after a first turn that opens connections and fills caches."""
    await ours()
    await alternative()
    return [(await _tidy(ours), await _tidy(alternative)) for _ in range(runs)]


async def cpu_per_call(call: Callable[[], Awaitable[object]], calls: int) -> float:
    """Give the microseconds of CPU that one of many calls, one after the other, costs."""
    began = time.process_time()
    for _ in range(calls):
        await call()
    return (time.process_time() - began) * 1e6 / calls


async def _tidy(cost: Cost) -> float:
    """Keep one side from paying for the garbage of the other."""
    gc.collect()
    return await cost()

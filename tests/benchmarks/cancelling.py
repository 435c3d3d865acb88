"""Cancelling 1,000 simultaneous calls, 900 of which wait for one of 100 connections.

The API takes ten minutes for a response. Then the same client starts 1,000 calls again: as many are
under way as it has slots, if none was lost. They are cancelled, too, and it makes one call more.
Its connections are counted at the server once it was closed. By hand it is one httpx client of as
many connections, cancelled once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio
import httpx

from plugchat_async import AsyncPlugChat

from .by_hand import fetch_by_hand
from .figures import Figure
from .server import Server, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    Call = Callable[[], Coroutine[Any, Any, object]]

CALLS = 1000
SLOTS = 100
SLOW = 600.0
PATIENCE = 120.0
SECONDS_TO_NOTICE = 0.1
RUNS = 5


@dataclass(frozen=True)
class Cancelled:
    """Duration and losses of a cancellation."""

    milliseconds: float
    slots: int
    tasks: int
    sockets: int


def measure() -> list[Figure]:
    """Cancel several times on both event loops, and by hand once."""
    with serving() as server:
        by_hand = anyio.run(_cancel_by_hand, server)
        return [
            figure
            for backend in ("asyncio", "trio")
            for figure in _figures(server, backend, by_hand)
        ]


def _figures(server: Server, backend: str, by_hand: float) -> list[Figure]:
    runs = [anyio.run(_cancel, server, backend=backend) for _ in range(RUNS)]
    return [
        Figure.from_pairs(
            [(run.milliseconds, by_hand) for run in runs],
            what=f"cancelling {CALLS:,} calls, {backend}",
            unit="ms",
            against="httpx by hand, asyncio",
            goal=100.0,
        ),
        *(
            Figure(
                what=f"{name} lost, {backend}",
                measured=max(getattr(run, name) for run in runs),
                unit=name,
                goal=0.0,
            )
            for name in ("slots", "tasks", "sockets")
        ),
    ]


async def _cancel(server: Server) -> Cancelled:
    async with AsyncPlugChat("token", base_url=server.base_url, timeout=2 * SLOW) as client:
        tasks_before = len(anyio.get_running_tasks())
        milliseconds, _ = await _start_and_cancel(server, client.qr_code)
        tasks_after = len(anyio.get_running_tasks())
        _, slots = await _start_and_cancel(server, client.qr_code)
        server.take(0)
        await client.qr_code()
    await anyio.sleep(SECONDS_TO_NOTICE)
    return Cancelled(
        milliseconds=milliseconds,
        slots=SLOTS - slots,
        tasks=tasks_after - tasks_before,
        sockets=server.take(0).open,
    )


async def _cancel_by_hand(server: Server) -> float:
    limits = httpx.Limits(max_connections=SLOTS, max_keepalive_connections=SLOTS)
    async with httpx.AsyncClient(limits=limits, timeout=2 * SLOW) as client:
        call = partial(fetch_by_hand, client, server.url)
        milliseconds, _ = await _start_and_cancel(server, call)
    return milliseconds


async def _start_and_cancel(server: Server, call: Call) -> tuple[float, int]:
    """Give the milliseconds, and how many calls were under way when they were cancelled."""
    under_way = 0
    server.take(SLOW)
    async with anyio.create_task_group() as tasks:
        for _ in range(CALLS):
            tasks.start_soon(call)
        with anyio.move_on_after(PATIENCE):
            while under_way < SLOTS:
                await anyio.sleep(0.1)
                under_way = server.take(SLOW).most_in_parallel
        await anyio.wait_all_tasks_blocked()
        began = time.perf_counter()
        tasks.cancel_scope.cancel()
    return (time.perf_counter() - began) * 1000, under_way

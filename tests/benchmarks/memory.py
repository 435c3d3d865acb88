"""The memory of an idle stream with its task: what the process grows by for each of 10,000.

A consumer either holds its code or waits for the next one, which is due in 20 s. The tasks are the
event loop's own, `asyncio.create_task` or a nursery of trio's. By hand it is a loop that asks with
httpx and sleeps. With a client by `for_token()` each, that client counts, too.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import httpx
import trio

from plugchat_async import AsyncPlugChat

from .by_hand import fetch_by_hand
from .figures import Figure
from .processes import in_fresh_process, resident_kibibytes
from .server import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from typing import Any

STREAMS = 10_000
STREAMS_BEFORE = 100
INTERVAL = 20.0


@dataclass
class Shared:
    """State that the tasks of all streams share."""

    url: str
    client: AsyncPlugChat
    http: httpx.AsyncClient
    arrivals: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(0))
    never: anyio.Event = field(default_factory=anyio.Event)


def measure() -> list[Figure]:
    """Start the streams one after another, so that none of the memory was for a queue."""
    return [figure for backend in ("asyncio", "trio") for figure in _figures(backend)]


def _figures(backend: str) -> list[Figure]:
    by_hand = in_fresh_process(_measure, _wait_by_hand, backend)
    return [
        Figure.from_pairs(
            [(in_fresh_process(_measure, follow, backend), by_hand)],
            what=f"{what}, {backend}",
            unit="KiB",
            against="a loop by hand",
            goal=goal,
        )
        for what, follow, goal in (
            ("a code held", _hold, 3.0),
            ("waiting for the next code", _wait, 3.0),
            ("waiting, with a client each", _wait_with_own_client, None),
        )
    ]


async def _hold(shared: Shared) -> None:
    async for _ in shared.client.qr_stream():
        shared.arrivals.release()
        await shared.never.wait()


async def _wait(shared: Shared) -> None:
    async for _ in shared.client.qr_stream(interval=INTERVAL):
        shared.arrivals.release()


async def _wait_with_own_client(shared: Shared) -> None:
    client = shared.client.for_token("the token of a tenant")
    async for _ in client.qr_stream(interval=INTERVAL):
        shared.arrivals.release()


async def _wait_by_hand(shared: Shared) -> None:
    while True:
        await fetch_by_hand(shared.http, shared.url)
        shared.arrivals.release()
        await anyio.sleep(INTERVAL)


def _measure(follow: Callable[[Shared], Coroutine[Any, Any, None]], backend: str) -> float:
    async def run() -> float:
        async with (
            AsyncPlugChat("token", base_url=server.base_url) as client,
            httpx.AsyncClient() as http,
            _tasks(backend) as start,
        ):
            shared = Shared(server.url, client, http)
            for _ in range(STREAMS_BEFORE):
                start(follow, shared)
                await shared.arrivals.acquire()
            before = resident_kibibytes()
            for _ in range(STREAMS):
                start(follow, shared)
                await shared.arrivals.acquire()
            return (resident_kibibytes() - before) / STREAMS

    with serving() as server:
        return anyio.run(run, backend=backend)


@asynccontextmanager
async def _tasks(backend: str) -> AsyncIterator[Callable[..., None]]:
    """Start tasks that cost no more than the event loop's own."""
    if backend == "trio":
        async with trio.open_nursery() as nursery:
            yield nursery.start_soon
            nursery.cancel_scope.cancel()
    else:
        tasks: list[asyncio.Task[None]] = []
        yield lambda follow, shared: tasks.append(asyncio.create_task(follow(shared)))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

"""Simultaneous calls over a user-supplied client, beside the built-in pool of 100 connections.

The API responds in 50 ms, over plain sockets: over TLS each connection that is opened costs a
handshake on top. httpx's own limits are 100 connections, of which 20 are kept alive. As many
simultaneous calls were made before, to open connections.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
import httpx
from httpx_aiohttp import HttpxAiohttpClient

from plugchat_async import AsyncPlugChat

from .figures import Figure
from .interleaving import in_turns
from .server import Server, serving
from .simultaneous import cpu_per_simultaneous_call

if TYPE_CHECKING:
    from collections.abc import Callable

SIMULTANEOUS = (10, 100)
API_SECONDS = 0.05
RUNS = 5

_limits = partial(httpx.Limits, max_connections=100, keepalive_expiry=30)
CLIENTS: dict[str, Callable[[], httpx.AsyncClient]] = {
    "httpx, 20 kept alive": lambda: httpx.AsyncClient(limits=_limits(max_keepalive_connections=20)),
    "httpx, 100 kept alive": lambda: httpx.AsyncClient(limits=_limits()),
    "aiohttp, 100 kept alive": lambda: HttpxAiohttpClient(limits=_limits()),
}


def measure() -> list[Figure]:
    """Make the calls in turns over each client; count what is opened once more."""
    with serving() as server:
        return [
            figure
            for calls in SIMULTANEOUS
            for name in CLIENTS
            for figure in anyio.run(_compare, server, calls, name)
        ]


async def _compare(server: Server, calls: int, name: str) -> list[Figure]:
    async with (
        CLIENTS[name]() as http,
        AsyncPlugChat("token", base_url=server.base_url, http_client=http, timeout=600) as supplied,
        AsyncPlugChat("token", base_url=server.base_url) as own,
    ):
        server.take(API_SECONDS)
        pairs = await in_turns(
            partial(cpu_per_simultaneous_call, supplied, calls),
            partial(cpu_per_simultaneous_call, own, calls),
            runs=RUNS,
        )
        opened = [await _opened(server, client, calls) for client in (supplied, own)]
    what = f"{calls:,} simultaneous calls, {name}"
    return [
        Figure.from_pairs(pairs, what=what, unit="µs of CPU a call", against="our own pool"),
        Figure(
            what=what,
            measured=opened[0],
            unit="connections opened",
            against="our own pool",
            alternative=opened[1],
        ),
    ]


async def _opened(server: Server, client: AsyncPlugChat, calls: int) -> float:
    server.take(API_SECONDS)
    await cpu_per_simultaneous_call(client, calls)
    return server.take(API_SECONDS).opened

"""One call of `qr_code()` over the aiohttp transport, beside httpx by hand with its own transport.

The client is user-supplied: `AsyncPlugChat(http_client=HttpxAiohttpClient())`, extra `[aiohttp]`.
The bytecodes leave out what the kernel does for a call, which is the same whoever sends it.
"""

from __future__ import annotations

from functools import partial

import anyio
import httpx
from httpx_aiohttp import HttpxAiohttpClient

from plugchat_async import AsyncPlugChat

from . import bytecodes
from .by_hand import fetch_by_hand
from .figures import Figure
from .interleaving import cpu_per_call, in_turns
from .server import Server, serving

CALLS = 200
RUNS = 30


def measure() -> list[Figure]:
    """Count bytecodes, then measure CPU; aiohttp knows asyncio alone."""
    with serving() as server:
        cpu = anyio.run(_cpu, server)
    return [anyio.run(_bytecodes), *cpu]


async def _bytecodes() -> Figure:
    with bytecodes.server() as base_url:
        async with (
            httpx.AsyncClient() as http,
            HttpxAiohttpClient() as transport,
            AsyncPlugChat("token", base_url=base_url, http_client=transport) as client,
        ):
            ours = await bytecodes.bytecodes_of(client.qr_code)
            plain = await bytecodes.bytecodes_of(
                partial(fetch_by_hand, http, f"{base_url}/qr-code")
            )
    return Figure.from_pairs(
        [(ours, plain)],
        what="`qr_code()` over aiohttp",
        unit="bytecodes",
        against="httpx by hand",
    )


async def _cpu(server: Server) -> list[Figure]:
    async with (
        httpx.AsyncClient() as http,
        HttpxAiohttpClient() as transport,
        AsyncPlugChat("token", base_url=server.base_url, http_client=transport) as client,
    ):
        ours = partial(cpu_per_call, client.qr_code, CALLS)
        plain = partial(cpu_per_call, partial(fetch_by_hand, http, server.url), CALLS)
        same = partial(cpu_per_call, partial(fetch_by_hand, transport, server.url), CALLS)
        return [
            Figure.from_pairs(
                await in_turns(ours, plain, runs=RUNS),
                what="`qr_code()` over aiohttp",
                unit="µs of CPU",
                against="httpx by hand",
                ratio_goal=0.60,
            ),
            Figure.from_pairs(
                await in_turns(ours, same, runs=RUNS),
                what="`qr_code()` over aiohttp",
                unit="µs of CPU",
                against="httpx over aiohttp by hand",
            ),
        ]

"""One call of `qr_code()`, beside `client.get(url, headers=…)` and `.json()` with the same httpx.

Both keep one connection alive. Ours has its deadline, its cap on the body, its retries and its
checked model in place. The bytecodes are counted, so that their ratio is the same on any machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx

from plugchat_async import AsyncPlugChat

from .by_hand import fetch_by_hand
from .figures import Figure
from .interleaving import cpu_per_call, in_turns
from .server import serving

if TYPE_CHECKING:
    from .server import Server

CALLS = 200
RUNS = 30
BACKENDS = ("asyncio", "trio")


def measure() -> list[Figure]:
    """Count bytecodes, then measure CPU, on both event loops."""
    with serving() as server:
        cpu = [anyio.run(_cpu, server, backend, backend=backend) for backend in BACKENDS]
    return [*_bytecodes(), *cpu]


def _bytecodes() -> list[Figure]:
    program = Path(__file__).with_name("bytecodes.py")
    counted = subprocess.run(
        [sys.executable, program, "--json"], check=True, capture_output=True, text=True
    )
    counts = json.loads(counted.stdout)
    return [
        Figure.from_pairs(
            [(counts[backend]["qr_code"], counts[backend]["by_hand"])],
            what=f"`qr_code()`, {backend}",
            unit="bytecodes",
            against="httpx by hand",
            ratio_goal=1.0,
        )
        for backend in BACKENDS
    ]


async def _cpu(server: Server, backend: str) -> Figure:
    async with (
        httpx.AsyncClient() as http,
        AsyncPlugChat("token", base_url=server.base_url) as client,
    ):
        pairs = await in_turns(
            partial(cpu_per_call, client.qr_code, CALLS),
            partial(cpu_per_call, partial(fetch_by_hand, http, server.url), CALLS),
            runs=RUNS,
        )
    return Figure.from_pairs(
        pairs,
        what=f"`qr_code()`, {backend}",
        unit="µs of CPU",
        against="httpx by hand",
        ratio_goal=1.0,
    )

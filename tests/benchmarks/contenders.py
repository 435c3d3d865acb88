"""One call of another package that asks for a code, or the nearest that it has.

It runs in the environment of the one that is measured, which knows nothing of this project:

    python -P -m benchmarks.contenders NAME ORIGIN
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from .interleaving import cpu_per_call, in_turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Call = Callable[[], Awaitable[object]]

CALLS = 200
RUNS = 20


async def httpx(stack: AsyncExitStack, origin: str) -> Call:
    """`client.get(url, headers=…)` and `.json()`, as by hand."""
    from .by_hand import fetch_by_hand

    client = await stack.enter_async_context(import_module("httpx").AsyncClient())
    return partial(fetch_by_hand, client, origin)


async def httpx2(stack: AsyncExitStack, origin: str) -> Call:
    """`httpx2.AsyncClient.get()` and `.json()`."""
    from .by_hand import fetch_by_hand

    client = await stack.enter_async_context(import_module("httpx2").AsyncClient())
    return partial(fetch_by_hand, client, origin)


async def aiohttp(stack: AsyncExitStack, origin: str) -> Call:
    """`aiohttp.ClientSession.get()` and `.json()`."""
    session = await stack.enter_async_context(import_module("aiohttp").ClientSession())

    async def call() -> object:
        async with session.get(origin, headers={"Authorization": "token"}) as response:
            return (await response.json())["value"]

    return call


async def openai(stack: AsyncExitStack, origin: str) -> Call:
    """`AsyncOpenAI.get()`, a generic base of SDKs."""
    client = import_module("openai").AsyncOpenAI(base_url=origin, api_key="token")
    await stack.enter_async_context(client)
    return partial(client.get, "/qr-code", cast_to=object)


async def evolution_whatsapp(stack: AsyncExitStack, origin: str) -> Call:
    """`AsyncEvoClient.connection_state()`, its only GET."""
    client = import_module("evolution_api").AsyncEvoClient(origin, "token", "instance")
    await stack.enter_async_context(client)
    call: Call = client.connection_state
    return call


async def waha(stack: AsyncExitStack, origin: str) -> Call:
    """`AsyncWahaClient.labels.list()`, as its codes have another key than the server's."""
    client = await stack.enter_async_context(import_module("waha").AsyncWahaClient(origin, "token"))
    call: Call = client.labels.list
    return call


async def waha_py(stack: AsyncExitStack, origin: str) -> Call:
    """`AsyncWahaClient.auth.a_get_qr()`."""
    client = import_module("waha").AsyncWahaClient(origin, "token")
    stack.push_async_callback(client.close)
    return partial(client.auth.a_get_qr, "default", {"format": "raw"})


async def whatsapp_api_client_python(stack: AsyncExitStack, origin: str) -> Call:
    """`GreenApi.account.qrAsync()`, a new connection each time."""
    api = import_module("whatsapp_api_client_python.API").GreenApi("instance", "token", host=origin)
    stack.callback(api.session.close)
    call: Call = api.account.qrAsync
    return call


CONTENDERS = {
    "httpx2": httpx2,
    "aiohttp": aiohttp,
    "openai": openai,
    "evolution-whatsapp": evolution_whatsapp,
    "waha": waha,
    "waha-py": waha_py,
    "whatsapp-api-client-python": whatsapp_api_client_python,
}


async def _measure(name: str, origin: str) -> list[tuple[float, float]]:
    async with AsyncExitStack() as stack:
        call = await CONTENDERS[name](stack, origin)
        by_hand = await httpx(stack, origin)
        return await in_turns(
            partial(cpu_per_call, call, CALLS), partial(cpu_per_call, by_hand, CALLS), runs=RUNS
        )


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measure(*sys.argv[1:]))))

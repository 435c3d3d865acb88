"""The page of a signed link whose requests reach different processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from fastapi import FastAPI

from plugchat_async import Failed, ShowingCode
from plugchat_async.fastapi import PairingLinks, pairing_router
from plugchat_async.sandbox import Sandbox

from .memory_hub import MemoryHub
from .memory_store import MemoryServer

if TYPE_CHECKING:
    from plugchat_async import PairingHub

pytestmark = pytest.mark.anyio

LINKS = PairingLinks("a secret of more than 32 characters")


def browser(hub: PairingHub, sandbox: Sandbox) -> httpx.AsyncClient:
    """Return a client of the process that serves the page over a hub."""
    app = FastAPI()
    router = pairing_router(sandbox.client, dependencies=[], hub=hub, links=LINKS)
    app.include_router(router, prefix="/link/{ticket}")
    url = f"http://app.example/link/{LINKS.create('acme')}"
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url)


async def test_the_button_of_a_link_begins_a_session_for_all_processes() -> None:
    """Before the first code and after an ending: the page's events may come from another one."""
    sandbox, server = Sandbox(), MemoryServer()
    sandbox.answer_next("unauthorized")
    async with (
        MemoryHub(server) as one,
        MemoryHub(server) as other,
        browser(one, sandbox) as pressing,
        browser(other, sandbox) as reading,
    ):
        assert (await reading.get("/events")).status_code == 204
        for ending in (Failed, ShowingCode):
            assert (await pressing.post("/start")).status_code == 204
            assert await other.state(sandbox.client()) is not None
            with anyio.fail_after(60):
                async with other.watch(sandbox.client()) as states:
                    while not isinstance(await anext(states), ending):
                        pass
        assert (await reading.get("/qr.svg")).status_code == 200

"""How long an event stream lasts, in virtual time."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException

from plugchat_async import AsyncPlugChat, PairingHub
from plugchat_async.fastapi import pairing_router
from plugchat_async.fastapi._event_stream import EventStream
from plugchat_async.fastapi._events import Drawings
from plugchat_async.fastapi._stopping import Stopping
from plugchat_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.anyio

AN_HOUR = 3600.0


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


class App:
    """App with a page, whose session waits for its first code for longer than a stream lasts."""

    def __init__(self, http_client: httpx.AsyncClient) -> None:
        self.is_logged_in = True
        self.app = FastAPI()
        client = AsyncPlugChat("token", timeout=AN_HOUR, http_client=http_client)

        async def get_client() -> AsyncPlugChat:
            return client

        self.app.include_router(
            pairing_router(get_client, dependencies=[Depends(self._require_login)]),
            prefix="/whatsapp",
        )

    async def _require_login(self) -> None:
        if not self.is_logged_in:
            raise HTTPException(401)


async def _never(_: httpx.Request) -> httpx.Response:
    await anyio.sleep(AN_HOUR)
    raise AssertionError


@pytest.fixture
async def app(anyio_backend: object) -> AsyncGenerator[App]:
    """Give an app that runs."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(_never)) as http_client:
        app = App(http_client)
        async with app.app.router.lifespan_context(app.app):
            yield app


@pytest.fixture
async def browser(app: App) -> AsyncGenerator[httpx.AsyncClient]:
    """Give a client of the app that reads each response to its end."""
    transport = httpx.ASGITransport(app.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as browser:
        yield browser


async def test_a_login_that_ran_out_is_noticed(app: App, browser: httpx.AsyncClient) -> None:
    """After five minutes a stream ends, and the next one has to pass the dependencies."""
    with anyio.fail_after(301):
        first = await browser.get("/whatsapp/events")
    assert first.text.count("event: ") == 1
    assert "event: starting" in first.text
    app.is_logged_in = False
    assert (await browser.get("/whatsapp/events")).status_code == 401


async def test_a_stream_lasts_for_nearly_five_minutes(browser: httpx.AsyncClient) -> None:
    """So that pages do not reconnect all the time."""
    with anyio.move_on_after(299) as scope:
        await browser.get("/whatsapp/events")
    assert scope.cancelled_caught


async def test_a_silent_stream_is_kept_alive(browser: httpx.AsyncClient) -> None:
    """Every 15 seconds there is a comment, so that no proxy closes it."""
    stream = await browser.get("/whatsapp/events")
    assert stream.text.count("\n\n: ping") == 300 / 15 - 1


async def test_a_stream_ends_with_its_hub() -> None:
    """No further state follows."""
    async with AsyncExitStack() as stack:
        hub = PairingHub()
        async with hub:
            watcher = await stack.enter_async_context(hub.watch(Sandbox().client()))
            stream = EventStream(watcher, hub, Drawings(), Stopping())
            assert b"event: starting" in await anext(stream)
        assert await anext(stream, None) is None

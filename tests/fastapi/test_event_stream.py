"""How long an event stream lasts, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException

from plugchat_async import AsyncPlugChat, PairingHub, QRCode
from plugchat_async.fastapi import pairing_router
from plugchat_async.fastapi._encoded_events import EncodedEvents
from plugchat_async.fastapi._event_stream import EventStream
from plugchat_async.fastapi._events import Drawings
from plugchat_async.fastapi._stopping import Stopping
from plugchat_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Message

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


class PromptDrawings(Drawings):
    """Drawings without a thread, for which virtual time does not wait."""

    async def svg(self, code: QRCode) -> str:
        """Draw a code."""
        return code.svg()


class Stream:
    """A stream of a session that shows three codes, and the reader of it.

    Attributes:
        sent: What was sent, and when.
        reads: Set while the reader takes what is sent.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[float, str]] = []
        self.reads = anyio.Event()
        self.reads.set()
        self._events = EncodedEvents(PromptDrawings())

    async def run(self, hub: PairingHub) -> None:
        """Send to the reader until the stream is over."""
        async with hub.watch(Sandbox(clock=anyio.current_time).client()) as watcher:
            await EventStream(watcher, hub, self._events, Stopping()).run(self._send)

    async def _send(self, part: Message) -> None:
        await self.reads.wait()
        self.sent.append((anyio.current_time(), part["body"].decode().split("\n")[0]))


async def test_a_stream_ends_with_its_hub() -> None:
    """No further state follows."""
    stream = Stream()
    async with anyio.create_task_group() as tasks, PairingHub() as hub:
        tasks.start_soon(stream.run, hub)
        await anyio.sleep(1)
    assert [what for _, what in stream.sent] == ["event: starting", "event: code"]


async def test_silence_begins_with_the_last_event() -> None:
    """A stream that is not silent sends no comment."""
    stream = Stream()
    async with PairingHub(interval=14) as hub:
        await stream.run(hub)
    codes = [(at, "event: code") for at in (0, 14, 28)]
    assert stream.sent == [(0, "event: starting"), *codes, (42, "event: expired")]


async def test_an_event_that_a_slow_reader_kept_waiting_is_sent_when_it_reads_again() -> None:
    """Or a later one: nobody misses an ending, and nothing is queued meanwhile."""
    stream = Stream()
    async with PairingHub(interval=14) as hub, anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run, hub)
        await anyio.sleep(1)
        stream.reads = anyio.Event()
        await anyio.sleep(59)
        stream.reads.set()
    assert stream.sent[2:] == [(60, ": ping"), (60, "event: expired")]

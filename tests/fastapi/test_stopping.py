"""The stop of the server, as it reaches what waits in an event loop."""

from __future__ import annotations

import signal
import threading
from types import MethodType
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import httpx
import pytest
import uvicorn
from anyio.lowlevel import EventLoopToken, current_token
from fastapi import FastAPI

from plugchat_async import PairingHub
from plugchat_async.fastapi import pairing_router
from plugchat_async.fastapi._stopping import SIGNALS, Stopping, _listeners
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Generator
    from socket import socket
    from types import FrameType

    from plugchat_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


class Server:
    """Handler of a server, that counts the signals that reach it."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def handle(self, number: int, _: FrameType | None) -> None:
        """Count a signal."""
        self.heard.append(number)


@pytest.fixture
def server() -> Generator[Server]:
    """Give a server that handles each signal, until the end of the test."""
    server = Server()
    before = {number: signal.signal(number, server.handle) for number in SIGNALS}
    yield server
    for number, handler in before.items():
        signal.signal(number, handler)


async def _is_told(stopping: Stopping) -> bool:
    """Wait for a minute of the clock at most: a signal's news takes a thread."""
    with anyio.CancelScope() as scope, stopping.cancelling(scope):
        await anyio.sleep(60)
    return scope.cancelled_caught


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_ends_the_wait_and_reaches_the_server(server: Server, number: int) -> None:
    """The server's handler is called once, and installed again at the end."""
    stopping = Stopping()
    with stopping.listening():
        async with anyio.create_task_group() as tasks:
            told: list[bool] = []

            async def wait() -> None:
                told.append(await _is_told(stopping))

            for _ in range(3):
                tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            signal.raise_signal(number)
        assert told == [True, True, True]
        assert server.heard == [number]
    assert {signal.getsignal(each) for each in SIGNALS} == {server.handle}


async def test_nothing_waits_after_the_signal_until_the_app_runs_again(server: Server) -> None:
    """Such as a page that was requested in the same instant."""
    stopping = Stopping()
    with stopping.listening():
        signal.raise_signal(signal.SIGTERM)
        assert await _is_told(stopping)
        assert await _is_told(stopping)
    with stopping.listening(), stopping.cancelling(anyio.CancelScope()):
        assert not stopping.is_told


class Uvicorn(uvicorn.Server):
    """Server of uvicorn that only counts its shutdowns."""

    def __init__(self) -> None:
        super().__init__(uvicorn.Config(FastAPI()))
        self.shutdowns = 0

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Count a shutdown."""
        assert sockets == []
        self.shutdowns += 1


async def _token() -> EventLoopToken:
    return current_token()


@pytest.mark.usefixtures("server")
async def test_uvicorn_that_stops_without_a_signal_is_heard() -> None:
    """As after a number of requests: its streams end before it waits for them."""
    server, stopping, elsewhere = Uvicorn(), Stopping(), Stopping()
    signal.signal(signal.SIGTERM, server.handle_exit)
    _listeners[elsewhere] = await anyio.to_thread.run_sync(anyio.run, _token)
    with stopping.listening(), stopping.listening():
        await server.shutdown(sockets=[])
        assert await _is_told(stopping)
        del _listeners[elsewhere]
    assert not elsewhere.is_told
    assert server.shutdown == MethodType(Uvicorn.shutdown, server)
    assert server.shutdowns == 1


async def test_routers_of_one_process_listen_side_by_side(server: Server) -> None:
    """Whichever is over first, the others go on, and the server's handler comes back at last."""
    first, second = Stopping(), Stopping()
    first_listens, second_listens = first.listening(), second.listening()
    first_listens.__enter__()
    second_listens.__enter__()
    first_listens.__exit__(None, None, None)
    signal.raise_signal(signal.SIGTERM)
    assert await _is_told(second)
    assert server.heard == [signal.SIGTERM]
    second_listens.__exit__(None, None, None)
    assert signal.getsignal(signal.SIGTERM) == server.handle


async def test_a_router_listens_until_its_last_user_is_gone(server: Server) -> None:
    """Its lifespan and each of its streams are users."""
    stopping = Stopping()
    with stopping.listening():
        with stopping.listening():
            pass
        signal.raise_signal(signal.SIGTERM)
        assert await _is_told(stopping)


async def test_a_handler_that_is_installed_later_stays(server: Server) -> None:
    """It may call the one that it found, which passes the signal on."""
    stopping = Stopping()
    with stopping.listening():
        found = signal.getsignal(signal.SIGTERM)
        assert callable(found)

        def later(number: int, frame: FrameType | None) -> None:
            found(number, frame)

        signal.signal(signal.SIGTERM, later)
        with stopping.listening():  # as for the next stream
            signal.raise_signal(signal.SIGTERM)
            assert await _is_told(stopping)
        assert server.heard == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is later
    signal.raise_signal(signal.SIGTERM)
    assert server.heard == [signal.SIGTERM, signal.SIGTERM]


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
async def test_a_signal_without_a_handler_gets_none(
    server: Server, handler: signal.Handlers
) -> None:
    """It ends the process, or is ignored, as before."""
    signal.signal(signal.SIGTERM, handler)
    with Stopping().listening():
        assert signal.getsignal(signal.SIGTERM) is handler


async def test_the_server_can_be_found_at_the_handler(server: Server) -> None:
    """As sse-starlette finds that of uvicorn."""
    with Stopping().listening():
        handler = signal.getsignal(signal.SIGTERM)
        assert getattr(handler, "__self__", None) is server


async def test_the_server_hears_the_signal_even_if_no_thread_can_be_started(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops as it would without a page."""

    def no_thread(**_: object) -> None:
        raise RuntimeError("can't start new thread")

    with Stopping().listening():
        monkeypatch.setattr(threading, "Thread", no_thread)
        with pytest.raises(RuntimeError, match="new thread"):
            signal.raise_signal(signal.SIGTERM)
    assert server.heard == [signal.SIGTERM]


def test_an_event_loop_that_is_over_is_not_told(server: Server) -> None:
    """As after a stop that was forced, in which the lifespan is not closed."""
    stopping = Stopping()
    listening = stopping.listening()

    async def enter() -> None:
        listening.__enter__()

    anyio.run(enter)
    before = set(threading.enumerate())
    signal.raise_signal(signal.SIGTERM)
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert server.heard == [signal.SIGTERM]
    listening.__exit__(None, None, None)


def test_no_handler_is_installed_from_another_thread(server: Server) -> None:
    """Python allows it in the main thread only, and signals arrive there."""

    async def listen() -> object:
        with Stopping().listening():
            return signal.getsignal(signal.SIGTERM)

    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(anyio.run(listen)))
    thread.start()
    thread.join()
    assert found == [server.handle]


# The router.


async def _signalled_while_open(app: FastAPI, sandbox: Sandbox) -> httpx.Response:
    """Open a stream, send SIGTERM once it shows a session, and return the whole response."""
    responses = []
    transport = httpx.ASGITransport(app)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://app") as browser,
        anyio.create_task_group() as tasks,
    ):

        async def look() -> None:
            responses.append(await browser.get("/whatsapp/events"))

        tasks.start_soon(look)
        await eventually(lambda: sandbox.calls)
        await anyio.wait_all_tasks_blocked()  # the stream sends its first event
        signal.raise_signal(signal.SIGTERM)
    return responses[0]


async def test_the_streams_of_an_app_end_when_its_server_is_told_to_stop(
    server: Server, sandbox: Sandbox
) -> None:
    """Pages that come in the meantime get the end of their streams as well, and try again."""
    app = FastAPI()
    client = sandbox.client()
    app.include_router(pairing_router(lambda: client, dependencies=[]), prefix="/whatsapp")
    async with app.router.lifespan_context(app):
        first = await _signalled_while_open(app, sandbox)
        second = await _signalled_while_open(app, sandbox)
    assert "event: " in first.text
    assert second.is_success
    assert signal.getsignal(signal.SIGTERM) == server.handle


async def test_the_streams_of_a_mounted_app_end_as_well(server: Server, sandbox: Sandbox) -> None:
    """It has no lifespan: the handler is in place while a stream is open."""
    outer, inner = FastAPI(), FastAPI()
    client, hub = sandbox.client(), PairingHub()
    router = pairing_router(lambda: client, dependencies=[], hub=hub)
    inner.include_router(router, prefix="/whatsapp")
    outer.mount("", inner)
    async with hub:
        response = await _signalled_while_open(outer, sandbox)
    assert "event: " in response.text
    assert signal.getsignal(signal.SIGTERM) == server.handle

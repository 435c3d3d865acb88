"""Event streams of 100 instances, by the router or by Starlette alone, in a separate process.

It changes the states of all instances, one after another, when it is told to over its standard
input, and says over its standard output at which moments it did.
"""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING
from unittest.mock import patch

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from plugchat_async import AsyncPlugChat, PairingHub, QRCode, ShowingCode
from plugchat_async.fastapi import _event_stream, pairing_router
from plugchat_async.fastapi._events import Drawings

from .broadcast import Bare
from .cores import pin_server
from .processes import raise_file_limit, resident_kibibytes, running

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from starlette.requests import Request
    from starlette.types import ASGIApp

INSTANCES = 100
# Seconds from one change to the next, and from the last one to the end.
PAUSE = 0.05
SETTLING = 1.0

# A recorded event of each instance is far longer than a line that asyncio reads by default.
_LINE_LIMIT = 2**26
_LENGTH = 240


class Order(BaseModel):
    """Command for all instances.

    Attributes:
        draws_before: Whether the codes are drawn before their turn comes.
        events: What to send for each instance, if that is not for the router to say.
        pause: Seconds from one change to the next.
    """

    draws_before: bool = False
    events: list[str] = []
    pause: float = PAUSE


class Changes(BaseModel):
    """Results of a command.

    Attributes:
        moments: When each instance changed, on the clock that all processes share.
        cpu_seconds: The CPU time that the server used meanwhile.
        kibibytes: The most memory that it has had so far.
    """

    moments: list[float]
    cpu_seconds: float
    kibibytes: float


class ViewersServer:
    """The server's process, seen from the one of the viewers."""

    def __init__(self, orders: IO[str], changes: IO[str]) -> None:
        self._orders = orders
        self._changes = changes
        self.port = int(changes.readline())

    def change(self, order: Order) -> Changes:
        """Change all instances, and wait until that is done."""
        print(order.model_dump_json(), file=self._orders, flush=True)
        return Changes.model_validate_json(self._changes.readline())


@contextmanager
def serving(kind: str) -> Iterator[ViewersServer]:
    """Run the server as long as the block lasts.

    Args:
        kind: Whose streams they are, one of `KINDS`.
    """
    with running(__name__, kind) as (orders, changes):
        yield ViewersServer(orders, changes)


class Router:
    """The router, over a hub whose sessions wait for their first code for ever."""

    def __init__(self) -> None:
        self._drawings = Drawings()

    @asynccontextmanager
    async def app(self) -> AsyncGenerator[ASGIApp]:
        """Give the app while the hub is open."""
        never = asyncio.Event()

        async def respond(_: httpx.Request) -> httpx.Response:
            await never.wait()
            return httpx.Response(200)

        async with (
            httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http_client,
            PairingHub(status_interval=None) as self._hub,
        ):
            self._client = AsyncPlugChat("token", http_client=http_client, timeout=3600)
            app = FastAPI()
            with patch("plugchat_async.fastapi._router.Drawings", return_value=self._drawings):
                router = pairing_router(self._client_of, dependencies=[], hub=self._hub)
            app.include_router(router, prefix="/{instance}")
            yield app

    async def changes(self, order: Order) -> AsyncGenerator[Callable[[], None]]:
        """Give what changes each instance."""
        codes = [QRCode(payload=_payload(number)) for number in range(INSTANCES)]
        for code in codes if order.draws_before else ():
            await self._drawings.svg(code)
        for instance, code in enumerate(codes):
            # The private poller shows codes by itself: polling PlugChat is not measured.
            poller = self._hub._pollers[self._client_of(instance).instance_key]
            yield partial(poller._show, ShowingCode(qr=code))

    def _client_of(self, instance: int) -> AsyncPlugChat:
        return self._client.for_token(f"token-of-tenant-{instance}")


class Streams:
    """The least that sends the same: `StreamingResponse`, and an event for each change."""

    def __init__(self) -> None:
        self._events = [""] * INSTANCES
        self._bare = [Bare() for _ in range(INSTANCES)]

    @asynccontextmanager
    async def app(self) -> AsyncGenerator[ASGIApp]:
        """Give the app."""
        yield Starlette(routes=[Route("/{instance:int}/events", self._respond)])

    async def changes(self, order: Order) -> AsyncGenerator[Callable[[], None]]:
        """Give what changes each instance."""
        for instance, event in enumerate(order.events):
            yield partial(self._change, instance, event)

    def _change(self, instance: int, event: str) -> None:
        self._events[instance] = event
        self._bare[instance].change()

    async def _respond(self, request: Request) -> StreamingResponse:
        stream = self._stream(request.path_params["instance"])
        return StreamingResponse(stream, media_type="text/event-stream")

    async def _stream(self, instance: int) -> AsyncGenerator[str]:
        while True:
            yield self._events[instance]
            await self._bare[instance].changed.wait()


KINDS: dict[str, Callable[[], Router | Streams]] = {"router": Router, "streams": Streams}


def _payload(number: int) -> str:
    return f"2@{time.monotonic_ns()}-{number}-".ljust(_LENGTH, "nBk7/sQ0xT+4Zr9L"[number % 16])


async def _serve(kind: Router | Streams) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    commands = asyncio.StreamReader(limit=_LINE_LIMIT)
    reading = partial(asyncio.StreamReaderProtocol, commands)
    await asyncio.get_running_loop().connect_read_pipe(reading, sys.stdin)
    async with kind.app() as app:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
        serving = asyncio.create_task(server.serve([listener]))
        print(listener.getsockname()[1], flush=True)
        while command := await commands.readline():
            changes = await _change(kind, Order.model_validate(json.loads(command)))
            print(changes.model_dump_json(), flush=True)
        serving.cancel()


async def _change(kind: Router | Streams, order: Order) -> Changes:
    changes = [change async for change in kind.changes(order)]
    moments = []
    gc.collect()
    began = time.process_time()
    for change in changes:
        moments.append(time.monotonic())
        change()
        await asyncio.sleep(order.pause)
    await asyncio.sleep(SETTLING)
    cpu_seconds = time.process_time() - began
    return Changes(moments=moments, cpu_seconds=cpu_seconds, kibibytes=resident_kibibytes())


if __name__ == "__main__":
    pin_server()
    raise_file_limit()
    # A comment for a silent stream is not sent by the other one, and a turn may take so long.
    _event_stream._KEEPALIVE_SECONDS = _event_stream._MAX_SECONDS = 3600
    asyncio.run(_serve(KINDS[sys.argv[1]]()))

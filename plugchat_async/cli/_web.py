"""`plugchat pair --web`: the live page, for a browser on this machine and for nobody else."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import typer
import uvicorn

from plugchat_async import Connected, Failed, PairingHub, PairingOutcome

from ._door import Door, make_app
from ._failures import Failure
from ._texts import texts

if TYPE_CHECKING:
    from collections.abc import Generator

    from fastapi import FastAPI

    from plugchat_async import AsyncPlugChat

_SECONDS_BETWEEN_LOOKS = 0.2

# Until the page has drawn its end, before its server goes.
_SECONDS_FOR_THE_END = 1.0


async def link(client: AsyncPlugChat, *, interval: float, in_browser: bool) -> PairingOutcome:
    """Serve the page until a phone is linked; its button asks for more codes.

    Raises:
        Failure: A code could not be fetched.
    """
    door = Door()
    ended: Connected | Failed | None = None
    async with client, PairingHub(interval=interval) as hub:
        server = _make_server(make_app(client, hub, door))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            host, port = listener.getsockname()
            _introduce(f"http://{host}:{port}{door.path_of_key}", in_browser=in_browser)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(server.serve, [listener])
                ended = await _end_of(hub, client)
                await anyio.sleep(_SECONDS_FOR_THE_END)
                server.should_exit = True
    if isinstance(ended, Connected):
        return PairingOutcome.ALREADY_CONNECTED if ended.already else PairingOutcome.CONNECTED
    words = texts().failures
    raise Failure(words.get(ended.code if ended else "", words["unexpected_response"]))


def _introduce(address: str, *, in_browser: bool) -> None:
    if in_browser:
        typer.launch(address)
    typer.echo(texts().web_address.format(address=address))
    typer.echo(texts().how_to_stop)


async def _end_of(hub: PairingHub, client: AsyncPlugChat) -> Connected | Failed:
    """Look on without watching: codes are spent only while a page is open."""
    while True:
        state = hub.state(client)
        if isinstance(state, Connected | Failed):
            return state
        await anyio.sleep(_SECONDS_BETWEEN_LOOKS)


class _Server(uvicorn.Server):
    """Leave the signals to the command: Ctrl-C ends more than the server."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _make_server(app: FastAPI) -> _Server:
    # A page that stays open must not keep its server for longer than this second.
    return _Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,
        )
    )

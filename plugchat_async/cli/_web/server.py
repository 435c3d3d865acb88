"""`plugchat pair --web`: the live page, for a browser on this machine and for nobody else."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import typer
import uvicorn

from plugchat_async import Connected, Failed, PairingHub, PairingOutcome
from plugchat_async.cli._output.failures import say_failed
from plugchat_async.cli._terminal.desktop import open_on_desktop
from plugchat_async.cli._texts import texts

from .one_time_link import Door, make_app

if TYPE_CHECKING:
    from collections.abc import Generator

    from fastapi import FastAPI

    from plugchat_async import AsyncPlugChat

_SECONDS_BETWEEN_LOOKS = 0.2

# Until the page has drawn its end, before its server goes.
_SECONDS_FOR_THE_END = 1.0


async def link(client: AsyncPlugChat, *, interval: float, in_browser: bool) -> PairingOutcome:
    """Serve the page until a phone is linked; its button asks for more codes.

    A failure ends nothing, since the button may be pressed again after one.
    """
    door = Door()
    async with client, PairingHub(interval=interval) as hub:
        server = _make_server(make_app(client, hub, door))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            host, port = listener.getsockname()
            address = f"http://{host}:{port}{door.path_of_key}"
            typer.echo(texts().web_address.format(address=address))
            typer.echo(texts().how_to_stop)
            async with anyio.create_task_group() as tasks:
                if in_browser:
                    tasks.start_soon(open_on_desktop, address)
                tasks.start_soon(_stop_once_connected, server, hub, client)
                await server.serve([listener])
        state = await hub.state(client)
    was_linked = isinstance(state, Connected) and state.already
    return PairingOutcome.ALREADY_CONNECTED if was_linked else PairingOutcome.CONNECTED


async def _stop_once_connected(
    server: uvicorn.Server, hub: PairingHub, client: AsyncPlugChat
) -> None:
    """Look on without watching: codes are spent only while a page is open."""
    told: Failed | None = None
    while not isinstance(state := await hub.state(client), Connected):
        if isinstance(state, Failed) and state is not told:
            told = state
            say_failed(state)
        await anyio.sleep(_SECONDS_BETWEEN_LOOKS)
    await anyio.sleep(_SECONDS_FOR_THE_END)
    server.should_exit = True


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

"""Server of the live page for one browser, `plugchat pair --web`."""

from __future__ import annotations

import getpass
import math
import os
import shlex
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import typer
import uvicorn

from plugchat_async import PairingEnd, PairingHub, PairingOutcome
from plugchat_async.cli._output.failures import Failure, report
from plugchat_async.cli._terminal.desktop import open_on_desktop
from plugchat_async.cli._texts import text

from .one_time_link import OneTimeLink, make_app

if TYPE_CHECKING:
    from collections.abc import Generator

    from anyio.abc import ObjectReceiveStream

    from plugchat_async import AsyncPlugChat

_HOST = "127.0.0.1"
_LINKED = {PairingOutcome.CONNECTED, PairingOutcome.ALREADY_CONNECTED}
# Until the page has drawn its final state, before its server stops.
_SECONDS_FOR_THE_END = 1.0


async def link(
    client: AsyncPlugChat, *, interval: float, port: int, on_desktop: bool
) -> PairingOutcome:
    """Serve the page until a phone is linked; its button requests more codes.

    The page stays open after a failure, for its button to try again.

    Raises:
        Failure: The port can't be used.
    """
    one_time_link = OneTimeLink()
    outcome = PairingOutcome.CANCELLED
    noted, endings = anyio.create_memory_object_stream[PairingEnd](math.inf)

    def note(_client: AsyncPlugChat, ending: PairingEnd) -> None:
        noted.send_nowait(ending)

    async with client, noted, endings, PairingHub(interval=interval, on_end=note) as hub:
        # A page that stays open must not keep its server for longer than a second.
        config = uvicorn.Config(
            make_app(client, hub, one_time_link),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        with _listen(port) as listener:
            address = _introduce(listener.getsockname()[1], one_time_link.path)
            async with anyio.create_task_group() as tasks:
                if on_desktop:
                    tasks.start_soon(open_on_desktop, address)
                tasks.start_soon(server.serve, [listener])
                outcome = await _linked(endings)
                await anyio.sleep(_SECONDS_FOR_THE_END)
                server.should_exit = True
    return outcome


async def _linked(endings: ObjectReceiveStream[PairingEnd]) -> PairingOutcome:
    """Wait for the session that finds a phone linked, and report those that failed."""
    while True:
        ending = await endings.receive()
        if ending.error_code is not None:
            report(Failure(ending.error_code), is_of_the_sdk=True)
        elif ending.outcome and ending.outcome in _LINKED:
            return ending.outcome


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((_HOST, port))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise Failure("port_unusable", host=_HOST, port=port, reason=reason) from error


def _introduce(port: int, path: str) -> str:
    """Print how a browser gets to the page, over a tunnel if need be, and return the address."""
    address = f"http://{_HOST}:{port}{path}"
    if command := _tunnel(port):
        typer.echo(text("web.tunnel", command=command))
    typer.echo(text("web.address_of_tunnel" if command else "web.address", address=address))
    typer.echo(text("how_to_stop"))
    return address


def _tunnel(port: int) -> str:
    """Return the command for a tunnel from the other end of SSH; empty without SSH."""
    connection = os.environ.get("SSH_CONNECTION", "").split()
    if len(connection) != 4:
        return ""
    _, _, host, ssh_port = connection
    option = [] if ssh_port == "22" else ["-p", ssh_port]
    there = f"{getpass.getuser()}@{host}"
    return shlex.join(["ssh", *option, "-L", f"{port}:{_HOST}:{port}", there])


class _Server(uvicorn.Server):
    """Server that leaves the signals to the command: Ctrl-C ends more than the server."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

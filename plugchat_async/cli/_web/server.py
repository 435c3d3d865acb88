"""Server of the live page for one browser, `plugchat pair --web`."""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import typer
import uvicorn

from plugchat_async import PairingHub, PairingOutcome
from plugchat_async.cli._output.failures import Failure, say_failed
from plugchat_async.cli._terminal.desktop import open_on_desktop
from plugchat_async.cli._texts import text

from .one_time_link import OneTimeLink, make_app

if TYPE_CHECKING:
    from collections.abc import Generator

    from fastapi import FastAPI

    from plugchat_async import AsyncPlugChat, PairingEnd

_HOST = "127.0.0.1"
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
    linked = _Linked()
    async with client, PairingHub(interval=interval, on_end=linked.note) as hub:
        server = _make_server(make_app(client, hub, one_time_link))
        with _listen(port) as listener:
            port = listener.getsockname()[1]
            address = f"http://{_HOST}:{port}{one_time_link.path}"
            command = _tunnel(port)
            if command:
                typer.echo(text("web.tunnel", command=command))
            typer.echo(text("web.address_of_tunnel" if command else "web.address", address=address))
            typer.echo(text("how_to_stop"))
            async with anyio.create_task_group() as tasks:
                if on_desktop:
                    tasks.start_soon(open_on_desktop, address)
                tasks.start_soon(linked.stop, server)
                await server.serve([listener])
    return linked.outcome


class _Linked:
    """End of the session that finds a phone linked."""

    outcome: PairingOutcome

    def __init__(self) -> None:
        self._event = anyio.Event()

    def note(self, _client: AsyncPlugChat, ending: PairingEnd) -> None:
        """Note how a session ended, as the hub's `on_end`."""
        if ending.error_code is not None:
            say_failed(ending.error_code)
        elif (
            ending.outcome is PairingOutcome.CONNECTED
            or ending.outcome is PairingOutcome.ALREADY_CONNECTED
        ):
            self.outcome = ending.outcome
            self._event.set()

    async def stop(self, server: uvicorn.Server) -> None:
        """Stop a server once a phone is linked."""
        await self._event.wait()
        await anyio.sleep(_SECONDS_FOR_THE_END)
        server.should_exit = True


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((_HOST, port))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise Failure("port_unusable", host=_HOST, port=port, reason=reason) from error


def _tunnel(port: int) -> str:
    """Return the command for a tunnel from the other end of SSH; empty without SSH."""
    connection = os.environ.get("SSH_CONNECTION", "").split()
    if len(connection) != 4:
        return ""
    _, _, host, ssh_port = connection
    option = "" if ssh_port == "22" else f"-p {ssh_port} "
    return f"ssh {option}-L {port}:{_HOST}:{port} {getpass.getuser()}@{host}"


class _Server(uvicorn.Server):
    """Server that leaves the signals to the command: Ctrl-C ends more than the server."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _make_server(app: FastAPI) -> _Server:
    # A page that stays open must not keep its server for longer than this.
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

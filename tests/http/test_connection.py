"""One request, once: its deadline, and what its failures tell and don't tell."""

from __future__ import annotations

import os
import signal
import socket
import traceback
from typing import TYPE_CHECKING

import anyio
import httpx
import httpx2
import pytest

from plugchat_async import AsyncPlugChat, NetworkError, PlugChatError, RequestTimeout
from tests.http_clients import HTTP_CLIENTS
from tests.raw_server import serve_raw
from tests.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import ModuleType

    from anyio.abc import SocketStream

    from tests.http_clients import MakeHttpClient

TOKEN = "F3A9-the-token-of-a-tenant-7C21"

ENDPOINTS = {
    "/qr-code": AsyncPlugChat.qr_code,
    "/qr-code/image": AsyncPlugChat.qr_code_image,
    "/status": AsyncPlugChat.status,
    "/disconnect": AsyncPlugChat.disconnect,
}


async def stall(connection: SocketStream) -> None:
    """Send no response."""
    await anyio.sleep_forever()


async def reset(connection: SocketStream) -> None:
    """Close the connection without a response."""
    await connection.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("make_http_client", HTTP_CLIENTS.values(), ids=HTTP_CLIENTS)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    ("handle", "error", "reason"),
    [
        (stall, RequestTimeout, "no complete response from {place} within 0.05 s: check the "),
        (reset, NetworkError, "no response from {place}, RemoteProtocolError: check the network"),
    ],
)
async def test_a_failure_names_the_endpoint_and_its_host(
    make_http_client: MakeHttpClient,
    endpoint: str,
    handle: Callable[[SocketStream], Awaitable[None]],
    error: type[PlugChatError],
    reason: str,
) -> None:
    """So that a base URL which was forgotten shows; the token does not."""
    http_client = make_http_client and make_http_client()
    timeout = 0.05 if handle is stall else 60
    async with serve_raw(handle) as base_url:
        async with AsyncPlugChat(
            TOKEN, base_url=base_url, timeout=timeout, retries=0, http_client=http_client
        ) as client:
            with pytest.raises(error) as caught:
                await ENDPOINTS[endpoint](client)
        if http_client is not None:
            await http_client.aclose()
    place = f"{endpoint} at {base_url.split('/')[2]}"
    assert str(caught.value).startswith(reason.format(place=place))
    assert TOKEN not in str(caught.value)


@pytest.mark.anyio
async def test_without_a_base_url_the_documented_host_is_named() -> None:
    """Not the token's, nor a user's."""
    with pytest.raises(RequestTimeout, match=r"from /status at app\.plugchat"):
        await AsyncPlugChat(TOKEN, timeout=1e-9, retries=0).status()


def raised(error: BaseException, *, by: Exception) -> Exception:
    """Return an exception with another one as its context."""
    by.__context__ = error
    return by


REFUSED = ConnectionRefusedError(111, "Connection refused")
TOO_LONG = "so " * 1000


@pytest.mark.anyio
@pytest.mark.parametrize("family", [httpx, httpx2], ids=["httpx", "httpx2"])
@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (REFUSED, " (ConnectionRefusedError: Connection refused)"),
        (ExceptionGroup("all", [REFUSED]), " (ConnectionRefusedError: Connection refused)"),
        (raised(REFUSED, by=OSError("All attempts failed")), " (ConnectionRefusedError: Conn"),
        (raised(socket.gaierror(-2, "Unknown"), by=OSError(7, "failed")), " (gaierror: Unknown)"),
        (OSError(5, f"no {TOKEN} here"), " (OSError: no [redacted] here)"),
        (OSError(5, TOO_LONG), f" ({f'OSError: {TOO_LONG}'[:200]}):"),
        (ValueError("illegal line: b'2@abc'"), ": check"),
        (OSError("2@abc"), ": check"),
    ],
    ids=["cause", "group", "context", "deepest", "secret", "long", "library", "no words"],
)
async def test_a_failure_says_what_the_operating_system_does(
    family: ModuleType, reason: Exception, words: str
) -> None:
    """It tells a refused connection from an unknown host; libraries leave it in the chain."""
    failure = family.ConnectError("All connection attempts failed")
    failure.__cause__ = reason
    with pytest.raises(NetworkError) as caught:
        await ScriptedServer(family, failure).client(retries=0).status()
    assert f"ConnectError{words}" in str(caught.value)


@pytest.mark.anyio
async def test_a_failure_does_not_quote_the_exception_that_the_caller_handles() -> None:
    """Nor does a chain without an end keep the call."""
    failure = httpx.ConnectError("failed")
    failure.__cause__ = failure
    server = ScriptedServer(httpx, failure)
    try:
        raise OSError(2, "No such file")
    except OSError:
        with pytest.raises(NetworkError, match="ConnectError: check"):
            await server.client(retries=0).status()


@pytest.mark.anyio
async def test_a_refused_connection_is_told_from_an_unknown_host() -> None:
    """Over real sockets."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NetworkError, match=r"\(ConnectionRefusedError: "):
        await AsyncPlugChat(TOKEN, base_url=f"http://127.0.0.1:{port}", retries=0).status()


PIECE_OF_A_CODE = "c2VjcmV0LWNvZGUtc2VjcmV0"


async def interrupt(connection: SocketStream) -> None:
    """Send half a body, and press Ctrl-C when the client waits for the rest."""
    body = f'{{"value": "2@{PIECE_OF_A_CODE}'.encode()
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + body)
    await anyio.wait_all_tasks_blocked()
    await anyio.to_thread.run_sync(os.kill, os.getpid(), signal.SIGINT)
    await anyio.sleep_forever()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("make_http_client", HTTP_CLIENTS.values(), ids=HTTP_CLIENTS)
def test_an_interruption_shows_no_secret(backend: str, make_http_client: MakeHttpClient) -> None:
    """Ctrl-C in the middle of a body: no frame has the code, nor the token, among its locals."""

    async def call() -> None:
        http_client = make_http_client and make_http_client()
        async with serve_raw(interrupt) as base_url:
            try:
                await AsyncPlugChat(TOKEN, base_url=base_url, http_client=http_client).qr_code()
            finally:
                with anyio.CancelScope(shield=True):
                    if http_client is not None:
                        await http_client.aclose()

    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)) as caught:
        anyio.run(call, backend=backend)
    frames = [*frames_outside_tests(caught.value)]
    packages = {name.split(".")[0] for name, _ in frames}
    assert "plugchat_async" in packages
    assert packages.isdisjoint({"httpx", "httpx2", "httpcore", "httpcore2", "h11"})
    shown = "".join(shown for _, shown in frames)
    assert PIECE_OF_A_CODE not in shown
    assert TOKEN not in shown


def frames_outside_tests(error: BaseException | None) -> Iterator[tuple[str, str]]:
    """Return the module of each frame behind an exception, and the repr of its locals."""
    if error is None:
        return
    for frame, _ in traceback.walk_tb(error.__traceback__):
        name = frame.f_globals["__name__"]
        if not name.startswith("tests."):
            yield name, repr(frame.f_locals)
    yield from frames_outside_tests(error.__cause__)
    yield from frames_outside_tests(error.__context__)
    for each in getattr(error, "exceptions", ()):
        yield from frames_outside_tests(each)

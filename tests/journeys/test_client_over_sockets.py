"""The main job over real sockets: HTTP that was never mocked, codes that a reader reads."""

from __future__ import annotations

import gzip
import json
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from plugchat_async import (
    AlreadyConnected,
    AsyncPlugChat,
    NetworkError,
    RequestTimeout,
    UnexpectedRedirect,
    UnexpectedResponse,
)
from plugchat_async.sandbox import ANSWERS, Sandbox
from tests.camera import read_code
from tests.http_clients import HTTP_CLIENTS
from tests.keyword_arguments import ClientArguments
from tests.raw_server import serve_raw

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import Unpack

    from anyio.abc import SocketStream

    from tests.http_clients import MakeHttpClient

pytestmark = pytest.mark.anyio

TOKEN = "F3A9-the-token-of-a-tenant-7C21"


@pytest.fixture(params=HTTP_CLIENTS)
def make_http_client(request: pytest.FixtureRequest) -> MakeHttpClient:
    """Send over the package's own pool, or over a user's client of either family."""
    return HTTP_CLIENTS[request.param]


@asynccontextmanager
async def client_for(
    base_url: str, make_http_client: MakeHttpClient, **options: Unpack[ClientArguments]
) -> AsyncGenerator[AsyncPlugChat]:
    """Make a client, and close what it leaves to its owner."""
    options["http_client"] = http_client = make_http_client and make_http_client()
    async with AsyncPlugChat(TOKEN, base_url=base_url, **options) as client:
        yield client
    if http_client is not None:
        await http_client.aclose()


async def test_three_codes_and_a_scan(make_http_client: MakeHttpClient) -> None:
    """A phone scans the image of the second code, and the stream reports it."""
    sandbox = Sandbox()
    shown = []
    async with sandbox.serve() as base_url, client_for(base_url, make_http_client) as client:
        with pytest.raises(AlreadyConnected) as caught:
            async for code in client.qr_stream(interval=0.05):
                shown.append(read_code(code.png()))
                if code.round == 2:
                    assert sandbox.scan(shown[-1])
        assert (await client.status()).connected
    assert caught.value.after_scan
    assert len(set(shown)) == 2
    assert [call.endpoint for call in sandbox.calls] == ["/qr-code"] * 3 + ["/status"]
    assert {call.token for call in sandbox.calls} == {TOKEN}


async def test_the_image_of_a_code(make_http_client: MakeHttpClient) -> None:
    """The image that arrives can be scanned."""
    sandbox = Sandbox()
    async with sandbox.serve() as base_url, client_for(base_url, make_http_client) as client:
        image = await client.qr_code_image()
        assert sandbox.scan(read_code(image.data))


@pytest.mark.parametrize("name", [name for name in ANSWERS if name.startswith(("code", "image"))])
async def test_every_form_of_a_code_can_be_scanned(name: str) -> None:
    """Whatever form the API gives it, on both endpoints."""
    sandbox = Sandbox()
    async with sandbox.serve() as base_url, client_for(base_url, None) as client:
        sandbox.answer_next(name)
        assert sandbox.scan((await client.qr_code()).payload)
        sandbox.disconnect(TOKEN)
        sandbox.answer_next(name)
        assert sandbox.scan(read_code((await client.qr_code_image()).data))


async def test_many_calls_share_few_connections() -> None:
    """Calls beyond `max_connections` wait, and connections are used again."""
    connections: set[int] = set()

    async def handle(connection: SocketStream) -> None:
        connections.add(connection.extra(anyio.abc.SocketAttribute.remote_port))
        await anyio.sleep(0.005)
        body = json.dumps({"value": "2@code"}).encode()
        await connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )

    heads: list[bytes] = []
    async with serve_raw(handle, heads=heads) as base_url:
        async with (
            client_for(base_url, None, max_connections=4) as client,
            anyio.create_task_group() as calls,
        ):
            for _ in range(100):
                calls.start_soon(client.qr_code)
    assert len(heads) == 100
    assert len(connections) == 4


@pytest.mark.parametrize("compressed", [False, True])
async def test_a_body_without_end_is_not_read_on(
    make_http_client: MakeHttpClient, compressed: bool
) -> None:
    """A megabyte is taken, then the connection is closed; even if it is compressed."""
    sent = 0
    chunk = os.urandom(16384)
    encoding = b"Content-Encoding: gzip\r\n" if compressed else b""

    async def handle(connection: SocketStream) -> None:
        nonlocal sent
        await connection.send(
            b"HTTP/1.1 200 OK\r\n" + encoding + b"Transfer-Encoding: chunked\r\n\r\n"
        )
        while True:
            await connection.send(b"4000\r\n" + chunk + b"\r\n")
            sent += len(chunk)

    async with serve_raw(handle) as base_url, client_for(base_url, make_http_client) as client:
        with pytest.raises(UnexpectedResponse, match="larger than 1 MiB"):
            await client.qr_code()
    # What the kernel's buffers on loopback take on top of the megabyte.
    assert sent < 16 * 1024 * 1024


async def test_a_bomb_is_not_inflated(make_http_client: MakeHttpClient) -> None:
    """A small body that inflates to 64 MiB is refused."""
    bomb = gzip.compress(bytes(2**26))

    async def handle(connection: SocketStream) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        await connection.send(head % len(bomb) + bomb)

    heads: list[bytes] = []
    async with (
        serve_raw(handle, heads=heads) as base_url,
        client_for(base_url, make_http_client) as client,
    ):
        with pytest.raises(UnexpectedResponse, match="larger than 1 MiB"):
            await client.qr_code()
    assert b"accept-encoding: identity" in heads[0].lower()


async def test_a_redirect_is_not_followed(make_http_client: MakeHttpClient) -> None:
    """The other host is never asked, so the token never reaches it."""

    async def handle(connection: SocketStream) -> None:
        await connection.send(
            b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
        )

    heads: list[bytes] = []
    async with (
        serve_raw(handle, heads=heads) as base_url,
        client_for(base_url, make_http_client) as client,
    ):
        with pytest.raises(UnexpectedRedirect):
            await client.qr_code()
    assert len(heads) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    ],
    ids=["nothing", "half a body", "another protocol", "two lengths", "broken chunks"],
)
async def test_a_response_that_breaks_http_is_a_network_error(
    make_http_client: MakeHttpClient, raw: bytes
) -> None:
    """Whatever the peer does, one kind of exception comes out."""

    async def handle(connection: SocketStream) -> None:
        await connection.send(raw)
        await connection.aclose()

    heads: list[bytes] = []
    async with serve_raw(handle, heads=heads) as base_url:
        async with client_for(base_url, make_http_client, retries=0) as client:
            with pytest.raises(NetworkError):
                await client.qr_code()
    assert len(heads) == 1


async def test_a_server_that_never_answers_is_a_request_timeout(
    make_http_client: MakeHttpClient,
) -> None:
    """The deadline is for the whole attempt, a body that drips included."""

    async def handle(connection: SocketStream) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            await connection.send(b"x")
            await anyio.sleep(0.01)

    async with serve_raw(handle) as base_url:
        async with client_for(base_url, make_http_client, timeout=0.1, retries=0) as client:
            with pytest.raises(RequestTimeout):
                await client.qr_code()


async def test_a_refused_connection_is_a_network_error(make_http_client: MakeHttpClient) -> None:
    """Nobody listens there."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{held.getsockname()[1]}/api/whatsapp"
        async with client_for(base_url, make_http_client, retries=0) as client:
            with pytest.raises(NetworkError, match="base_url"):
                await client.qr_code()


async def test_a_proxy_behind_which_tls_fails_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each call fails by TLS, and none waits for the connection of the one before."""

    async def handle(connection: SocketStream) -> None:
        await connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await connection.send(b"this is not TLS")
        await connection.aclose()

    heads: list[bytes] = []
    async with serve_raw(handle, heads=heads) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.removesuffix("/api/whatsapp"))
        async with client_for("https://api.example/api/whatsapp", None, retries=0) as client:
            for number in (1, 2, 3):
                with pytest.raises(NetworkError, match="ConnectError"):
                    await client.qr_code()
                assert len(heads) == number
    assert heads[0].startswith(b"CONNECT api.example:443 ")


async def test_the_next_call_works_after_one_was_cancelled(
    make_http_client: MakeHttpClient,
) -> None:
    """Nothing of the cancelled call is left in the way."""
    hold = True

    async def handle(connection: SocketStream) -> None:
        if hold:
            await anyio.sleep_forever()
        await connection.send(b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"value":"2@code"}')

    async with serve_raw(handle) as base_url:
        async with client_for(base_url, make_http_client, max_connections=1) as client:
            with anyio.move_on_after(0.05) as scope:
                await client.qr_code()
            assert scope.cancelled_caught
            hold = False
            assert (await client.qr_code()).payload == "2@code"

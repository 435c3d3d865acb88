"""Calls that change something are sent once, whatever becomes of the connection."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, TypeAlias

import aiohttp
import httpx
import httpx2
import pytest
from anyio.abc import SocketAttribute, SocketStream
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient
from yarl import URL

from plugchat_async import (
    AsyncPlugChat,
    NetworkError,
    PlugChatError,
    RateLimited,
    RequestTimeout,
    ServerError,
)
from tests.http_clients import HTTP_CLIENTS
from tests.raw_server import listen, serve_raw

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.http_clients import HttpClient, MakeHttpClient

pytestmark = pytest.mark.anyio

TOKEN = "f3a9-the-token-of-a-tenant"

# The CA bundle takes longer to read than a test to run.
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Behaviour: TypeAlias = Callable[[SocketStream], Awaitable[None]]

SENDING: dict[str, Callable[[AsyncPlugChat], Awaitable[None]]] = {
    "disconnect": AsyncPlugChat.disconnect,
    "restore-session": AsyncPlugChat.restore_session,
    "restart": AsyncPlugChat.restart,
}

CONNECTED = b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"connected": true}'
DONE = b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"value": true}'


async def close(connection: SocketStream) -> None:
    """Close a connection without a response."""
    await connection.aclose()


async def reset(connection: SocketStream) -> None:
    """Reset a connection."""
    raw = connection.extra(SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await connection.aclose()


async def stall(connection: SocketStream) -> None:
    """Send nothing."""


def sending(response: bytes, *, then_close: bool = False) -> Behaviour:
    """Send some bytes, and perhaps close the connection."""

    async def send(connection: SocketStream) -> None:
        await connection.send(response)
        if then_close:
            await connection.aclose()

    return send


BEHAVIOURS: dict[str, tuple[Behaviour, type[PlugChatError]]] = {
    "closes": (close, NetworkError),
    "resets": (reset, NetworkError),
    "stalls": (stall, RequestTimeout),
    "half a head": (sending(b"HTTP/1.1 200", then_close=True), NetworkError),
    "half a body": (sending(DONE[:-5], then_close=True), NetworkError),
    "stalls in the body": (sending(DONE[:-5]), RequestTimeout),
    "500": (sending(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), ServerError),
    "429": (
        sending(b"HTTP/1.1 429 Slow down\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"),
        RateLimited,
    ),
}


@pytest.mark.parametrize(("behaviour", "error"), BEHAVIOURS.values(), ids=BEHAVIOURS)
@pytest.mark.parametrize("make_http_client", HTTP_CLIENTS.values(), ids=HTTP_CLIENTS)
@pytest.mark.parametrize("is_kept_alive", [False, True], ids=["a new connection", "a kept one"])
async def test_it_is_sent_once(
    is_kept_alive: bool,
    make_http_client: MakeHttpClient,
    behaviour: Behaviour,
    error: type[PlugChatError],
) -> None:
    """Nothing sends it again; if there was no response, the error says what may have happened."""
    heads: list[bytes] = []

    async def respond(connection: SocketStream) -> None:
        is_status = heads[-1].startswith(b"GET /api/whatsapp/status ")
        await (sending(CONNECTED) if is_status else behaviour)(connection)

    timeout = 1 if error is RequestTimeout else 10
    async with serve_raw(respond, heads=heads) as base_url, AsyncExitStack() as stack:
        http_client: HttpClient | None = None
        if make_http_client is not None:
            http_client = make_http_client()
            stack.push_async_callback(http_client.aclose)
        client = AsyncPlugChat(
            TOKEN, base_url=base_url, timeout=timeout, retries=3, http_client=http_client
        )
        async with client:
            if is_kept_alive:
                await client.status()
            with pytest.raises(error) as caught:
                await client.disconnect()
    assert sum(b"/disconnect" in head for head in heads) == 1
    assert ("may have done it all the same: ask status()" in str(caught.value)) == issubclass(
        error, NetworkError
    )
    assert type(caught.value) is error


@pytest.mark.parametrize("name", SENDING)
async def test_our_own_pool_sends_it_over_a_fresh_connection(name: str) -> None:
    """A kept connection may be closed, and then nobody knows whether it arrived."""
    connections: list[SocketStream] = []

    async def respond(connection: SocketStream) -> None:
        connections.append(connection)
        await connection.send(CONNECTED if len(connections) < 3 else DONE)

    async with serve_raw(respond) as base_url, AsyncPlugChat(TOKEN, base_url=base_url) as client:
        await client.status()
        await client.status()
        await SENDING[name](client)
    first, second, third = map(id, connections)
    assert first == second != third


def raising(error: httpx.TransportError) -> Callable[[httpx.Request], httpx.Response]:
    """Raise an exception instead of sending a request."""

    def handle(_: httpx.Request) -> httpx.Response:
        raise error

    return handle


BEFORE_SENDING: list[httpx.TransportError] = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("slow"),
    httpx.PoolTimeout("busy"),
    httpx.ProxyError("407 Proxy Authentication Required"),
    httpx.UnsupportedProtocol("gopher"),
]
WHILE_SENDING: list[httpx.TransportError] = [
    httpx.ReadError("reset"),
    httpx.WriteTimeout("slow"),
    httpx.RemoteProtocolError("not HTTP"),
]


@pytest.mark.parametrize(
    ("error", "may_have_happened"),
    [(each, False) for each in BEFORE_SENDING] + [(each, True) for each in WHILE_SENDING],
    ids=repr,
)
async def test_a_request_that_was_never_sent_has_not_happened(
    error: httpx.TransportError, may_have_happened: bool
) -> None:
    """A status need not be asked for after a connection that was not made."""
    http_client = httpx.AsyncClient(transport=httpx.MockTransport(raising(error)))
    with pytest.raises(NetworkError) as caught:
        await AsyncPlugChat(TOKEN, http_client=http_client).restart()
    assert ("may have done it" in str(caught.value)) is may_have_happened


async def speak_no_tls(connection: SocketStream) -> None:
    """Respond to a handshake with something else."""
    async with connection:
        await connection.receive()
        await connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("make_http_client", HTTP_CLIENTS.values(), ids=HTTP_CLIENTS)
async def test_a_refused_connection_and_failed_tls_send_nothing(
    make_http_client: MakeHttpClient,
) -> None:
    """Nor does a host without an address."""
    http_client = make_http_client and make_http_client()
    async with listen(speak_no_tls) as port, AsyncExitStack() as stack:
        if http_client is not None:
            stack.push_async_callback(http_client.aclose)
        for place in (f"https://127.0.0.1:{port}", "http://127.0.0.1:1", "http://none.invalid"):
            async with AsyncPlugChat(
                TOKEN, base_url=place, allow_insecure_http=True, http_client=http_client
            ) as client:
                with pytest.raises(NetworkError, match=r"ConnectError \(.*\): [^.]*$"):
                    await client.restart()


@pytest.mark.parametrize("request_of", [httpx.Request("GET", "https://logs.example"), None])
async def test_a_hook_s_own_connection_says_nothing_about_ours(
    request_of: httpx.Request | None,
) -> None:
    """The request was sent before a response hook could not connect to somewhere else."""

    async def report(_: httpx.Response) -> None:
        raise httpx.ConnectError("refused", request=request_of)

    http_client = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200)),
        event_hooks={"response": [report]},
    )
    with pytest.raises(NetworkError, match="PlugChat may have done it all the same"):
        await AsyncPlugChat(TOKEN, http_client=http_client).restart()


# HTTP/2


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
@pytest.mark.parametrize(("last_processed", "times_sent"), [(1, 2), (3, 1)])
async def test_over_http2_only_an_unprocessed_request_is_sent_again(
    library: ModuleType, last_processed: int, times_sent: int
) -> None:
    """By RFC 9113, section 8.7, even if it changes something: it still happens once at most."""
    sent: list[int] = []
    connections: list[SocketStream] = []

    async def respond(connection: SocketStream) -> None:
        connections.append(connection)
        is_first = len(connections) == 1
        http2 = H2Connection(H2Configuration(client_side=False))
        http2.initiate_connection()
        async with connection:
            async for received in connection:
                for event in http2.receive_data(received):
                    if isinstance(event, RequestReceived):
                        sent.append(event.stream_id)
                        if is_first and event.stream_id == 3:
                            http2.close_connection(last_stream_id=last_processed)
                        else:
                            http2.send_headers(event.stream_id, [(":status", "200")])
                            http2.send_data(event.stream_id, b'{"value": true}', end_stream=True)
                await connection.send(http2.data_to_send())

    async with (
        listen(respond) as port,
        library.AsyncClient(http1=False, http2=True) as http_client,
    ):
        base_url = f"http://127.0.0.1:{port}"
        client = AsyncPlugChat(TOKEN, base_url=base_url, http_client=http_client)
        await client.restart()
        if times_sent == 2:
            await client.restart()
        else:
            with pytest.raises(NetworkError, match="PlugChat may have done it all the same"):
                await client.restart()
    assert len(sent) == 1 + times_sent


# aiohttp


def mounted() -> httpx.AsyncClient:
    """Make a client with aiohttp's transport for some addresses."""
    return httpx.AsyncClient(verify=TLS, mounts={"all://127.0.0.1": AiohttpTransport(verify=TLS)})


class Wrapper(httpx.AsyncBaseTransport):
    """A transport around another one, or around several, as for logs, traces and caches."""

    def __init__(self, inner: object) -> None:
        self.__inner = inner
        self._around: object = self


class SlottedWrapper(httpx.AsyncBaseTransport):
    """The same with slots."""

    __slots__ = ("inner",)

    def __init__(self, inner: object) -> None:
        self.inner = inner


WRAPPERS: dict[str, Callable[[AiohttpTransport], httpx.AsyncBaseTransport]] = {
    "wrapped": Wrapper,
    "wrapped in slots": SlottedWrapper,
    "wrapped five times": lambda aio: Wrapper(Wrapper(Wrapper(Wrapper(SlottedWrapper(aio))))),
    "in a list": lambda aio: Wrapper([httpx.MockTransport(lambda _: httpx.Response(200)), aio]),
    "in a dictionary": lambda aio: Wrapper({"first": None, "second": Wrapper(aio)}),
    "in a client": lambda aio: Wrapper(httpx.AsyncClient(verify=TLS, transport=aio)),
}


AIOHTTP_CLIENTS: dict[str, Callable[[], httpx.AsyncClient]] = {
    "HttpxAiohttpClient": lambda: HttpxAiohttpClient(verify=TLS),
    "transport=": lambda: httpx.AsyncClient(transport=AiohttpTransport(verify=TLS)),
    "mounts=": mounted,
}

on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])


@on_asyncio
@pytest.mark.parametrize("make_http_client", AIOHTTP_CLIENTS.values(), ids=AIOHTTP_CLIENTS)
@pytest.mark.parametrize("name", SENDING)
async def test_over_aiohttp_it_is_not_sent(
    name: str, make_http_client: Callable[[], httpx.AsyncClient]
) -> None:
    """It would be sent again when a kept connection breaks; `status()` may be."""
    heads: list[bytes] = []
    async with (
        serve_raw(sending(CONNECTED), heads=heads) as base_url,
        make_http_client() as http_client,
        AsyncPlugChat(TOKEN, base_url=base_url, http_client=http_client) as client,
    ):
        with pytest.raises(RuntimeError, match="without http_client="):
            await SENDING[name](client)
        assert heads == []
        assert (await client.status()).connected


@on_asyncio
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
async def test_over_aiohttp_inside_another_transport_it_is_not_sent(
    wrap: Callable[[AiohttpTransport], httpx.AsyncBaseTransport],
) -> None:
    """A wrapper passes the request on, and aiohttp sends it again."""
    http_client = httpx.AsyncClient(transport=wrap(AiohttpTransport(verify=TLS)))
    with pytest.raises(RuntimeError, match="aiohttp sends a GET again"):
        await AsyncPlugChat(TOKEN, http_client=http_client).restart()


@on_asyncio
async def test_aiohttp_sends_a_request_again_by_itself() -> None:
    """While this holds, nothing that changes something may be sent over it."""
    heads: list[bytes] = []

    async def respond(connection: SocketStream) -> None:
        await (sending(CONNECTED) if len(heads) == 1 else close)(connection)

    async with (
        serve_raw(respond, heads=heads) as base_url,
        HttpxAiohttpClient(verify=TLS) as http_client,
    ):
        await http_client.get(base_url)
        with pytest.raises(httpx.TransportError):
            await http_client.get(f"{base_url}/disconnect")
    assert sum(b"/disconnect" in head for head in heads) == 2


@on_asyncio
async def test_a_mount_of_aiohttp_for_others_does_not_matter() -> None:
    """The transport that PlugChat's address has is asked."""
    mounts = {"all://elsewhere.test": AiohttpTransport(verify=TLS)}
    async with (
        serve_raw(sending(DONE)) as base_url,
        httpx.AsyncClient(verify=TLS, mounts=mounts) as http_client,
    ):
        await AsyncPlugChat(TOKEN, base_url=base_url, http_client=http_client).disconnect()


@on_asyncio
async def test_cookies_of_other_hosts_stay_in_the_jar_of_a_session() -> None:
    """Those that it would send to PlugChat are not sent, and removed."""
    heads: list[bytes] = []
    async with (
        serve_raw(sending(CONNECTED), heads=heads) as base_url,
        aiohttp.ClientSession() as session,
        httpx.AsyncClient(transport=AiohttpTransport(verify=TLS, client=session)) as http_client,
    ):
        session.cookie_jar.update_cookies({"own": "1"}, URL("http://elsewhere.test"))
        session.cookie_jar.update_cookies({"own": "1"}, URL("http://localhost"))
        named = base_url.replace("127.0.0.1", "localhost")  # addresses have no cookies
        await AsyncPlugChat(TOKEN, base_url=named, http_client=http_client).status()
        assert [cookie["domain"] for cookie in session.cookie_jar] == ["elsewhere.test"]
    assert b"cookie" not in heads[0].lower()


@on_asyncio
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
async def test_a_session_that_authenticates_by_itself_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a login in the environment aiohttp refuses the token: a person has to remove it."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password of-netrc")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    heads: list[bytes] = []
    async with (
        serve_raw(sending(CONNECTED), heads=heads) as base_url,
        aiohttp.ClientSession(trust_env=True) as session,
        httpx.AsyncClient(transport=AiohttpTransport(verify=TLS, client=session)) as http_client,
    ):
        client = AsyncPlugChat(TOKEN, base_url=base_url, retries=50, http_client=http_client)
        with pytest.raises(NetworkError, match=r"remove the host from \.netrc") as caught:
            await client.status()
    assert caught.value.is_local
    assert "AUTHORIZATION" in str(caught.value.__cause__)
    assert heads == []

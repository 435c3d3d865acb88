"""Each workaround works, and is needed: the plain library still does what it works around.

A test `..._still_...` that fails says that the library was mended: remove the workaround.
"""

from __future__ import annotations

import gc
import ssl
import traceback
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import httpx
import httpx2
import pytest
import trustme
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSListener, TLSStream
from httpx_aiohttp import HttpxAiohttpClient

from plugchat_async import AsyncPlugChat, NetworkError, UnexpectedRedirect
from plugchat_async._http import quirks
from tests.eventually import eventually
from tests.http_clients import HTTP_CLIENTS
from tests.raw_server import listen, serve_raw

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from anyio.abc import SocketStream

    from tests.http_clients import HttpClient, MakeHttpClient

pytestmark = pytest.mark.anyio

TOKEN = "F3A9-the-token-of-a-tenant-7C21"
CODE = b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"value":"2@%b"}'

on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])
over_each_client = pytest.mark.parametrize(
    "make_http_client", HTTP_CLIENTS.values(), ids=HTTP_CLIENTS
)
over_plain_clients = pytest.mark.parametrize(
    "make_http_client", [make for make in HTTP_CLIENTS.values() if make], ids=["httpx", "httpx2"]
)


@asynccontextmanager
async def client_of(
    base_url: str, make_http_client: MakeHttpClient, **options: Any
) -> AsyncGenerator[AsyncPlugChat]:
    """Make a client, and close what it leaves to its owner."""
    http_client = make_http_client and make_http_client()
    async with AsyncPlugChat(
        TOKEN, base_url=base_url, retries=0, http_client=http_client, **options
    ) as client:
        yield client
    if http_client is not None:
        await http_client.aclose()


def respond(*responses: bytes, ports: list[int] | None = None) -> Any:
    """Return what sends the responses, one after the other, and notes the clients' ports."""
    left = list(responses)

    async def handle(connection: SocketStream) -> None:
        if ports is not None:
            ports.append(connection.extra(SocketAttribute.remote_port))
        await connection.send(left.pop(0))

    return handle


# Data behind a response


@over_each_client
@pytest.mark.parametrize(
    "surplus",
    [CODE % b"else", (CODE % b"else")[:-1], b"HTTP/1.1 200", b"\0"],
    ids=["another response", "most of another", "half a line", "a byte"],
)
async def test_a_response_that_nobody_asked_for_is_not_the_next_one(
    make_http_client: MakeHttpClient, surplus: bytes
) -> None:
    """The next call is made over a new connection, and needs no further attempt."""
    ports: list[int] = []
    handle = respond(CODE % b"0001" + surplus, CODE % b"0002", ports=ports)
    async with serve_raw(handle) as base_url, client_of(base_url, make_http_client) as client:
        payloads = [
            (await each.qr_code()).payload for each in (client, client.for_token("tenant-two"))
        ]
    assert payloads == ["2@0001", "2@0002"]
    assert len(set(ports)) == 2


async def test_a_connection_without_surplus_is_kept() -> None:
    """The next call goes over the same one."""
    ports: list[int] = []
    handle = respond(CODE % b"code", CODE % b"code", ports=ports)
    async with serve_raw(handle) as base_url, client_of(base_url, None) as client:
        await client.qr_code()
        await client.qr_code()
    assert len(set(ports)) == 1


@over_plain_clients
async def test_httpx_still_takes_surplus_for_the_next_response(
    make_http_client: Callable[[], HttpClient],
) -> None:
    """`close_after_trailing_data` is needed."""
    handle = respond(CODE % b"0001" + CODE % b"else", CODE % b"0002")
    async with serve_raw(handle) as base_url, make_http_client() as http_client:
        await http_client.get(base_url)
        assert (await http_client.get(base_url)).json() == {"value": "2@else"}


# Failed handshakes

NO_TLS = b"HTTP/1.1 400 Bad Request\r\n\r\n"
# How a SOCKS proxy agrees to go on without a password, and that it is connected.
AGREED = [b"\x05\x00", b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"]


class Peer:
    """A server that says its lines, one for each thing it receives, and never closes.

    Attributes:
        url: Its address, without a scheme.
        open_connections: How many are open.
        said: How many lines it has said.
    """

    def __init__(self, lines: list[bytes]) -> None:
        self.url = ""
        self.open_connections = 0
        self.said = 0
        self._lines = lines

    async def handle(self, connection: SocketStream) -> None:
        """Send the lines."""
        self.open_connections += 1
        async with connection:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                for line in self._lines:
                    await connection.receive()
                    await connection.send(line)
                    self.said += 1
                while True:
                    await connection.receive()
        self.open_connections -= 1


@asynccontextmanager
async def peer_that_says(*lines: bytes) -> AsyncGenerator[Peer]:
    """Serve on a free port."""
    peer = Peer(list(lines))
    async with listen(peer.handle) as port:
        peer.url = f"127.0.0.1:{port}"
        yield peer


@over_each_client
async def test_a_failed_tls_handshake_leaves_no_connection_open(
    make_http_client: MakeHttpClient,
) -> None:
    """The server sees it close while the client is open."""
    async with peer_that_says(NO_TLS) as peer:
        async with client_of(f"https://{peer.url}", make_http_client) as client:
            with pytest.raises(NetworkError, match="ConnectError"):
                await client.qr_code()
            await eventually(lambda: peer.open_connections == 0)


@over_each_client
async def test_a_cancelled_tls_handshake_leaves_no_connection_open(
    make_http_client: MakeHttpClient,
) -> None:
    """Nor does one that takes too long."""
    async with peer_that_says() as peer:
        async with client_of(f"https://{peer.url}", make_http_client) as client:
            async with anyio.create_task_group() as calls:
                calls.start_soon(client.qr_code)
                await eventually(lambda: peer.open_connections)
                await anyio.wait_all_tasks_blocked()
                calls.cancel_scope.cancel()
            await eventually(lambda: peer.open_connections == 0)


HTTP, HTTPS = "http://gateway.test:9", "https://gateway.test"


@pytest.mark.parametrize(
    ("base_url", "lines", "cause"),
    [
        (HTTP, [NO_TLS], "ProtocolError"),
        (HTTPS, [NO_TLS], "ProtocolError"),
        (HTTP, [AGREED[0], NO_TLS], "ProtocolError"),
        (HTTPS, [AGREED[0], b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"], "ProxyError"),
        (HTTPS, [*AGREED, NO_TLS], "ConnectError"),
    ],
)
async def test_a_failed_socks_handshake_leaves_no_connection_open(
    monkeypatch: pytest.MonkeyPatch, base_url: str, lines: list[bytes], cause: str
) -> None:
    """The cause is what the library raised."""
    async with peer_that_says(*lines) as peer:
        monkeypatch.setenv("ALL_PROXY", f"socks5://{peer.url}")
        async with client_of(base_url, None, allow_insecure_http=True) as client:
            with pytest.raises(NetworkError) as caught:
                await client.qr_code()
            assert type(caught.value.__cause__).__name__ == cause
            await eventually(lambda: peer.open_connections == 0)


@pytest.mark.parametrize(("base_url", "lines"), [(HTTP, []), (HTTPS, []), (HTTPS, AGREED)])
async def test_a_cancelled_socks_handshake_leaves_no_connection_open(
    monkeypatch: pytest.MonkeyPatch, base_url: str, lines: list[bytes]
) -> None:
    """Neither in the proxy's handshake nor in that of TLS behind it."""
    async with peer_that_says(*lines) as peer:
        monkeypatch.setenv("ALL_PROXY", f"socks5://{peer.url}")
        async with client_of(base_url, None, allow_insecure_http=True) as client:
            async with anyio.create_task_group() as calls:
                calls.start_soon(client.qr_code)
                await eventually(lambda: peer.said == len(lines) and peer.open_connections)
                await anyio.wait_all_tasks_blocked()
                calls.cancel_scope.cancel()
            await eventually(lambda: peer.open_connections == 0)


async def test_a_cancelled_handshake_in_a_tunnel_leaves_no_connection_open() -> None:
    """The proxy has agreed, and the server behind it says nothing."""
    async with (
        peer_that_says(b"HTTP/1.1 200 OK\r\n\r\n") as peer,
        httpx.AsyncClient(proxy=f"http://{peer.url}") as http_client,
        AsyncPlugChat(TOKEN, base_url=HTTPS, http_client=http_client) as client,
    ):
        async with anyio.create_task_group() as calls:
            calls.start_soon(client.qr_code)
            await eventually(lambda: peer.said == 1 and peer.open_connections)
            await anyio.wait_all_tasks_blocked()
            calls.cancel_scope.cancel()
        await eventually(lambda: peer.open_connections == 0)


@pytest.mark.parametrize("proxy", [None, "socks5"])
async def test_httpx_still_leaves_a_cancelled_handshake_open(proxy: str | None) -> None:
    """`close_after_failed_handshake` is needed."""
    streams: list[Any] = []

    async def trace(event: str, info: dict[str, Any]) -> None:
        if event.endswith("connect_tcp.complete"):
            streams.append(info["return_value"])

    async with (
        peer_that_says() as peer,
        httpx.AsyncClient(proxy=proxy and f"{proxy}://{peer.url}") as http_client,
    ):
        request = partial(
            http_client.get, f"https://{peer.url}", extensions={"trace": trace}, timeout=None
        )
        async with anyio.create_task_group() as calls:
            calls.start_soon(request)
            await eventually(lambda: streams)
            await anyio.wait_all_tasks_blocked()
            calls.cancel_scope.cancel()
        assert streams[0].get_extra_info("socket").fileno() != -1
        await streams[0].aclose()


async def test_a_socket_is_the_connection_s_after_its_handshake() -> None:
    """A request that fails later leaves closing it to the library; the next call reconnects."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    sockets = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = sockets.extra(SocketAttribute.local_port)
    listener = TLSListener(sockets, context, standard_compatible=False)

    async def handle(connection: TLSStream) -> None:
        async with connection:
            await connection.receive()
            await connection.send(CODE % b"code")

    async with listener, anyio.create_task_group() as serving:
        serving.start_soon(listener.serve, handle)
        async with httpx.AsyncClient(verify=trust) as http_client:
            client = AsyncPlugChat(
                TOKEN, base_url=f"https://localhost:{port}", http_client=http_client
            )
            assert (await client.qr_code()).payload == "2@code"
            assert quirks._in_handshake.get() is None
        serving.cancel_scope.cancel()


# A Location that is not a URL

REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("location", "host"), [(b"https://x:y", "x"), (b"https://login.example/x", "login.example")]
)
async def test_a_redirect_is_an_unexpected_redirect_wherever_it_leads(
    location: bytes, host: str | None
) -> None:
    """Also to what is not a URL."""
    async with serve_raw(respond(REDIRECT % location)) as base_url:
        async with client_of(base_url, None) as client:
            with pytest.raises(UnexpectedRedirect) as caught:
                await client.qr_code()
    assert caught.value.location == host


async def test_httpx_still_raises_for_a_location_that_is_not_a_url() -> None:
    """`set_location_aside` is needed."""
    async with serve_raw(respond(REDIRECT % b"https://x:y")) as base_url:
        async with httpx.AsyncClient() as http_client:
            with pytest.raises(httpx.RemoteProtocolError, match="Invalid URL in location header"):
                await http_client.get(base_url, follow_redirects=False)


# Cookies

WITH_COOKIES = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\nSet-Cookie: plain=theirs; Path=/\r\n"
    b'Set-Cookie: other=\xc3\xa9; Path=/\r\n\r\n{"value":"2@code"}'
)


@over_each_client
async def test_a_cookie_that_plugchat_sets_reaches_no_later_call(
    make_http_client: MakeHttpClient,
) -> None:
    """Nor does it break one."""
    assert b"cookie" not in (await head_after_cookies(make_http_client)).lower()


@on_asyncio
async def test_a_cookie_in_the_jar_of_aiohttp_reaches_no_later_call() -> None:
    """It is another jar than that of httpx."""
    assert b"cookie" not in (await head_after_cookies(HttpxAiohttpClient)).lower()


async def head_after_cookies(make_http_client: MakeHttpClient) -> bytes:
    """Return the head of the request that follows a response with cookies."""
    heads: list[bytes] = []
    async with serve_raw(respond(WITH_COOKIES, CODE % b"code"), heads=heads) as base_url:
        # aiohttp's jar takes no cookies of addresses.
        named = base_url.replace("127.0.0.1", "localhost")
        async with client_of(named, make_http_client) as client:
            await client.qr_code()
            assert (await client.for_token("tenant-two").qr_code()).payload == "2@code"
    return heads[1]


async def test_the_cookies_that_a_user_has_stay_in_the_jar() -> None:
    """Those of other hosts, and those that PlugChat did not set."""
    async with serve_raw(respond(WITH_COOKIES)) as base_url, httpx.AsyncClient() as http_client:
        http_client.cookies.set("own", "kept", domain="app.example")
        await AsyncPlugChat(TOKEN, base_url=base_url, http_client=http_client).qr_code()
        assert [cookie.name for cookie in http_client.cookies.jar] == ["own"]


@over_plain_clients
async def test_httpx_still_keeps_cookies(make_http_client: Callable[[], HttpClient]) -> None:
    """`forget_cookies` is needed: the next request fails, for a cookie outside of ASCII."""
    async with serve_raw(respond(WITH_COOKIES)) as base_url, make_http_client() as http_client:
        await http_client.get(base_url)
        with pytest.raises(UnicodeEncodeError):
            await http_client.get(base_url)


@on_asyncio
async def test_aiohttp_still_keeps_cookies() -> None:
    """`forget_cookies_of_aiohttp` is needed."""
    heads: list[bytes] = []
    handle = respond(
        CODE.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n\r\n") % b"0001", CODE % b"0002"
    )
    async with serve_raw(handle, heads=heads) as base_url, HttpxAiohttpClient() as http_client:
        named = base_url.replace("127.0.0.1", "localhost")  # its jar takes no addresses
        await http_client.get(named)
        http_client.cookies.clear()
        await http_client.get(named)
    assert b"a=b" in heads[1]


# Requests that are sent twice


@on_asyncio
@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_a_class_that_closes_what_is_collected_keeps_its_connections(
    library: Any,
) -> None:
    """Its client stays open for its owner, whatever copies were made of it."""
    closed: list[object] = []

    class Tidy(library.AsyncClient):  # type: ignore[misc] # one of two
        def __del__(self) -> None:
            if not self.is_closed:
                closed.append(self)

    response = library.Response(200, json={"connected": False})
    async with Tidy(transport=library.MockTransport(lambda _: response)) as http_client:
        await AsyncPlugChat(TOKEN, http_client=http_client).status()
        gc.collect()
        assert closed == []
        assert not http_client.is_closed


async def test_over_aiohttp_nothing_is_sent_that_must_be_sent_once() -> None:
    """It is refused with what to do."""
    heads: list[bytes] = []
    async with serve_raw(respond(CODE % b"code"), heads=heads) as base_url:
        async with client_of(base_url, HttpxAiohttpClient) as client:
            with pytest.raises(RuntimeError, match="use a client without http_client="):
                await client.restart()
    assert heads == []


@on_asyncio
async def test_aiohttp_still_sends_a_get_twice() -> None:
    """`sends_twice` is needed."""
    seen: list[bytes] = []

    async def handle(connection: SocketStream) -> None:
        seen.append(b"")
        if len(seen) == 2:
            await connection.aclose()
        else:
            await connection.send(CODE % b"code")

    async with serve_raw(handle) as base_url, HttpxAiohttpClient() as http_client:
        await http_client.get(base_url)
        await http_client.get(base_url)
    assert len(seen) == 3


# Requests in exceptions


async def hang_up(connection: SocketStream) -> None:
    """Close the connection without a response."""
    await connection.aclose()


@over_each_client
async def test_a_cause_has_no_request(make_http_client: MakeHttpClient) -> None:
    """Its headers have the token."""
    async with serve_raw(hang_up) as base_url, client_of(base_url, make_http_client) as client:
        with pytest.raises(NetworkError) as caught:
            await client.qr_code()
    assert vars(caught.value.__cause__).get("_request") is None


@on_asyncio
async def test_a_cause_that_is_aiohttp_s_has_no_headers() -> None:
    """Neither among its attributes nor among its arguments."""

    async def handle(connection: SocketStream) -> None:
        await connection.send(b"SPAM\r\n\r\n")
        await connection.aclose()

    async with serve_raw(handle) as base_url, client_of(base_url, HttpxAiohttpClient) as client:
        with pytest.raises(NetworkError) as caught:
            await client.qr_code()
    shown = traceback.format_exception(caught.value)
    for link in (caught.value.__cause__, getattr(caught.value.__cause__, "__cause__", None)):
        shown += [repr(link), repr(vars(link) if link else None)]
    assert TOKEN not in "".join(shown)


@over_plain_clients
async def test_httpx_still_keeps_the_request_in_an_exception(
    make_http_client: Callable[[], HttpClient],
) -> None:
    """`drop_request` is needed."""
    async with serve_raw(hang_up) as base_url, make_http_client() as http_client:
        with pytest.raises(Exception, match="disconnected") as caught:
            await http_client.get(base_url, headers={"Authorization": TOKEN})
    request: httpx.Request = vars(caught.value)["_request"]
    assert request.headers["Authorization"] == TOKEN


@on_asyncio
async def test_aiohttp_still_keeps_the_headers_in_an_exception() -> None:
    """`drop_request` is needed."""

    async def handle(connection: SocketStream) -> None:
        await connection.send(b"SPAM\r\n\r\n")
        await connection.aclose()

    async with serve_raw(handle) as base_url, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientResponseError) as caught:
            await session.get(base_url, headers={"Authorization": TOKEN})
    assert caught.value.request_info.headers["Authorization"] == TOKEN


# What needs a private name does nothing without it


class Bare:
    """A client, or a response, of a version whose private names have changed."""


async def test_a_changed_private_name_switches_a_workaround_off() -> None:
    """Nothing is raised."""
    bare: Any = Bare()
    await quirks.close_after_trailing_data(bare)
    assert not quirks.sends_twice(bare, httpx.URL("https://api.example"))
    quirks.forget_cookies_of_aiohttp(bare, httpx.URL("https://api.example"))
    quirks.discard(bare)

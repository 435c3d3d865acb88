"""Identity of the caller over a user-supplied client: the token alone, without cookies."""

from __future__ import annotations

import os
import ssl
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from httpx_aiohttp import HttpxAiohttpClient

from plugchat_async import AsyncPlugChat, AuthenticationError, NetworkError, UnexpectedRedirect
from tests.raw_server import serve_raw

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from pathlib import Path
    from types import ModuleType

    from anyio.abc import SocketStream

TOKEN = "f3a9-the-token-of-a-tenant"

# The CA bundle takes longer to read than a test to run.
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

# httpx-aiohttp knows asyncio alone.
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize(
        ("anyio_backend", "client_class"),
        [
            pytest.param(backend, client_class, id=f"{backend}-{client_class.__module__}")
            for client_class in (httpx.AsyncClient, httpx2.AsyncClient, HttpxAiohttpClient)
            for backend in ("asyncio", "trio")
            if client_class is not HttpxAiohttpClient or backend == "asyncio"
        ],
    ),
]


def response(*lines: str, status: str = "200 OK") -> bytes:
    """Write the response of an instance without a phone, with some more lines in its head."""
    body = '{"connected": false}'
    head = [f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", body]).encode()


class Server:
    """A server with one response, and a record of requests.

    Attributes:
        response: What it sends.
        heads: The requests so far.
        base_url: Its address.
    """

    def __init__(self, response: bytes) -> None:
        self.response = response
        self.heads: list[bytes] = []
        self.base_url = ""

    async def respond(self, connection: SocketStream) -> None:
        """Respond to one request."""
        await connection.send(self.response)

    def sent(self, name: str) -> list[list[str]]:
        """Return the values of a header, of each request."""
        return [
            [
                value.strip()
                for line in head.decode().splitlines()[1:]
                for key, _, value in [line.partition(":")]
                if key.lower() == name.lower()
            ]
            for head in self.heads
        ]


@asynccontextmanager
async def serving(given: bytes) -> AsyncGenerator[Server]:
    """Serve under a name: aiohttp keeps no cookies for addresses."""
    server = Server(given)
    async with serve_raw(server.respond, heads=server.heads) as base_url:
        server.base_url = base_url.replace("127.0.0.1", "localhost")
        yield server


@pytest.fixture(autouse=True)
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a file of logins, and name it in the environment."""
    path = tmp_path / "netrc"
    path.write_text("machine localhost login user password of-netrc")
    monkeypatch.setenv("NETRC", str(path))
    return path


def custom_auth(library: ModuleType) -> Any:
    """Make an authentication that sets a header."""

    class Custom(library.Auth):  # type: ignore[name-defined,misc] # either library's
        def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request]:
            request.headers["Authorization"] = "custom"
            yield request

    return Custom()


IDENTITIES: dict[str, Callable[[ModuleType], dict[str, object]]] = {
    "none": lambda _: {},
    "basic": lambda _: {"auth": ("user", "password")},
    "an Auth class": lambda library: {"auth": custom_auth(library)},
    "NetRCAuth": lambda library: {"auth": library.NetRCAuth(os.environ["NETRC"])},
    "credentials in a URL": lambda _: {"base_url": "http://user:password@localhost"},
    "headers": lambda _: {"headers": {"authorization": "default", "cookie": "default=1"}},
    "cookies": lambda _: {"cookies": {"session": "of-the-user"}},
    "parameters": lambda _: {"params": {"key": "of-the-user"}},
}


@pytest.mark.parametrize("identity", IDENTITIES.values(), ids=IDENTITIES)
async def test_the_token_alone_identifies_the_caller(
    client_class: type[httpx.AsyncClient], identity: Callable[[ModuleType], dict[str, Any]]
) -> None:
    """Nothing by which the client identifies its user elsewhere goes along."""
    async with (
        serving(response()) as server,
        client_class(verify=TLS, **identity(library_of(client_class))) as http_client,
    ):
        await AsyncPlugChat(TOKEN, base_url=server.base_url, http_client=http_client).status()
    assert server.sent("Authorization") == [[TOKEN]]
    assert server.sent("Cookie") == [[]]
    assert server.heads[0].startswith(b"GET /api/whatsapp/status HTTP/1.1\r\n")


async def test_the_rest_of_the_client_applies(client_class: type[httpx.AsyncClient]) -> None:
    """Its headers, and its hooks, as do the headers of our own, a cookie among them."""
    seen: list[str] = []

    async def see_request(request: httpx.Request) -> None:
        request.headers["X-Trace"] = "of-a-hook"
        seen.append(request.method)

    async def see_response(response: httpx.Response) -> None:
        seen.append(response.reason_phrase)

    hooks: dict[str, list[Callable[..., object]]] = {
        "request": [see_request],
        "response": [see_response],
    }
    async with (
        serving(response()) as server,
        client_class(verify=TLS, headers={"X-Team": "ours"}, event_hooks=hooks) as http_client,
    ):
        await AsyncPlugChat(
            TOKEN,
            base_url=server.base_url,
            http_client=http_client,
            headers={"Cookie": "gateway=1", "Client-Token": "of-the-account"},
        ).status()
    assert seen == ["GET", "OK"]
    assert [server.sent(name) for name in ("X-Team", "X-Trace", "Cookie", "Client-Token")] == [
        [["ours"]],
        [["of-a-hook"]],
        [["gateway=1"]],
        [["of-the-account"]],
    ]


@pytest.mark.parametrize("is_in_environment", [False, True], ids=["an argument", "trust_env"])
async def test_a_proxy_of_the_client_applies(
    client_class: type[httpx.AsyncClient],
    is_in_environment: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request goes to the proxy, whether it is an argument or the environment's."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with serving(response()) as server:
        address = server.base_url.removesuffix("/api/whatsapp")
        monkeypatch.setenv("http_proxy", address if is_in_environment else "")
        async with client_class(
            verify=TLS, proxy=None if is_in_environment else address
        ) as http_client:
            await AsyncPlugChat(
                TOKEN,
                base_url="http://plugchat.test/api/whatsapp",
                allow_insecure_http=True,
                http_client=http_client,
            ).status()
    assert server.heads[0].startswith(b"GET http://plugchat.test/api/whatsapp/status HTTP/1.1")
    assert server.sent("Authorization") == [[TOKEN]]


COOKIES = {
    "ASCII": ("session=1; Path=/", "200 OK", None),
    "not ASCII": ("session=é€; Path=/", "200 OK", None),
    "of a domain": ("session=1; Domain=localhost; Path=/", "200 OK", None),
    "of a refusal": ("session=1", "403 Forbidden", AuthenticationError),
    "of a redirect": ("session=1; Path=/", "302 Found", UnexpectedRedirect),
    "of a redirect, not ASCII": ("session=é€; Path=/", "302 Found", UnexpectedRedirect),
}


@pytest.mark.parametrize(("cookie", "status", "error"), COOKIES.values(), ids=COOKIES)
async def test_a_cookie_of_the_api_goes_nowhere(
    client_class: type[httpx.AsyncClient],
    cookie: str,
    status: str,
    error: type[Exception] | None,
) -> None:
    """It reaches no later call and no request of the user's, breaks none, and is not kept."""
    given = response(f"Set-Cookie: {cookie}", "Location: /login", status=status)
    async with serving(given) as server, client_class(verify=TLS) as http_client:
        http_client.cookies.set("own", "1", domain="elsewhere.test")
        client = AsyncPlugChat(TOKEN, base_url=server.base_url, http_client=http_client)
        for _ in range(2):
            with pytest.raises(error) if error else nullcontext():
                await client.status()
        server.response = response()  # one such redirect breaks httpx by itself
        await http_client.get(f"{server.base_url}/own")
        others = [kept.domain for kept in http_client.cookies.jar if kept.name == "own"]
    assert server.sent("Cookie") == [[], [], []]
    assert others == ["elsewhere.test"]


async def test_a_cookie_is_not_kept_either_if_a_hook_fails(
    client_class: type[httpx.AsyncClient],
) -> None:
    """The response is lost, and its cookie with it."""

    async def fail(_: httpx.Response) -> None:
        raise ValueError

    async with (
        serving(response("Set-Cookie: session=1; Path=/")) as server,
        client_class(verify=TLS, event_hooks={"response": [fail]}) as http_client,
    ):
        client = AsyncPlugChat(TOKEN, base_url=server.base_url, retries=0, http_client=http_client)
        for _ in range(2):
            with pytest.raises(NetworkError):
                await client.status()
        assert [*http_client.cookies.jar] == []
        http_client.event_hooks = {}
        await http_client.get(f"{server.base_url}/own")
    assert server.sent("Cookie") == [[], [], []]


async def test_httpx_keeps_cookies_by_itself(client_class: type[httpx.AsyncClient]) -> None:
    """While this holds, a client's jar has to be kept away."""
    async with (
        serving(response("Set-Cookie: session=1; Path=/")) as server,
        client_class(verify=TLS) as http_client,
    ):
        for _ in range(2):
            await http_client.get(server.base_url)
    assert server.sent("Cookie") == [[], ["session=1"]]


def library_of(client_class: type) -> ModuleType:
    """Return httpx or httpx2."""
    return httpx if issubclass(client_class, httpx.AsyncClient) else httpx2

"""Turns are first come, first served; the connection used last is used first."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

import anyio
import httpx
import httpx2
import pytest

from plugchat_async import AsyncPlugChat, NetworkError
from plugchat_async._http import pool as connections
from plugchat_async._http.pool import BorrowedClient, Pool, close_after_failed_handshake

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import ModuleType

    from plugchat_async._http.pool import Connections

pytestmark = pytest.mark.anyio


async def test_an_idle_connection_is_reused_last_used_first() -> None:
    """The warmest connection is the likeliest to live."""
    pool = Pool(3)
    first, second = await pool.acquire(), await pool.acquire()
    await pool.release(first, is_usable=True)
    await pool.release(second, is_usable=True)
    assert await pool.acquire() is second
    assert await pool.acquire() is first
    await pool.release(first, is_usable=True)
    await pool.aclose()


async def test_a_connection_whose_exchange_failed_is_not_used_again() -> None:
    """Its place may be taken for good, behind a proxy for example."""
    pool = Pool(1)
    failed = await pool.acquire()
    await pool.release(failed, is_usable=False)
    assert failed.is_closed
    assert await pool.acquire() is not failed
    await pool.aclose()


async def test_what_was_idle_for_too_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else would notice that the server has closed it."""
    pool = Pool(2)
    idle, warm = await pool.acquire(), await pool.acquire()
    await pool.release(idle, is_usable=True)
    await anyio.sleep(0.02)
    monkeypatch.setattr(connections, "_IDLE_SECONDS", 0.01)
    await pool.release(warm, is_usable=True)
    assert (idle.is_closed, warm.is_closed) == (True, False)
    assert await pool.acquire() is warm
    await pool.aclose()


async def test_the_certificates_are_read_once_for_all_first_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not by each of them, side by side."""
    connections._tls_context.cache_clear()
    read, create = [], httpx.create_ssl_context

    def create_slowly() -> ssl.SSLContext:
        read.append(create)
        time.sleep(0.02)
        return create()

    monkeypatch.setattr(httpx, "create_ssl_context", create_slowly)
    pool = Pool(10)
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(pool.acquire)
    assert len(read) == 1
    await pool.aclose()


async def test_each_client_of_the_pool_has_one_connection_and_keeps_no_cookie() -> None:
    """What one tenant's answer sets must not travel with another tenant's request."""
    pool = Pool(1)
    client = await pool.acquire()
    request = httpx.Request("GET", "https://api.example/")
    client.cookies.extract_cookies(
        httpx.Response(200, headers={"Set-Cookie": "tenant=one; Path=/"}, request=request)
    )
    assert dict(client.cookies) == {}
    assert not client.follow_redirects
    assert client.headers["User-Agent"].startswith("plugchat-async/")
    await pool.release(client, is_usable=True)
    await pool.aclose()
    assert client.is_closed


URL = "https://api.example/api/whatsapp/qr-code"


@pytest.fixture(params=["own pool", "httpx", "httpx2"])
async def connections_of_each_kind(request: pytest.FixtureRequest) -> AsyncGenerator[Connections]:
    """Give our own pool, and clients of both families that were brought along."""
    if request.param == "own pool":
        pool = Pool(1)
        yield pool
        await pool.aclose()
    else:
        family = {"httpx": httpx, "httpx2": httpx2}[request.param]
        async with family.AsyncClient(timeout=3) as client:
            yield BorrowedClient(client)


@pytest.mark.parametrize("origin", ["https://api.example", "http://localhost"])
async def test_a_request_asks_for_a_plain_answer_within_the_deadline_of_the_call(
    connections_of_each_kind: Connections, origin: str
) -> None:
    """No compression, no time-outs of the http library's; a TLS handshake is watched."""
    client = await connections_of_each_kind.acquire()
    for token in ("one", "another"):
        headers = {"Authorization": token, "User-Agent": "mine"}
        request = connections_of_each_kind.build_request(client, f"{origin}/qr-code", headers)
        assert (request.method, str(request.url)) == ("GET", f"{origin}/qr-code")
        assert request.headers["Host"] == request.url.host
        assert request.headers["Authorization"] == token
        assert request.headers.get_list("User-Agent") == ["mine"]
        assert request.headers["Accept-Encoding"] == "identity"
        assert set(request.extensions["timeout"].values()) == {None}
        assert ("trace" in request.extensions) is origin.startswith("https")
    await connections_of_each_kind.release(client, is_usable=True)


async def test_a_request_s_header_is_not_the_next_one_s(
    connections_of_each_kind: Connections,
) -> None:
    """What is kept of a request holds nothing of its tenant."""
    client = await connections_of_each_kind.acquire()
    connections_of_each_kind.build_request(client, URL, {"Authorization": "one", "X-One": "1"})
    request = connections_of_each_kind.build_request(client, URL, {"Authorization": "another"})
    assert "X-One" not in request.headers
    assert request.headers.get_list("Authorization") == ["another"]
    await connections_of_each_kind.release(client, is_usable=True)


@pytest.mark.parametrize("family", [httpx, httpx2])
async def test_a_client_brought_along_adds_what_it_has_to_each_request(family: ModuleType) -> None:
    """Its headers, cookies and parameters as they are at that moment."""
    async with family.AsyncClient(params={"a": "1"}) as client:
        connections = BorrowedClient(client)
        connections.build_request(client, URL, {})
        client.params = {"b": "2"}
        client.headers["X-Name"] = "later"
        client.cookies.set("name", "value")
        request = connections.build_request(client, URL, {})
    assert str(request.url) == f"{URL}?b=2"
    assert request.headers["X-Name"] == "later"
    assert request.headers["Cookie"] == "name=value"


async def test_calls_beyond_the_pool_wait_their_turn_first_come_first_served() -> None:
    """No more clients than `max_connections` are lent, and nobody overtakes."""
    pool = Pool(1)
    served: list[int] = []

    async def call(number: int) -> None:
        client = await pool.acquire()
        served.append(number)
        await anyio.lowlevel.checkpoint()
        await pool.release(client, is_usable=True)

    client = await pool.acquire()
    async with anyio.create_task_group() as calls:
        for number in range(5):
            calls.start_soon(call, number)
            await anyio.wait_all_tasks_blocked()
        assert served == []
        await pool.release(client, is_usable=True)
    assert served == [0, 1, 2, 3, 4]
    await pool.aclose()


async def test_a_call_cancelled_while_it_waits_leaves_its_turn_to_others() -> None:
    """No turn is lost with a caller who went away."""
    pool = Pool(1)
    client = await pool.acquire()
    with anyio.move_on_after(0.01) as scope:
        await pool.acquire()
    assert scope.cancelled_caught
    await pool.release(client, is_usable=True)
    with anyio.fail_after(1):
        await pool.release(await pool.acquire(), is_usable=True)
    await pool.aclose()


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "No such file"),
        ("HTTPS_PROXY", "gopher://user:password@proxy.example", "Unknown scheme"),
        ("HTTPS_PROXY", "http://user:pass/password@proxy.example:8080", "a proxy's URL is not"),
    ],
)
async def test_an_environment_that_allows_no_connection_is_a_network_error(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str
) -> None:
    """The reason is told, and which variables to check; the next call works once they are right."""
    connections._tls_context.cache_clear()
    pool = Pool(1)
    with monkeypatch.context() as environment:
        environment.setenv(variable, value)
        with pytest.raises(NetworkError, match=rf"{reason}.*: check .*{variable}") as caught:
            await pool.acquire()
    assert "password" not in str(caught.value)
    await pool.release(await pool.acquire(), is_usable=True)
    await pool.aclose()


async def test_closing_lets_a_call_finish_and_closes_its_connection_then() -> None:
    """What is in use is not torn away; what waits is told."""
    pool = Pool(1)
    client = await pool.acquire()
    errors: list[str] = []

    async def wait() -> None:
        with pytest.raises(RuntimeError) as caught:
            await pool.acquire()
        errors.append(str(caught.value))

    async with anyio.create_task_group() as waiting:
        waiting.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await pool.aclose()
        assert not client.is_closed
        await pool.release(client, is_usable=True)
    assert client.is_closed
    assert errors == [connections.CLOSED]


async def test_closing_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that never lets go costs a second, and no more."""
    client = httpx.AsyncClient()
    monkeypatch.setattr(client, "aclose", anyio.sleep_forever)
    with anyio.fail_after(5):
        await connections.close(client)


@pytest.mark.parametrize("family", [httpx, httpx2], ids=["httpx", "httpx2"])
async def test_a_client_brought_along_is_lent_and_never_closed(family: ModuleType) -> None:
    """Its owner closes it; a subclass is a client of its family, too."""

    class Own(family.AsyncClient):  # type: ignore[misc, name-defined]  # either family's
        pass

    for client in (family.AsyncClient(), Own()):
        brought = BorrowedClient(client)
        assert await brought.acquire() is client
        await brought.release(client, is_usable=True)
        await brought.aclose()
        assert not client.is_closed
        with pytest.raises(RuntimeError, match="closed"):
            await brought.acquire()
        await client.aclose()


@pytest.mark.parametrize(
    "other", [httpx.Client(), object(), "https://api.example", httpx.AsyncClient]
)
async def test_anything_else_brought_along_is_refused_at_once(other: object) -> None:
    """A synchronous client would fail at the first call; it is refused before."""
    with pytest.raises(TypeError, match="AsyncClient of httpx or httpx2"):
        AsyncPlugChat("token", http_client=other)  # type: ignore[arg-type]  # on purpose


class Stream:
    """A socket whose TLS handshake is under way."""

    is_closed = False

    async def aclose(self) -> None:
        """Note it."""
        self.is_closed = True


@pytest.mark.parametrize(
    ("event", "closed"),
    [
        ("connection.start_tls.failed", True),
        ("connection.start_tls.started", False),
        ("http11.receive_response_headers.failed", False),
    ],
)
async def test_a_socket_is_closed_when_its_handshake_fails(event: str, closed: bool) -> None:
    """A cancelled one, too, which httpcore leaves open."""
    stream = Stream()
    await close_after_failed_handshake("connection.connect_tcp.complete", {"return_value": stream})
    with anyio.CancelScope() as giving_up:
        giving_up.cancel()
        await close_after_failed_handshake(event, {})
    assert stream.is_closed is closed


async def test_a_socket_is_the_connection_s_after_the_handshake() -> None:
    """A later handshake, over a connection that was made in another way, does not close it."""
    stream = Stream()
    await close_after_failed_handshake("connection.connect_tcp.complete", {"return_value": stream})
    await close_after_failed_handshake("connection.start_tls.complete", {"return_value": stream})
    await close_after_failed_handshake("connection.start_tls.failed", {})
    assert not stream.is_closed

"""A user-supplied client on several event loops: its pool is its own, the deadline is ours."""

from __future__ import annotations

import gc
import json
import ssl
import threading
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import httpx
import httpx2
import pytest
from anyio import to_thread
from anyio.from_thread import start_blocking_portal
from httpx_aiohttp import HttpxAiohttpClient

from plugchat_async import AsyncPlugChat, NetworkError
from tests.raw_server import serve_raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anyio.abc import SocketStream

    from tests.http_clients import HttpClient

TENANTS = {"first": "token-of-the-first-3f7c", "second": "token-of-the-second-9b1d"}
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(autouse=True)
def _abandoned_connections() -> Iterator[None]:
    """Let the user's client complain here of connections whose loop is gone."""
    yield
    gc.collect()


MAKE_HTTP_CLIENT: dict[str, Callable[[], HttpClient]] = {
    "httpx": lambda: httpx.AsyncClient(verify=TLS),
    "httpx with one connection": lambda: httpx.AsyncClient(
        verify=TLS, limits=httpx.Limits(max_connections=1)
    ),
    "httpx2": lambda: httpx2.AsyncClient(verify=TLS),
    "httpx-aiohttp": lambda: HttpxAiohttpClient(verify=TLS),
}


@pytest.mark.parametrize(
    ("backend", "kind"),
    [("asyncio", kind) for kind in MAKE_HTTP_CLIENT]
    + [("trio", kind) for kind in MAKE_HTTP_CLIENT if kind != "httpx-aiohttp"],
)
@pytest.mark.parametrize("are_parallel", [True, False], ids=["in parallel", "in turn"])
async def test_a_call_returns_its_own_response_or_fails(
    backend: str, kind: str, are_parallel: bool
) -> None:
    """Never that of the other loop, and never a wait without end."""
    heads: list[bytes] = []

    async def respond(connection: SocketStream) -> None:
        name = next(name for name, token in TENANTS.items() if token.encode() in heads[-1])
        body = json.dumps({"name": name}).encode()
        await anyio.lowlevel.checkpoint()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    results: dict[str, list[str | None]] = {name: [] for name in TENANTS}
    together = threading.Barrier(len(TENANTS))

    async def call(name: str) -> None:
        tenant = client.for_token(TENANTS[name])
        for _ in range(10):
            try:
                results[name].append((await tenant.device()).name)
            except NetworkError:
                results[name].append(None)
            except RuntimeError as error:
                assert "one http_client" in str(error)  # noqa: PT017 - one of two loops may raise it
                results[name].append(None)

    def run(name: str) -> None:
        if are_parallel:
            together.wait()
        anyio.run(call, name, backend=backend)

    async with serve_raw(respond, heads=heads) as base_url:
        client = AsyncPlugChat(
            "shared",
            base_url=base_url,
            timeout=0.5,
            retries=0,
            http_client=MAKE_HTTP_CLIENT[kind](),
        )
        if are_parallel:
            async with anyio.create_task_group() as threads:
                for name in TENANTS:
                    threads.start_soon(to_thread.run_sync, run, name)
        else:
            for name in TENANTS:
                await to_thread.run_sync(run, name)
    assert [len(each) for each in results.values()] == [10, 10]
    assert all(set(each) <= {name, None} for name, each in results.items())
    assert "first" in results["first"] or are_parallel


@pytest.mark.parametrize("other", ["asyncio", "trio"])
@pytest.mark.parametrize("one", ["asyncio", "trio"])
@pytest.mark.parametrize("is_shared", [False, True], ids=["one client", "two clients"])
async def test_a_second_loop_is_refused_while_the_first_one_runs(
    one: str, other: str, is_shared: bool
) -> None:
    """Immediately, whichever client calls; when the first loop has ended, the next may call."""
    http_client = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    first = AsyncPlugChat("token", http_client=http_client)
    second = AsyncPlugChat("token", http_client=http_client) if is_shared else first

    def use_both() -> None:
        with start_blocking_portal(one) as portal:
            assert portal.call(first.status).connected
            with pytest.raises(RuntimeError, match=r"one http_client.* for each event loop"):
                anyio.run(second.status, backend=other)
            assert portal.call(first.status).connected
        for backend in (other, one):
            assert anyio.run(second.status, backend=backend).connected

    await to_thread.run_sync(use_both)


async def respond(_: httpx.Request) -> httpx.Response:
    """Respond that a phone is linked."""
    return httpx.Response(200, json={"connected": True})

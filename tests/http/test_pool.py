"""Our own connections: turns, event loops, threads, processes, and what becomes of idle ones."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from plugchat_async import AsyncPlugChat, NetworkError, RequestTimeout, UnexpectedResponse
from plugchat_async._http import pool
from tests.eventually import eventually
from tests.journeys.clock import jump, jumping
from tests.raw_server import serve_raw
from tests.threaded_server import serve_in_threads

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Generator

    from anyio.abc import SocketStream

    from tests.threaded_server import ThreadedServer

TIMEOUT = 10.0
MAX_IDLE = 60.0
LONGEST_PAUSE = 1.0


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run a test on both event loops, with clocks that can be moved forward."""
    return jumping(request.param)


@pytest.fixture
def server() -> Generator[ThreadedServer]:
    """Serve codes in which the caller's token is."""
    with serve_in_threads() as server:
        yield server


def loops_of(client: AsyncPlugChat) -> list[object]:
    """Return the event loops whose connections a client has: no public name tells of them."""
    connections = client._calls.connections
    assert isinstance(connections, pool.Pool)
    return [loop for _, loop in connections._by_loop]


async def call_all(*clients: AsyncPlugChat) -> None:
    """Make a call with each client at the same time."""
    async with anyio.create_task_group() as calls:
        for client in clients:
            calls.start_soon(client.qr_code)


# Turns


@pytest.mark.anyio
async def test_calls_beyond_the_maximum_are_made_first_come_first_served() -> None:
    """Nobody overtakes."""
    connections = pool.Pool(1)
    served: list[int] = []

    async def call(number: int) -> None:
        async with connections.turn():
            served.append(number)
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as calls:
        async with connections.turn():
            for number in range(5):
                calls.start_soon(call, number)
                await anyio.wait_all_tasks_blocked()
            assert served == []
    assert served == [0, 1, 2, 3, 4]
    await connections.aclose()


@pytest.mark.anyio
async def test_a_call_that_is_cancelled_while_it_waits_leaves_its_turn_to_others() -> None:
    """No turn is lost with a caller who went away."""
    connections = pool.Pool(1)
    async with connections.turn():
        with anyio.move_on_after(0.01) as scope:
            async with connections.turn():
                pytest.fail("a second turn")
    assert scope.cancelled_caught
    with anyio.fail_after(60):
        async with connections.turn():
            pass
    await connections.aclose()


@pytest.mark.anyio
async def test_a_call_that_is_cancelled_later_leaves_its_turn_and_its_connection(
    server: ThreadedServer,
) -> None:
    """The next call has a fresh connection, and the old one is closed before."""
    server.together = threading.Barrier(2)
    async with AsyncPlugChat("token", base_url=server.base_url, max_connections=1) as client:
        async with anyio.create_task_group() as calls:
            calls.start_soon(client.qr_code)
            await eventually(lambda: server.requests)
            calls.cancel_scope.cancel()
        server.together.abort()
        server.together = threading.Barrier(1)
        await client.qr_code()
    assert len(set(server.requests)) == 2
    assert server.max_open == 1


@pytest.mark.anyio
async def test_an_idle_connection_is_used_again_the_last_one_first(server: ThreadedServer) -> None:
    """The warmest connection is the likeliest to work."""
    async with AsyncPlugChat("token", base_url=server.base_url) as client:
        server.together = threading.Barrier(3)
        await call_all(client, client, client)
        server.together = threading.Barrier(1)
        await client.qr_code()
        await client.qr_code()
    assert len(set(server.requests)) == 3
    assert len(set(server.requests[3:])) == 1


@pytest.mark.anyio
async def test_closing_lets_a_call_finish_and_closes_its_connection_then(
    server: ThreadedServer,
) -> None:
    """A connection in use is not torn away; a call that waits is refused."""
    server.together = threading.Barrier(2)
    client = AsyncPlugChat("token", base_url=server.base_url, max_connections=1)
    payloads: list[str] = []

    async def call() -> None:
        payloads.append((await client.qr_code()).payload)

    async def wait() -> None:
        with pytest.raises(RuntimeError, match=r"closed by aclose\(\)"):
            await client.qr_code()

    async with anyio.create_task_group() as calls:
        calls.start_soon(call)
        await eventually(lambda: server.requests)
        calls.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await client.aclose()
        assert server.open_connections == 1
        await anyio.to_thread.run_sync(server.together.wait)
    assert payloads == ["2@token"]
    assert server.open_connections == 0
    assert loops_of(client) == []


# Requests


@pytest.mark.anyio
async def test_a_request_has_its_own_headers_and_nothing_of_the_one_before() -> None:
    """Each of them once; an extra header replaces ours, but for the one against compression."""

    async def handle(connection: SocketStream) -> None:
        await connection.send(b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"value":"2@code"}')

    heads: list[bytes] = []
    extra = {"User-Agent": "mine", "Accept-Encoding": "br", "Client-Token": "second"}
    async with serve_raw(handle, heads=heads) as base_url:
        async with AsyncPlugChat("one", base_url=base_url) as client:
            await client.qr_code()
            await client.for_token("another").qr_code()
        async with AsyncPlugChat("one", base_url=base_url, headers=extra) as client:
            await client.qr_code()
    common = {"host", "accept", "connection", "accept-encoding", "user-agent", "authorization"}
    ours, others, theirs = map(headers_of, heads)
    assert ours.keys() == others.keys() == common
    assert theirs.keys() == common | {"client-token"}
    assert [each["authorization"] for each in (ours, others, theirs)] == ["one", "another", "one"]
    assert {each["accept-encoding"] for each in (ours, others, theirs)} == {"identity"}
    assert ours["user-agent"].startswith("plugchat-async/")
    assert theirs["user-agent"] == "mine"


def headers_of(head: bytes) -> dict[str, str]:
    """Return the headers of a request, each of which it has once."""
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:] if line]
    headers = {name.lower(): value for name, _, value in lines}
    assert len(headers) == len(lines)
    return headers


# Idle connections


@pytest.mark.anyio
async def test_idle_connections_are_closed_by_the_next_call(
    server: ThreadedServer,
) -> None:
    """After a burst of 60 calls all connections but one go with the next call."""
    server.together = threading.Barrier(60)
    async with AsyncPlugChat("token", base_url=server.base_url) as client:
        await call_all(*[client] * 60)
        assert server.open_connections == 60
        server.together = threading.Barrier(1)
        jump(MAX_IDLE)
        await client.qr_code()
        assert server.open_connections == 1


@pytest.mark.anyio
async def test_a_relay_that_swallows_idle_connections_costs_one_attempt(
    server: ThreadedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The second attempt uses a fresh connection, and the calls after it need only one."""
    caplog.set_level(logging.DEBUG, logger="plugchat_async")
    server.together = threading.Barrier(10)
    async with AsyncPlugChat(
        "token", base_url=server.base_url, timeout=TIMEOUT, max_connections=10
    ) as client:
        await call_all(*[client] * 10)
        server.together = threading.Barrier(1)
        server.swallow()
        async with anyio.create_task_group() as calls:
            calls.start_soon(client.qr_code)
            await eventually(lambda: len(server.requests) == 11)
            jump(TIMEOUT)
            await eventually(lambda: "request_timeout" in caplog.text)
            await anyio.sleep(0.01)  # for the pause to begin, which is real if it begins later
            jump(LONGEST_PAUSE)
        for _ in range(3):
            await client.qr_code()
    assert len(server.requests) == 10 + 2 + 3
    fresh = server.requests[11]
    assert fresh not in server.requests[:11]
    assert server.requests[11:] == [fresh] * 4
    assert server.max_open <= 10


@pytest.mark.anyio
async def test_a_fresh_connection_is_opened_instead_of_an_idle_one(server: ThreadedServer) -> None:
    """A request that changes something is sent over one that no relay can have swallowed."""
    server.together = threading.Barrier(2)
    async with AsyncPlugChat("token", base_url=server.base_url, max_connections=2) as client:
        await call_all(client, client)
        server.together = threading.Barrier(1)
        server.swallow()
        with pytest.raises(UnexpectedResponse):
            await client.restart()
    assert server.requests[2] not in server.requests[:2]
    assert server.max_open == 2


@pytest.mark.anyio
async def test_no_more_connections_are_open_than_the_maximum_after_a_failure(
    server: ThreadedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A call that waits for its turn opens a connection after the one that failed is closed."""
    async with AsyncPlugChat(
        "token", base_url=server.base_url, timeout=TIMEOUT, retries=0, max_connections=1
    ) as client:
        await client.qr_code()
        server.swallow()
        async with anyio.create_task_group() as calls:
            calls.start_soon(fail, client)
            await eventually(lambda: len(server.requests) == 2)
            calls.start_soon(client.qr_code)
            await anyio.wait_all_tasks_blocked()
            jump(TIMEOUT)
    assert len(server.requests) == 3
    assert server.max_open == 1


@pytest.mark.anyio
async def test_a_call_during_a_failure_takes_no_connection_that_was_idle_for_longer(
    server: ThreadedServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While the first of them is closed, another call opens a fresh connection."""
    failure = anyio.Event()

    def notice(record: logging.LogRecord) -> bool:
        if "request_timeout" in record.getMessage():
            failure.set()
        return True

    caplog.set_level(logging.DEBUG, logger="plugchat_async")
    monkeypatch.setattr(logging.getLogger("plugchat_async"), "filters", [notice])
    server.together = threading.Barrier(5)
    async with AsyncPlugChat(
        "token", base_url=server.base_url, timeout=TIMEOUT, retries=0
    ) as client:
        await call_all(*[client] * 5)
        server.together = threading.Barrier(1)
        server.swallow()
        async with anyio.create_task_group() as calls:
            calls.start_soon(fail, client)
            await eventually(lambda: len(server.requests) == 6)
            jump(TIMEOUT)
            await failure.wait()
            await client.qr_code()
    assert server.requests[6] not in server.requests[:6]


async def fail(client: AsyncPlugChat, error: type[NetworkError] = RequestTimeout) -> None:
    """Make a call that has no response."""
    with pytest.raises(error):
        await client.qr_code()


# The CA bundle


# Nothing listens there.
ENCRYPTED = "https://127.0.0.1:1/api/whatsapp"


@pytest.fixture
def _ca_bundle_unread() -> Generator[None]:
    pool._read_ca_bundle.cache_clear()
    yield
    pool._read_ca_bundle.cache_clear()


@pytest.mark.anyio
@pytest.mark.usefixtures("_ca_bundle_unread")
async def test_the_ca_bundle_is_read_once_for_all_first_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not by each of them, side by side."""
    reads: list[ssl.SSLContext] = []
    monkeypatch.setattr(httpx, "create_ssl_context", slowly(httpx.create_ssl_context, reads))
    async with AsyncPlugChat("token", base_url=ENCRYPTED, retries=0) as client:
        async with anyio.create_task_group() as calls:
            for _ in range(10):
                calls.start_soon(fail, client, NetworkError)
    assert len(reads) == 1


@pytest.mark.anyio
@pytest.mark.usefixtures("_ca_bundle_unread")
async def test_the_ca_bundle_is_not_read_for_http(
    server: ThreadedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes longer than a call of a sandbox."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    async with AsyncPlugChat("token", base_url=server.base_url) as client:
        assert (await client.qr_code()).payload == "2@token"


@pytest.mark.anyio
@pytest.mark.usefixtures("_ca_bundle_unread")
async def test_reading_the_ca_bundle_is_within_the_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file system that stalls holds no call up, and the next one is made when it works again."""
    works, create = threading.Event(), httpx.create_ssl_context

    def read() -> ssl.SSLContext:
        works.wait()
        return create()

    monkeypatch.setattr(httpx, "create_ssl_context", read)
    async with AsyncPlugChat("token", base_url=ENCRYPTED, timeout=1, retries=0) as client:
        with pytest.raises(RequestTimeout, match="from /qr-code at 127"):
            await client.qr_code()
        works.set()
        await eventually(lambda: pool._read_ca_bundle.cache_info().currsize)


@pytest.mark.usefixtures("_ca_bundle_unread")
@pytest.mark.parametrize("other", ["asyncio", "trio"])
@pytest.mark.parametrize("one", ["asyncio", "trio"])
def test_two_threads_make_their_first_calls_at_the_same_moment(
    monkeypatch: pytest.MonkeyPatch, one: str, other: str
) -> None:
    """Each over the connections of its own event loop, however slow the CA bundle is read."""
    monkeypatch.setattr(httpx, "create_ssl_context", slowly(httpx.create_ssl_context, []))
    client = AsyncPlugChat("token", base_url=ENCRYPTED, retries=0)
    together = threading.Barrier(2)
    ended: list[str] = []

    def call(backend: str) -> None:
        together.wait()
        anyio.run(fail, client, NetworkError, backend=backend)
        ended.append(backend)

    threads = [threading.Thread(target=call, args=[each]) for each in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ended) == sorted([one, other])
    assert loops_of(client) == []


def slowly(
    create: Callable[[], ssl.SSLContext], reads: list[ssl.SSLContext]
) -> Callable[[], ssl.SSLContext]:
    """Return a function that takes longer than others need to come, and records what it made."""

    def read() -> ssl.SSLContext:
        time.sleep(0.05)
        reads.append(create())
        return reads[-1]

    return read


# Event loops, one after the other


@pytest.mark.parametrize("first", ["asyncio", "trio"])
@pytest.mark.parametrize("second", ["asyncio", "trio"])
def test_a_client_serves_one_event_loop_after_another(
    server: ThreadedServer, first: str, second: str
) -> None:
    """Its connections are closed with their event loop: none is left open, nor warned of."""
    client = AsyncPlugChat("token", base_url=server.base_url)
    for backend in (first, second):
        assert anyio.run(client.qr_code, backend=backend).payload == "2@token"
        assert loops_of(client) == []
        assert server.open_connections == 0
    assert len(set(server.requests)) == 2
    gc.collect()


def loops_left(client: AsyncPlugChat, *, shut_down: bool, at_most: int = 0) -> int:
    """Make calls in ten event loops, and return how many of them memory keeps.

    A worker thread, which read the CA bundle, keeps its loop until it has ended.
    """
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []
    for _ in range(10):
        loop = asyncio.new_event_loop()
        loops.append(weakref.ref(loop))
        loop.run_until_complete(client.qr_code())
        if shut_down:
            loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    del loop
    deadline = time.monotonic() + 60
    while (left := kept(loops)) > at_most and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


def kept(loops: list[weakref.ref[asyncio.AbstractEventLoop]]) -> int:
    """Count those that no garbage collection frees."""
    gc.collect()
    return sum(each() is not None for each in loops)


def test_event_loops_leave_no_memory(server: ThreadedServer) -> None:
    """However many there are."""
    client = AsyncPlugChat("token", base_url=server.base_url)
    assert loops_left(client, shut_down=True) == 0


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_event_loops_that_close_no_generators_are_dropped_by_the_next_one(
    server: ThreadedServer,
) -> None:
    """`loop.close()` without `shutdown_asyncgens()` leaves them open, of which asyncio warns."""
    client = AsyncPlugChat("token", base_url=server.base_url)
    assert loops_left(client, shut_down=False, at_most=1) == 1
    assert loops_left(client, shut_down=True) == 0
    assert server.open_connections == 0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_client_is_closed_in_another_event_loop(server: ThreadedServer, backend: str) -> None:
    """After the one in which it was used has ended, closing has nothing left to do."""
    client = AsyncPlugChat("token", base_url=server.base_url)
    anyio.run(client.qr_code, backend=backend)
    anyio.run(client.aclose, backend=backend)
    with pytest.raises(RuntimeError, match="closed"):
        anyio.run(client.qr_code, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_client_is_closed_while_another_event_loop_uses_it(
    server: ThreadedServer, backend: str
) -> None:
    """There it makes no further call, and its connections are closed when that loop ends."""
    client = AsyncPlugChat("token", base_url=server.base_url)
    with start_blocking_portal(backend) as portal:
        portal.call(client.qr_code)
        anyio.run(client.aclose, backend=backend)
        with pytest.raises(RuntimeError, match="closed"):
            portal.call(client.qr_code)
    assert server.open_connections == 0
    assert loops_of(client) == []


# Forked processes

PROGRAM = Path(__file__).with_name("forking.py")


@pytest.mark.journey
@pytest.mark.parametrize("fork", ["os.fork", "multiprocessing"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_forked_process_opens_separate_connections(
    server: ThreadedServer, backend: str, fork: str
) -> None:
    """Two children never use those of the parent, which go on, nor read each other's codes."""
    run_forking(server, backend, fork, "own")
    ports = server.requests
    assert len(ports) == 1 + 2 * 20 + 1
    assert ports[0] == ports[-1]
    assert len(set(ports)) == 3


@pytest.mark.journey
@pytest.mark.parametrize("http_client", ["httpx", "shared"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_forked_process_refuses_a_user_supplied_client_that_was_used(
    server: ThreadedServer, backend: str, http_client: str
) -> None:
    """By whichever client of ours: its pool has the parent's connections."""
    output = run_forking(server, backend, "os.fork", http_client)
    assert output.count("make it, and the client, in each process") == 2
    assert len(server.requests) == 2


def run_forking(server: ThreadedServer, backend: str, fork: str, http_client: str) -> str:
    """Run the program that forks, which fails if a process reads another's code."""
    command = [
        sys.executable,
        "-X",
        "dev",
        str(PROGRAM),
        server.base_url,
        backend,
        fork,
        http_client,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout

"""What callers get when the server does wrong, over real sockets: docs/reference/faults.md.

The tables of that page are what these tests saw. To write them anew, name the page:

    FAULTS_PAGE=docs/reference/faults.md pytest tests/journeys/test_faults.py
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import ssl
import threading
import tracemalloc
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest

from plugchat_async import (
    AsyncPlugChat,
    Failed,
    PairingHub,
    PlugChatError,
    ShowingCode,
    Starting,
)
from plugchat_async._http import pool
from tests.eventually import eventually

from .faulty_server import FAULTS, Certificates, Fault, FaultyServer, Resolver, issue_certificates

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    from plugchat_async import PairingState, QRCode, Watcher

    Place = Callable[[AsyncPlugChat, FaultyServer], Awaitable[str]]

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"
TOKEN = "F3A9-the-token-of-a-tenant-7C21"

# With one further attempt each; what a call may take beyond their timeouts is the pause between
# them, and what a busy machine adds.
RETRIES = 1
SLACK = 30

# Most cases wait for something, but a machine that is too busy would miss short time-outs.
AT_ONCE = 16

MOST_MEMORY = 16 * 1024 * 1024

FAULT = {fault.name: fault for faults in FAULTS.values() for fault in faults}

COLUMNS = "| Fault | What `qr_code()` brings | Attempts | What the next call brings |"
HEAD = f"{COLUMNS}\n|---|---|---|---|\n"

# A few that differ in kind, for each of the places where a fault can strike.
REPRESENTATIVES = [
    "a reset",
    "a stall before the answer",
    "half a body",
    "another protocol",
    "a bomb: 64 KiB that inflate to 64 MiB",
    "100 Continue first",
]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Issue good and bad certificates, once: it takes a while."""
    return issue_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def start(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Generator[Callable[[Fault], FaultyServer]]:
    """Give a way to start servers, whose names and certificates our own pool can trust."""
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    pool._tls_context.cache_clear()
    yield lambda fault: FaultyServer(fault, certificates, resolver)
    pool._tls_context.cache_clear()


class Attempts(logging.Handler):
    """Note the log's line about each attempt, for the case that made it of many at once."""

    made: ContextVar[list[str]] = ContextVar("made")

    def emit(self, record: logging.LogRecord) -> None:
        self.made.get().append(record.getMessage())


@pytest.fixture(autouse=True)
def _attempts(caplog: pytest.LogCaptureFixture) -> Generator[None]:
    caplog.set_level(logging.DEBUG, logger="plugchat_async")
    logger, handler = logging.getLogger("plugchat_async"), Attempts()
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


def open_files() -> set[Path]:
    """List this process's file descriptors, sockets among them."""
    return set(Path("/dev/fd").iterdir())


@asynccontextmanager
async def nothing_left() -> AsyncGenerator[None]:
    """Hold a block to leaving no task, no socket and no file open."""
    gc.collect()
    tasks, files = set(anyio.get_running_tasks()), open_files()
    yield
    gc.collect()  # what was left open warns now, and a warning fails the test
    assert set(anyio.get_running_tasks()) == tasks
    assert open_files() == files


@contextmanager
def little_memory() -> Generator[None]:
    """Hold a block, all its faults at once, to 16 MiB more than before."""
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MOST_MEMORY


@asynccontextmanager
async def meeting(server: FaultyServer, http_client: Any = None) -> AsyncGenerator[AsyncPlugChat]:
    """Give a client for a server, and wait until it has closed all that it opened."""
    async with AsyncExitStack() as closing_down:
        closing_down.callback(server.close)
        closing_down.push_async_callback(
            eventually, lambda: not server.has_connections, f"{server.fault.name}: left connected"
        )
        if http_client is not None:
            await closing_down.enter_async_context(http_client)
        yield await closing_down.enter_async_context(
            AsyncPlugChat(
                TOKEN,
                base_url=server.base_url,
                timeout=server.fault.timeout,
                retries=RETRIES,
                allow_insecure_http=True,
                http_client=http_client,
            )
        )


async def finish(server: FaultyServer) -> None:
    """Wait until the server has done all that it does wrong, and let it answer well."""
    await eventually(lambda: not server.is_at_work, f"{server.fault.name}: never done")
    server.repair()


def longest(fault: Fault) -> float:
    """Tell how many seconds a call may take at most."""
    return (1 + RETRIES) * fault.timeout + SLACK


async def ask(client: AsyncPlugChat, server: FaultyServer) -> tuple[str, int]:
    """Call `qr_code()`, and tell what came and how many attempts were made."""
    attempts: list[str] = []
    Attempts.made.set(attempts)
    with anyio.fail_after(longest(server.fault)):
        try:
            code = await client.qr_code()
        except PlugChatError as error:
            seen = f"`{type(error).__name__}`, `{error.code}`"
        else:
            seen = "the code" if code.payload == server.payload else "**another answer's code**"
    return seen, len(attempts)


async def row_of(server: FaultyServer, http_client: Any) -> str:
    """Let the fault strike a call, make another call after it, and tell of both."""
    async with meeting(server, http_client) as client:
        server.strike()
        seen, attempts = await ask(client, server)
        await finish(server)
        seen_next, _ = await ask(client, server)
    assert seen_next == "the code", server.fault.name
    return f"| {server.fault.name} | {seen} | {attempts} | {seen_next} |\n"


async def rows_of(
    start: Callable[[Fault], FaultyServer], make_http_client: Callable[[], Any]
) -> dict[str, str]:
    """Let each fault strike a call, and give the rows by its name."""
    at_once = anyio.CapacityLimiter(AT_ONCE)
    rows: dict[str, str] = {}

    async def note(fault: Fault) -> None:
        async with at_once:
            rows[fault.name] = await row_of(start(fault), make_http_client())

    async with anyio.create_task_group() as cases:
        for fault in sorted(FAULT.values(), key=lambda fault: fault.timeout):
            cases.start_soon(note, fault)
    return rows


def check_page(part: str, seen: str, folder: Path) -> None:
    """Compare a part of the page with what was seen, which is written where `FAULTS_PAGE` says."""
    begin, end = f"<!-- {part}: as seen -->\n", f"<!-- {part}: end -->\n"
    before, rest = PAGE.read_text("utf-8").split(begin)
    _, after = rest.split(end)
    page = f"{before}{begin}\n{seen}\n{end}{after}"
    Path(os.environ.get("FAULTS_PAGE", folder / PAGE.name)).write_text(page, "utf-8")
    assert PAGE.read_text("utf-8") == page


async def test_each_fault_on_a_call(start: Callable[[Fault], FaultyServer], tmp_path: Path) -> None:
    """The page tells what comes, after how many attempts, and what the next call brings."""
    with little_memory():
        async with nothing_left():
            rows = await rows_of(start, lambda: None)
    tables = [
        f"### {heading}\n\n{HEAD}" + "".join(rows[fault.name] for fault in faults)
        for heading, faults in FAULTS.items()
    ]
    check_page("calls", "\n".join(tables), tmp_path)


async def test_each_fault_on_a_call_over_a_client_brought_along(
    start: Callable[[Fault], FaultyServer], certificates: Certificates, tmp_path: Path
) -> None:
    """It comes to the same, and the page tells where it does not."""
    trust = ssl.create_default_context(cafile=certificates.authority)
    own_pool, _ = PAGE.read_text("utf-8").split("<!-- calls: end -->")
    tables: list[str] = []

    async def note(make_http_client: Any) -> None:
        rows = await rows_of(start, lambda: make_http_client(verify=trust))
        differing = [rows[name] for name in FAULT if rows[name] not in own_pool]
        tables.append("".join([HEAD, *differing] if differing else ["None.\n"]))

    async with nothing_left(), anyio.create_task_group() as families:
        families.start_soon(note, httpx.AsyncClient)
        families.start_soon(note, httpx2.AsyncClient)
    for table in tables:
        check_page("brought along", table, tmp_path)


async def test_a_caller_who_gives_up_in_the_handshake_leaves_no_connection(
    start: Callable[[Fault], FaultyServer],
) -> None:
    """The server sees the connection close, as it does when the call's own time is over."""
    said_hello = threading.Event()

    def stall(connection: socket.socket) -> None:
        while connection.recv(65536):
            said_hello.set()

    async with nothing_left():
        server = start(Fault("a stall in the handshake", on_connect=stall, is_https=True))
        server.strike()
        async with meeting(server) as client, anyio.create_task_group() as calls:
            calls.start_soon(client.qr_code)
            await eventually(said_hello.is_set, "the handshake never began")
            calls.cancel_scope.cancel()
    assert calls.cancel_scope.cancelled_caught


async def _image(client: AsyncPlugChat, server: FaultyServer) -> str:
    server.strike()
    return f"`{(await client.qr_code_image()).media_type}`"


async def _status(client: AsyncPlugChat, server: FaultyServer) -> str:
    server.strike()
    return f"connected: {(await client.status()).connected}"


async def _stream_at_first(client: AsyncPlugChat, server: FaultyServer) -> str:
    async with aclosing(client.qr_stream(interval=0.05)) as stream:
        server.strike()
        return told(await anext(stream), server)


async def _stream_later(client: AsyncPlugChat, server: FaultyServer) -> str:
    async with aclosing(client.qr_stream(interval=0.05)) as stream:
        await anext(stream)
        server.strike()
        return told(await anext(stream), server)


async def _pairing_at_first(client: AsyncPlugChat, server: FaultyServer) -> str:
    async with client.pairing(interval=0.05) as pairing:
        server.strike()
        return told(await anext(pairing), server)


async def _pairing_later(client: AsyncPlugChat, server: FaultyServer) -> str:
    async with client.pairing(interval=0.05) as pairing:
        await anext(pairing)
        server.strike()
        return told(await anext(pairing), server)


async def _pairing_in_status(client: AsyncPlugChat, server: FaultyServer) -> str:
    server.strike("/status")
    shown: list[QRCode] = []
    pairing = client.pairing(interval=0.4, max_rounds=2, status_interval=0.1)
    outcome = await pairing.wait(shown.append)
    return f"{len(shown)} codes, `{outcome}`"


async def _hub(client: AsyncPlugChat, server: FaultyServer) -> str:
    server.strike()
    async with PairingHub(interval=20, linger=0) as hub, hub.watch(client) as states:
        state = await state_after_starting(states)
        if isinstance(state, ShowingCode):
            return told(state.qr, server)
        assert isinstance(state, Failed)
        await finish(server)
        hub.restart(client)
        restarted = await state_after_starting(states)
        assert isinstance(restarted, ShowingCode)
        assert told(restarted.qr, server) == "the code"
    return f"`Failed`, `{state.code}`"


async def state_after_starting(states: Watcher) -> PairingState:
    """Take the next state that tells anything."""
    while isinstance(state := await anext(states), Starting):
        pass
    return state


def told(code: QRCode, server: FaultyServer) -> str:
    """Name a code, which must be the server's latest."""
    assert code.payload == server.payload
    return "the code"


PLACES: dict[str, Place] = {
    "`qr_code_image()`": _image,
    "`status()`": _status,
    "`qr_stream()`, first code": _stream_at_first,
    "`qr_stream()`, later": _stream_later,
    "`pairing()`, first code": _pairing_at_first,
    "`pairing()`, later": _pairing_later,
    "`pairing()`, in `/status`": _pairing_in_status,
    "`PairingHub`": _hub,
}


async def cell_of(place: Place, fault: Fault, server: FaultyServer) -> str:
    """Let a fault strike in a place, tell of it, and make another call after it."""
    Attempts.made.set([])
    async with meeting(server) as client:
        with anyio.fail_after(longest(fault)):
            try:
                seen = await place(client, server)
            except PlugChatError as error:
                seen = f"`{error.code}`"
        await finish(server)
        seen_next, _ = await ask(client, server)
    assert seen_next == "the code"
    return seen


async def test_faults_in_each_place(start: Callable[[Fault], FaultyServer], tmp_path: Path) -> None:
    """The page's table tells what comes where; the next call works, and the hub restarts."""
    faults = [FAULT[name] for name in REPRESENTATIVES]
    at_once = anyio.CapacityLimiter(AT_ONCE)
    cells: dict[tuple[str, str], str] = {}

    async def note(place: str, fault: Fault) -> None:
        async with at_once:
            cells[place, fault.name] = await cell_of(PLACES[place], fault, start(fault))

    with little_memory():
        async with nothing_left(), anyio.create_task_group() as cases:
            for fault in sorted(faults, key=lambda fault: fault.timeout):
                for place in PLACES:
                    cases.start_soon(note, place, fault)
    rows = [
        ["In", *(fault.name for fault in faults)],
        ["---"] * (1 + len(faults)),
        *([place, *(cells[place, fault.name] for fault in faults)] for place in PLACES),
    ]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    check_page("places", table, tmp_path)

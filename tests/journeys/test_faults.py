"""Outcomes of calls to a faulty server, over real sockets: docs/reference/faults.md.

Each fault is a test: `pytest tests/journeys/test_faults.py -k a-stall-in-the-body`.
"""

from __future__ import annotations

import gc
import logging
import os
import re
import socket
import ssl
import threading
import tracemalloc
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import httpx
import httpx2
import pytest
from anyio.from_thread import BlockingPortal

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

from .clock import jump, jumping
from .faulty_server import (
    FAULTS,
    RETRIES,
    TIMEOUT,
    Certificates,
    Fault,
    FaultyServer,
    Resolver,
    issue_certificates,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    from plugchat_async import PairingState, QRCode, Watcher

    Start = Callable[[Fault, BlockingPortal], FaultyServer]

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"
TOKEN = "F3A9-the-token-of-a-tenant-7C21"
THE_CODE = "the code"

# In seconds: the timeouts are jumped over, and what is left is for a busy machine.
LONGEST = 2 * (1 + RETRIES) * TIMEOUT
LONGEST_PAUSE = 1.0

MAX_MEMORY = 8 * 1024 * 1024

FAULT = {fault.name: fault for faults in FAULTS.values() for fault in faults}

# A few that differ in kind, for each of the places where a fault can strike.
REPRESENTATIVES = [
    "a reset",
    "a stall before the response",
    "half a body",
    "another protocol",
    "a bomb: 64 KiB that inflate to 64 MiB",
    "100 Continue first",
]


def id_of(name: str) -> str:
    """Return an id that `pytest -k` takes for one word."""
    return re.sub(r"[^\w./]+", "-", name).strip("-")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run a test on both event loops, with clocks that can be moved forward."""
    return jumping(request.param)


@pytest.fixture(scope="module", autouse=True)
def _few_objects() -> Generator[None]:
    # Each test collects garbage, which takes long among all that was imported before.
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Issue good and bad certificates, once: it takes a while."""
    return issue_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def start(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Generator[Start]:
    """Give a way to start servers, whose names and certificates our own pool can trust."""
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    # Read once a process, whatever the environment becomes.
    pool._read_ca_bundle.cache_clear()
    yield lambda fault, portal: FaultyServer(
        fault, certificates, resolver, partial(portal.call, jump)
    )
    pool._read_ca_bundle.cache_clear()


@pytest.fixture
def attempts(caplog: pytest.LogCaptureFixture) -> Callable[[], int]:
    """Give a way to count the attempts, each of which is a line in the log."""
    caplog.set_level(logging.DEBUG, logger="plugchat_async")
    return lambda: [name for name, *_ in caplog.record_tuples].count("plugchat_async")


@asynccontextmanager
async def nothing_left() -> AsyncGenerator[None]:
    """Check that a block leaves no task, no socket and no file open."""
    gc.collect()
    before = open_tasks_and_files()
    yield
    gc.collect()  # what was left open warns now, and a warning fails the test
    await eventually(lambda: open_tasks_and_files() == before, "left a task, a socket or a file")


def open_tasks_and_files() -> tuple[set[anyio.TaskInfo], set[Path]]:
    """Return the loop's tasks and this process's file descriptors, sockets among them."""
    return set(anyio.get_running_tasks()), set(Path("/dev/fd").iterdir())


@contextmanager
def little_memory() -> Generator[None]:
    """Check that a block takes at most 8 MiB more than before."""
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MAX_MEMORY


@asynccontextmanager
async def meeting(
    start: Start, fault: Fault, http_client: Any = None
) -> AsyncGenerator[tuple[AsyncPlugChat, FaultyServer]]:
    """Give a client and its server, and wait until it has closed all that it opened."""
    async with AsyncExitStack() as closing_down:
        server = start(fault, await closing_down.enter_async_context(BlockingPortal()))
        closing_down.callback(server.close)
        closing_down.push_async_callback(
            eventually, lambda: not server.has_connections, "left connected"
        )
        if http_client is not None:
            await closing_down.enter_async_context(http_client)
        client = AsyncPlugChat(
            TOKEN,
            base_url=server.base_url,
            timeout=TIMEOUT,
            retries=RETRIES,
            allow_insecure_http=True,
            http_client=http_client,
        )
        yield await closing_down.enter_async_context(client), server


async def finish(server: FaultyServer) -> None:
    """Wait until the server has done all that it does wrong, and repair it."""
    await eventually(lambda: not server.is_at_work, "never done")
    server.repair()


async def skip_pauses(attempts: Callable[[], int]) -> None:
    """Move the clock over the pause that follows an attempt."""
    skipped = attempts()
    while True:
        await anyio.sleep(0.005)  # for the pause to begin: one that begins later is waited for
        if attempts() > skipped:
            skipped = attempts()
            jump(LONGEST_PAUSE)


@dataclass(frozen=True)
class Place:
    """Place where a fault can strike.

    Attributes:
        name: What the table calls it.
        call: Lets the server do wrong, and returns what the table says of a result.
        value: What it says when the fault does no harm.
        failure: What it says of an error; None if none ever comes.
    """

    name: str
    call: Callable[[AsyncPlugChat, FaultyServer], Awaitable[str]]
    value: str = THE_CODE
    failure: str | None = "`{code}`"

    async def seen(
        self, client: AsyncPlugChat, server: FaultyServer, attempts: Callable[[], int]
    ) -> str:
        """Let the fault strike, and return the table's words for what came."""
        async with anyio.create_task_group() as pauses:
            pauses.start_soon(skip_pauses, attempts)
            with anyio.fail_after(LONGEST):
                try:
                    seen = await self.call(client, server)
                except PlugChatError as error:
                    seen = self._failed(type(error))
            pauses.cancel_scope.cancel()
        return seen

    def expected(self, fault: Fault) -> str:
        """Return the table's words for what a fault ends in."""
        return self.value if fault.error is None else self._failed(fault.error)

    def _failed(self, error: type[PlugChatError]) -> str:
        return (self.failure or self.value).format(name=error.__name__, code=error.code)


async def _code(client: AsyncPlugChat, server: FaultyServer) -> str:
    server.strike()
    return told(await client.qr_code(), server)


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
    pairing = client.pairing(interval=0.1, max_rounds=2, status_interval=0.02)
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
        await hub.restart(client)
        restarted = await state_after_starting(states)
        assert isinstance(restarted, ShowingCode)
        assert told(restarted.qr, server) == THE_CODE
    return f"`Failed`, `{state.code}`"


async def state_after_starting(states: Watcher) -> PairingState:
    """Return the next state after those without news."""
    while isinstance(state := await anext(states), Starting):
        pass
    return state


def told(code: QRCode, server: FaultyServer) -> str:
    """Return the table's words for a code, which is right if it is the server's latest."""
    return THE_CODE if code.payload == server.payload else "**another response's code**"


CALL = Place("`qr_code()`", _code, failure="`{name}`, `{code}`")

PLACES = [
    Place("`qr_code_image()`", _image, "`image/png`"),
    Place("`status()`", _status, "connected: False"),
    Place("`qr_stream()`, first code", _stream_at_first),
    Place("`qr_stream()`, later", _stream_later),
    Place("`pairing()`, first code", _pairing_at_first),
    Place("`pairing()`, later", _pairing_later),
    Place("`pairing()`, in `/status`", _pairing_in_status, "2 codes, `expired`", failure=None),
    Place("`PairingHub`", _hub, failure="`Failed`, `{code}`"),
]


class Outcome(NamedTuple):
    """Result of a fault and of the next call, in the words of the table."""

    result: str
    attempts: int
    next_call: str


async def outcome_of(
    place: Place, client: AsyncPlugChat, server: FaultyServer, attempts: Callable[[], int]
) -> Outcome:
    """Let a fault strike, and make another call with the same client after it."""
    result, made = await place.seen(client, server, attempts), attempts()
    await finish(server)
    return Outcome(result, made, told(await client.qr_code(), server))


@pytest.mark.anyio
@pytest.mark.parametrize("fault", FAULT.values(), ids=map(id_of, FAULT))
async def test_a_call_ends_as_the_page_says(
    fault: Fault, start: Start, attempts: Callable[[], int]
) -> None:
    """With that error or the code, after so many attempts; the next call returns the code."""
    with little_memory():
        async with nothing_left(), meeting(start, fault) as (client, server):
            outcome = await outcome_of(CALL, client, server, attempts)
    assert outcome == (CALL.expected(fault), fault.attempts, THE_CODE)


@pytest.mark.anyio
@pytest.mark.parametrize("family", [httpx, httpx2], ids=["httpx", "httpx2"])
@pytest.mark.parametrize("fault", FAULT.values(), ids=map(id_of, FAULT))
async def test_a_call_over_a_user_supplied_client_ends_in_the_same(
    fault: Fault,
    family: Any,
    start: Start,
    certificates: Certificates,
    attempts: Callable[[], int],
) -> None:
    """With the error or the code of our own pool, after as many attempts."""
    trust = ssl.create_default_context(cafile=certificates.authority)
    async with (
        nothing_left(),
        meeting(start, fault, family.AsyncClient(verify=trust)) as (client, server),
    ):
        outcome = await outcome_of(CALL, client, server, attempts)
    assert outcome == (CALL.expected(fault), fault.attempts, THE_CODE)


@pytest.mark.anyio
@pytest.mark.parametrize("place", PLACES, ids=[id_of(place.name) for place in PLACES])
@pytest.mark.parametrize("name", REPRESENTATIVES, ids=map(id_of, REPRESENTATIVES))
async def test_a_fault_ends_as_the_page_says_wherever_it_strikes(
    name: str, place: Place, start: Start, attempts: Callable[[], int]
) -> None:
    """With that error or value; the next call returns the code, and the hub restarts."""
    fault = FAULT[name]
    async with nothing_left(), meeting(start, fault) as (client, server):
        outcome = await outcome_of(place, client, server, attempts)
    assert (outcome.result, outcome.next_call) == (place.expected(fault), THE_CODE)


@pytest.mark.anyio
async def test_a_caller_who_gives_up_in_the_handshake_leaves_no_connection(start: Start) -> None:
    """The server sees the connection close, as it does when the call's own time is over."""
    said_hello = threading.Event()

    def stall(connection: socket.socket) -> None:
        while connection.recv(65536):
            said_hello.set()

    fault = Fault("a stall in the handshake", None, on_connect=stall, is_https=True)
    async with nothing_left(), meeting(start, fault) as (client, server):
        server.strike()
        async with anyio.create_task_group() as calls:
            calls.start_soon(client.qr_code)
            await eventually(said_hello.is_set, "the handshake never began")
            calls.cancel_scope.cancel()
    assert calls.cancel_scope.cancelled_caught


def table(*rows: list[str]) -> str:
    """Return a table in Markdown, whose first row is its head."""
    head, *others = rows
    lines = [head, ["---"] * len(head), *others]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def call_tables() -> str:
    """Return the tables of what a call ends in."""
    head = ["Fault", "Result of `qr_code()`", "Attempts", "Next call"]
    return "\n".join(
        f"### {heading}\n\n"
        + table(head, *([f.name, CALL.expected(f), str(f.attempts), THE_CODE] for f in faults))
        for heading, faults in FAULTS.items()
    )


def place_table() -> str:
    """Return the table of what a few faults end in, wherever they strike."""
    faults = [FAULT[name] for name in REPRESENTATIVES]
    rows = ([place.name, *(place.expected(fault) for fault in faults)] for place in PLACES)
    return table(["In", *REPRESENTATIVES], *rows)


def test_the_page_has_the_tables_that_the_faults_are_tested_by(tmp_path: Path) -> None:
    """Written anew, it is the same: to a file that is thrown away, or the one in `FAULTS_PAGE`."""
    page = published = PAGE.read_text("utf-8")
    for part, tables in {"calls": call_tables(), "places": place_table()}.items():
        begin, end = f"<!-- {part}: as tested -->\n", f"<!-- {part}: end -->\n"
        before, rest = page.split(begin)
        _, after = rest.split(end)
        page = f"{before}{begin}\n{tables}\n{end}{after}"
    Path(os.environ.get("FAULTS_PAGE", tmp_path / PAGE.name)).write_text(page, "utf-8")
    assert page == published

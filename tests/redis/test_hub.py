"""Sessions that several processes share, over a store in memory and in virtual time."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import httpx
import pytest

from plugchat_async import (
    AsyncPlugChat,
    Connected,
    Expired,
    Failed,
    PairingEnd,
    PairingOutcome,
    PairingState,
    QRCode,
    ShowingCode,
    Starting,
    TooManyWatchers,
    Watcher,
)
from plugchat_async.redis import RedisPairingHub, _local_copy
from plugchat_async.redis._record import Record, Stage
from plugchat_async.redis._states import open_state
from plugchat_async.redis._steps import Response, Verdict
from plugchat_async.sandbox import Sandbox
from tests.eventually import eventually
from tests.sandbox_calls import codes_requested, requested_at

from .memory_hub import SECRET, MemoryHub
from .memory_store import MemoryServer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import TaskStatus

    from plugchat_async.redis._seal import Seal

pytestmark = pytest.mark.anyio

State = TypeVar("State", bound=PairingState)

OTHER = "o" * 32
BASE_URL = "http://sandbox.localhost/api/whatsapp"


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


@pytest.fixture
async def sandbox(anyio_backend: object) -> Sandbox:
    """Give a sandbox whose codes expire in virtual time."""
    return Sandbox(clock=anyio.current_time)


@pytest.fixture
async def server(anyio_backend: object) -> MemoryServer:
    """Give a server for all processes of a test."""
    return MemoryServer()


async def until(states: Watcher, kind: type[State]) -> State:
    """Watch until a state of a kind comes, which takes no session an hour."""
    with anyio.fail_after(3600):
        while not isinstance(state := await anext(states), kind):
            pass
    return state


async def until_round(states: Watcher, number: int) -> QRCode:
    """Watch until the code of a round comes."""
    while (shown := await until(states, ShowingCode)).qr.round < number:
        pass
    return shown.qr


@asynccontextmanager
async def scanned_in_both(
    sandbox: Sandbox, states: Watcher, other: MemoryHub
) -> AsyncGenerator[Watcher]:
    """Watch a session that shows its code in another process, too, and let a phone scan it."""
    shown = await until(states, ShowingCode)
    async with other.watch(sandbox.client()) as others:
        await until(others, ShowingCode)
        assert sandbox.scan(shown.qr.payload)
        yield others


@asynccontextmanager
async def processes(
    server: MemoryServer, number: int, **options: Any
) -> AsyncGenerator[list[MemoryHub]]:
    """Open the hubs of several processes."""
    async with AsyncExitStack() as stack:
        hubs = [MemoryHub(server, **options) for _ in range(number)]
        yield [await stack.enter_async_context(hub) for hub in hubs]


def leader_of(server: MemoryServer, hubs: list[MemoryHub]) -> MemoryHub:
    """Return the hub that leads the only session."""
    (row,) = server.rows.values()
    return next(hub for hub in hubs if hub.store.process == row.leader)


class SlowTransport(httpx.ASGITransport):
    """Way to a sandbox that takes a second, or more."""

    def __init__(self, sandbox: Sandbox, seconds: float = 1.0) -> None:
        super().__init__(sandbox)
        self.has_request = anyio.Event()
        self._seconds = seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Let time pass before each response."""
        self.has_request.set()
        await anyio.sleep(self._seconds)
        return await super().handle_async_request(request)


async def test_processes_share_one_session(sandbox: Sandbox, server: MemoryServer) -> None:
    """Watchers in each of them see the same codes, at the times of a single hub."""
    seen: list[list[str]] = []

    async def watch(hub: MemoryHub) -> None:
        async with hub.watch(sandbox.client()) as states:
            versions: list[str] = []
            async for state in states:
                versions.append(states.version)
                if isinstance(state, Expired):
                    break
            seen.append(versions[-4:])

    async with processes(server, 4) as hubs, anyio.create_task_group() as watching:
        for hub in hubs:
            watching.start_soon(watch, hub)
    assert requested_at(sandbox, "/qr-code") == [0, 15, 30]
    assert len(seen) == 4
    assert all(versions == seen[0] for versions in seen)


@pytest.fixture
async def orphan(sandbox: Sandbox, server: MemoryServer) -> AsyncGenerator[Watcher]:
    """Give the watcher of a process whose leader has died with a code shown."""
    async with processes(server, 2) as (leader, other), leader.watch(sandbox.client()) as states:
        await until(states, ShowingCode)
        async with other.watch(sandbox.client()) as orphan:
            assert leader_of(server, [leader, other]) is leader
            leader.store.is_connected = False
            yield orphan


async def test_a_leader_that_dies_is_replaced(sandbox: Sandbox, orphan: Watcher) -> None:
    """Within its lease, and the current code stays."""
    shown = await until(orphan, ShowingCode)
    await anyio.sleep(5.5)
    assert sandbox.scan(shown.qr.payload)
    assert await until(orphan, Connected) == Connected(already=False)
    assert codes_requested(sandbox) == 1


async def test_a_leader_that_dies_costs_no_code(sandbox: Sandbox, orphan: Watcher) -> None:
    """The next round begins when it would have begun."""
    await until(orphan, Expired)
    assert [round(moment) for moment in requested_at(sandbox, "/qr-code")] == [0, 15, 30]


async def test_a_leader_that_closes_hands_over(sandbox: Sandbox, server: MemoryServer) -> None:
    """Immediately, without an ending."""
    endings: list[PairingEnd] = []
    leader, other = (
        MemoryHub(server, on_end=lambda _, ending: endings.append(ending)) for _ in range(2)
    )
    async with other, AsyncExitStack() as watching:
        async with leader, leader.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
            others = await watching.enter_async_context(other.watch(sandbox.client()))
            await until(others, ShowingCode)
            assert leader_of(server, [leader, other]) is leader
        await anyio.sleep(0.3)
        assert leader_of(server, [leader, other]) is other
        assert endings == []
        await until(others, Expired)
    assert codes_requested(sandbox) == 3
    assert [ending.outcome for ending in endings] == [PairingOutcome.EXPIRED]


async def test_a_leader_that_closes_hands_over_though_no_message_arrives(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """The other process hears of it with its next beat."""
    endings: list[PairingOutcome | None] = []
    options: dict[str, Any] = {"on_end": lambda _, ending: endings.append(ending.outcome)}
    async with processes(server, 1, **options) as (other,), AsyncExitStack() as watching:
        async with MemoryHub(server, **options) as leader, leader.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
            others = await watching.enter_async_context(other.watch(sandbox.client()))
            await until(others, ShowingCode)
            server.loss = 1.0
        assert leader_of(server, [leader, other]) is other
        assert endings == []
        await until(others, Expired)
    assert codes_requested(sandbox) == 3


async def test_the_last_process_keeps_a_session_for_its_grace(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """A scan after everybody left is reported, once, and no further code is requested."""
    endings: list[PairingEnd] = []
    async with processes(server, 2, on_end=lambda _, ending: endings.append(ending)) as hubs:
        for hub in hubs:
            async with hub.watch(sandbox.client()) as states:
                shown = await until(states, ShowingCode)
        await anyio.sleep(10)
        assert sandbox.scan(shown.qr.payload)
        await anyio.sleep(5)
        assert [ending.outcome for ending in endings] == [PairingOutcome.CONNECTED]
        await anyio.sleep(60)
        assert len(endings) == 1
    assert codes_requested(sandbox) == 1
    assert all(server.row(name) is None for name in [*server.rows])


@pytest.mark.parametrize("leads", [True, False], ids=["leader", "other"])
@pytest.mark.parametrize("later", [0, 3, 6, 9], ids="{} s".format)
async def test_a_grace_is_not_left_to_a_process_that_died(
    sandbox: Sandbox, server: MemoryServer, later: float, leads: bool
) -> None:
    """The last viewer of the other one leaves some time after that; a scan is reported."""
    endings: list[PairingOutcome | None] = []
    options: dict[str, Any] = {"on_end": lambda _, ending: endings.append(ending.outcome)}
    async with processes(server, 2, **options) as hubs, AsyncExitStack() as watching:
        leaving: list[AsyncExitStack] = []
        for hub in hubs:
            leaving.append(await watching.enter_async_context(AsyncExitStack()))
            states = await leaving[-1].enter_async_context(hub.watch(sandbox.client()))
            shown = await until(states, ShowingCode)
        assert leader_of(server, hubs) is hubs[0]
        hubs[not leads].store.is_connected = False
        await anyio.sleep(later)
        await leaving[leads].aclose()
        await anyio.sleep(4)
        assert sandbox.scan(shown.qr.payload)
        await anyio.sleep(12)
        assert endings == [PairingOutcome.CONNECTED]
    assert codes_requested(sandbox) == 1


async def test_a_leader_requests_the_status_until_another_process_takes_over(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """Its last viewer leaves when the other process has just died."""
    async with processes(server, 2) as (leader, other), AsyncExitStack() as watching:
        states = await watching.enter_async_context(leader.watch(sandbox.client()))
        await until(states, ShowingCode)
        async with other.watch(sandbox.client()) as others:
            await until(others, ShowingCode)
            other.store.is_connected = False
            await watching.aclose()
            await anyio.sleep(20)
    requested = requested_at(sandbox, "/status")
    assert [round(moment) for moment in requested[:9]] == [2, 4, 6, 8, 10, 12, 14, 16, 18]


@pytest.mark.parametrize("leads", [True, False], ids=["leader", "other"])
@pytest.mark.parametrize("later", [0, 3, 6, 9], ids="{} s".format)
async def test_a_hub_that_closes_reports_a_session_that_a_dead_process_does_not_take(
    sandbox: Sandbox, server: MemoryServer, later: float, leads: bool
) -> None:
    """It is closed some time after the other one died."""
    endings: list[PairingOutcome | None] = []
    options: dict[str, Any] = {"on_end": lambda _, ending: endings.append(ending.outcome)}
    async with AsyncExitStack() as living, processes(server, 1, **options) as (dead,):
        closing = MemoryHub(server, **options)
        await living.enter_async_context(closing)
        for hub in (closing, dead) if leads else (dead, closing):
            states = await living.enter_async_context(hub.watch(sandbox.client()))
            await until(states, ShowingCode)
        assert leader_of(server, [closing, dead]) is (closing if leads else dead)
        dead.store.is_connected = False
        await anyio.sleep(later)
        await living.aclose()
        assert endings == [PairingOutcome.CANCELLED]


async def test_a_hub_that_closes_reports_a_scan_that_was_seen_in_this_very_moment(
    server: MemoryServer,
) -> None:
    """Though there was no time to write it into the store."""
    endings: list[PairingOutcome | None] = []
    asked, arrived = anyio.Event(), anyio.Event()

    async def respond(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/status"):
            return httpx.Response(200, json={"value": "2@" + "a1," * 60})
        asked.set()
        with anyio.CancelScope(shield=True):
            await arrived.wait()
        return httpx.Response(200, json={"connected": True})

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http_client:
        client = AsyncPlugChat("token", base_url=BASE_URL, http_client=http_client)
        async with (
            MemoryHub(server, on_end=lambda _, ending: endings.append(ending.outcome)) as hub,
            hub.watch(client),
        ):
            await asked.wait()
            arrived.set()
    assert endings == [PairingOutcome.CONNECTED]


async def test_a_hub_that_closes_reports_a_session_that_the_store_has_just_lost(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """From the copy of its process."""
    endings: list[PairingOutcome | None] = []
    async with (
        MemoryHub(server, on_end=lambda _, ending: endings.append(ending.outcome)) as hub,
        hub.watch(sandbox.client()) as states,
    ):
        await until(states, ShowingCode)
        server.rows.clear()
    assert endings == [PairingOutcome.CANCELLED]


async def test_processes_that_close_together_report_a_session_once(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """Without waiting for each other."""
    endings: list[PairingOutcome | None] = []
    options: dict[str, Any] = {"on_end": lambda _, ending: endings.append(ending.outcome)}
    async with AsyncExitStack() as watching, anyio.create_task_group() as closing:
        hubs = [MemoryHub(server, **options) for _ in range(3)]
        for hub in hubs:
            states = await watching.enter_async_context(
                (await hub.__aenter__()).watch(sandbox.client())
            )
            await until(states, ShowingCode)
        began = anyio.current_time()
        for hub in hubs:
            closing.start_soon(hub.__aexit__, None, None, None)
    assert endings == [PairingOutcome.CANCELLED]
    assert anyio.current_time() - began < 1


@pytest.mark.parametrize("number", [1, 2])
async def test_a_session_without_a_code_ends_though_a_process_died(
    server: MemoryServer, number: int
) -> None:
    """As left, when nobody has been heard for a lease."""
    sandbox = Sandbox(clock=anyio.current_time)
    slow = SlowTransport(sandbox, 60)
    endings: list[PairingOutcome | None] = []
    options: dict[str, Any] = {"on_end": lambda _, ending: endings.append(ending.outcome)}
    async with (
        httpx.AsyncClient(transport=slow) as http_client,
        processes(server, number, **options) as hubs,
        AsyncExitStack() as watching,
    ):
        client = AsyncPlugChat("token", base_url=BASE_URL, http_client=http_client)
        async with hubs[0].watch(client):
            await slow.has_request.wait()
            for hub in hubs[1:]:
                await watching.enter_async_context(hub.watch(client))
                await anyio.sleep(0.1)
                hub.store.is_connected = False
        await anyio.sleep(90)
        assert endings == [PairingOutcome.CANCELLED]
    assert codes_requested(sandbox) <= 1


async def test_a_session_that_nobody_came_back_to_ends_as_left(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """Reported once, and forgotten in each process."""
    endings: list[PairingEnd] = []
    async with processes(server, 2, on_end=lambda _, ending: endings.append(ending)) as hubs:
        for hub in hubs:
            async with hub.watch(sandbox.client("token")) as states:
                await until(states, ShowingCode)
        await anyio.sleep(40)
        assert [ending.outcome for ending in endings] == [PairingOutcome.CANCELLED]
        assert [await hub.state(sandbox.client()) for hub in hubs] == [None, None]
    assert len(endings) == 1
    assert codes_requested(sandbox) == 1


async def test_a_watcher_who_returns_to_another_process_joins_the_session(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """In its current state, without a further code."""
    async with processes(server, 2) as (one, other):
        async with one.watch(sandbox.client()) as states:
            shown = await until(states, ShowingCode)
        await anyio.sleep(8)
        async with other.watch(sandbox.client()) as states:
            assert (await until_round(states, 1)).payload == shown.qr.payload
            assert (await until_round(states, 2)).round == 2
    assert codes_requested(sandbox) == 2


async def test_a_restart_in_all_processes_is_one(sandbox: Sandbox, server: MemoryServer) -> None:
    """Also in one without watchers."""
    async with processes(server, 3) as hubs, hubs[0].watch(sandbox.client()) as states:
        await until(states, Expired)
        async with anyio.create_task_group() as pressing:
            for hub in hubs:
                pressing.start_soon(hub.restart, sandbox.client())
        await until(states, Expired)
        await anyio.sleep(60)
    assert codes_requested(sandbox) == 6


async def test_watchers_of_all_processes_count(sandbox: Sandbox, server: MemoryServer) -> None:
    """The limit is that of the instance."""
    async with processes(server, 2, max_watchers=2) as (one, other):
        async with one.watch(sandbox.client()), other.watch(sandbox.client()):
            with pytest.raises(TooManyWatchers, match="2 watchers"):
                async with other.watch(sandbox.client()):
                    pass  # pragma: no cover


@pytest.mark.parametrize("others", [1, 2])
async def test_the_seat_of_a_watcher_who_leaves_is_free_in_a_moment(
    sandbox: Sandbox, server: MemoryServer, others: int
) -> None:
    """Also if others watch in the same process."""
    async with (
        processes(server, 2, max_watchers=others + 1) as (one, other),
        AsyncExitStack() as watching,
    ):
        for hub in [other, one][:others]:
            await watching.enter_async_context(hub.watch(sandbox.client()))
        await anyio.sleep(1)
        async with one.watch(sandbox.client()):
            await anyio.sleep(1)
        await anyio.sleep(0.1)
        async with other.watch(sandbox.client()) as states:
            await until(states, ShowingCode)


async def test_a_store_that_is_away_is_shown_after_ten_seconds(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """Nothing is requested meanwhile, and the session goes on when it is back."""
    async with processes(server, 1) as (hub,), hub.watch(sandbox.client()) as states:
        await until(states, ShowingCode)
        server.is_up = False
        await anyio.sleep(8)
        assert isinstance(await hub.state(sandbox.client()), ShowingCode)
        failed = await until(states, Failed)
        assert failed.code == "hub_unreachable"
        await anyio.sleep(30)
        assert codes_requested(sandbox) == 1
        server.is_up = True
        assert (await until_round(states, 2)).round == 2
        await until(states, Expired)
    assert codes_requested(sandbox) == 3


async def test_a_code_that_expired_while_the_store_was_away_is_not_shown_again(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """The session goes on with its next round."""
    async with processes(server, 1) as (hub,), hub.watch(sandbox.client()) as states:
        await until(states, ShowingCode)
        await anyio.sleep(14)
        server.is_up = False
        await until(states, Failed)
        server.is_up = True
        assert await anext(states) == Starting()
        shown = await anext(states)
        assert isinstance(shown, ShowingCode)
        assert shown.qr.round == 2


async def test_a_store_that_lost_its_data_gets_it_back(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """From the processes' copies: no round is requested twice."""
    async with processes(server, 2) as hubs, AsyncExitStack() as watching:
        watchers = [await watching.enter_async_context(hub.watch(sandbox.client())) for hub in hubs]
        await until_round(watchers[0], 2)
        server.rows.clear()
        for watcher in watchers:
            await until(watcher, Expired)
    assert codes_requested(sandbox) == 3


@pytest.mark.parametrize("away", [1, 2.5, 4, 5.5, 7, 12], ids="{} s".format)
async def test_a_page_that_is_opened_while_the_store_is_away_begins_no_other_session(
    sandbox: Sandbox, server: MemoryServer, away: float
) -> None:
    """The store comes back empty, and the processes that hold the session write it first."""
    client = sandbox.client()
    async with processes(server, 3) as hubs, hubs[0].watch(client), hubs[1].watch(client) as states:
        await until(states, ShowingCode)
        shown = states.version
        server.is_up = False
        server.rows.clear()
        async with hubs[2].watch(client) as late:
            await anyio.sleep(away)
            server.is_up = True
            await until(late, ShowingCode)
            assert late.version == shown
    assert codes_requested(sandbox) == 1


@pytest.mark.parametrize("away", [1, 4, 8], ids="{} s".format)
async def test_a_code_that_comes_while_the_store_is_away_is_not_lost(
    server: MemoryServer, away: float
) -> None:
    """It is shown where it was requested, and handed in later."""
    sandbox = Sandbox(clock=anyio.current_time)
    slow = SlowTransport(sandbox)
    async with httpx.AsyncClient(transport=slow) as http_client, processes(server, 2) as hubs:
        client = AsyncPlugChat("token", base_url=BASE_URL, http_client=http_client)
        async with hubs[0].watch(client) as states:
            await slow.has_request.wait()
            async with hubs[1].watch(client) as others:
                server.is_up = False
                assert (await until_round(states, 1)).round == 1
                await anyio.sleep(away)
                server.is_up = True
                await until(others, Expired)
    assert codes_requested(sandbox) <= 3


async def test_a_code_that_comes_when_the_store_has_lost_its_data_is_not_lost(
    server: MemoryServer,
) -> None:
    """The store gets back the reservation first, and then the code."""
    sandbox = Sandbox(clock=anyio.current_time)
    slow = SlowTransport(sandbox)
    async with httpx.AsyncClient(transport=slow) as http_client, processes(server, 1) as (hub,):
        client = AsyncPlugChat("token", base_url=BASE_URL, http_client=http_client)
        async with hub.watch(client) as states:
            await slow.has_request.wait()
            server.rows.clear()
            assert (await until_round(states, 1)).round == 1
            await until(states, Expired)
    assert codes_requested(sandbox) == 3


async def test_an_ending_that_was_reported_by_a_process_that_died_is_reported_again(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """The same one, to the letter."""
    endings: list[PairingEnd] = []

    async def die(_: AsyncPlugChat, ending: PairingEnd) -> None:
        endings.append(ending)
        dying.store.is_connected = False
        await anyio.sleep(5)

    dying = MemoryHub(server, on_end=die)
    other = MemoryHub(server, on_end=lambda _, ending: endings.append(ending))
    async with dying, other, dying.watch(sandbox.client()) as states:
        async with scanned_in_both(sandbox, states, other) as others:
            await until(others, Connected)
    assert len(endings) == 2
    assert endings[0] == endings[1]


async def test_an_ending_is_reported_once_though_the_store_is_away_meanwhile(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """For longer than a lease; watchers see it when the store is back."""
    endings: list[PairingOutcome | None] = []

    def take_the_store_away(_: AsyncPlugChat, ending: PairingEnd) -> None:
        endings.append(ending.outcome)
        server.is_up = False

    async with (
        processes(server, 1, on_end=take_the_store_away) as (hub,),
        hub.watch(sandbox.client()) as states,
    ):
        assert sandbox.scan((await until(states, ShowingCode)).qr.payload)
        await anyio.sleep(9)
        server.is_up = True
        await until(states, Connected)
    assert endings == [PairingOutcome.CONNECTED]


async def test_an_ending_is_reported_once_though_everybody_leaves_meanwhile(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """The process stays until it has written the ending, which the next watcher sees."""
    endings: list[PairingOutcome | None] = []
    is_reported = anyio.Event()

    async def store(_: AsyncPlugChat, ending: PairingEnd) -> None:
        endings.append(ending.outcome)
        is_reported.set()
        await anyio.sleep(8)

    async with processes(server, 2, max_rounds=1, linger=0, on_end=store) as (one, other):
        async with one.watch(sandbox.client()):
            await is_reported.wait()
        await anyio.sleep(10)
        async with other.watch(sandbox.client()) as states:
            await until(states, Expired)
    assert endings == [PairingOutcome.EXPIRED]


async def test_an_ending_is_reported_again_though_nobody_watches_any_more(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """The last process stays until the lease of one that is cut off is over."""
    endings: list[PairingEnd] = []
    has_died = anyio.Event()

    async def die(_: AsyncPlugChat, ending: PairingEnd) -> None:
        endings.append(ending)
        dying.store.is_connected = False
        has_died.set()
        await anyio.sleep(8)
        dying.store.reconnect()

    dying = MemoryHub(server, on_end=die)
    other = MemoryHub(server, linger=0, on_end=lambda _, ending: endings.append(ending))
    async with dying, other, dying.watch(sandbox.client()) as states:
        async with scanned_in_both(sandbox, states, other):
            await has_died.wait()
        await anyio.sleep(10)
        assert len(endings) == 2
        assert endings[0] == endings[1]


async def test_an_ending_that_can_t_be_opened_is_reported_as_left(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """As one that a later release has sealed: whoever takes over ends what it can't read."""
    endings: list[PairingOutcome | None] = []
    has_died = anyio.Event()

    async def die(_client: AsyncPlugChat, _ending: PairingEnd) -> None:
        dying.store.is_connected = False
        (row,) = server.rows.values()
        row.ending = "of-a-later-release"
        has_died.set()

    dying = MemoryHub(server, on_end=die)
    other = MemoryHub(server, on_end=lambda _, ending: endings.append(ending.outcome))
    async with dying, other, dying.watch(sandbox.client()) as states:
        async with scanned_in_both(sandbox, states, other):
            await has_died.wait()
            await anyio.sleep(10)
    assert PairingOutcome.CONNECTED not in endings
    assert endings[0] is PairingOutcome.CANCELLED


@pytest.mark.parametrize("number", [1, 2])
async def test_an_ending_that_is_being_written_as_the_hub_closes_is_reported_once(
    sandbox: Sandbox, server: MemoryServer, number: int
) -> None:
    """By the process that closes, unchanged: the scan has been seen."""
    endings: list[PairingOutcome | None] = []

    def store(_: AsyncPlugChat, ending: PairingEnd) -> None:
        endings.append(ending.outcome)

    async with processes(server, number - 1, on_end=store) as others, AsyncExitStack() as watching:
        async with MemoryHub(server, on_end=store) as hub, hub.watch(sandbox.client()) as states:
            shown = await until(states, ShowingCode)
            for other in others:
                await until(
                    await watching.enter_async_context(other.watch(sandbox.client())), ShowingCode
                )
            server.latency = 1.0
            assert sandbox.scan(shown.qr.payload)
            (row,) = server.rows.values()
            await eventually(lambda: row.stage is Stage.ENDING)
        await anyio.sleep(10)
    assert endings == [PairingOutcome.CONNECTED]


@pytest.mark.parametrize("number", [1, 2])
async def test_a_watcher_who_comes_while_a_process_leaves_is_served(
    sandbox: Sandbox, server: MemoryServer, number: int
) -> None:
    """As if nobody had left, whether another process follows the session or not."""
    async with processes(server, number, linger=0) as (hub, *others), AsyncExitStack() as watching:
        for other in others:
            await watching.enter_async_context(other.watch(sandbox.client()))
        async with hub.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
            server.latency = 1.0
        await anyio.sleep(0.01)
        async with hub.watch(sandbox.client()) as states:
            await until(states, Expired)
    assert codes_requested(sandbox) == 3


@pytest.mark.parametrize("secret", [SECRET, [OTHER, SECRET]], ids=["one secret", "two secrets"])
async def test_a_restart_in_a_process_that_has_heard_nothing_yet_begins_a_session(
    sandbox: Sandbox, server: MemoryServer, secret: str | list[str]
) -> None:
    """Its watcher has just come."""
    async with (
        MemoryHub(server) as one,
        MemoryHub(server, secret=secret) as other,
        one.watch(sandbox.client()) as states,
    ):
        await until(states, Expired)
        other.store.is_connected = False
        async with other.watch(sandbox.client()) as others:
            await anyio.sleep(0.1)
            other.store.is_connected = True
            await other.restart(sandbox.client())
            shown = await until(others, ShowingCode)
            assert (await until(states, ShowingCode)).qr.payload == shown.qr.payload


async def test_a_hub_whose_entering_is_cancelled_can_be_entered_again(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """Nothing is left running, as when an app is stopped while its server does not respond."""
    hub, server.latency = MemoryHub(server), 1.0
    with anyio.move_on_after(0.1) as scope:
        await hub.__aenter__()
    assert scope.cancelled_caught
    assert server.stores == []
    with pytest.raises(RuntimeError, match="closed"):
        hub.watch(sandbox.client())
    async with hub, hub.watch(sandbox.client()) as states:
        await until(states, ShowingCode)


async def test_a_process_with_another_secret_is_refused(server: MemoryServer) -> None:
    """Two secrets would mean two sessions for one instance."""
    async with MemoryHub(server):
        with pytest.raises(ValueError, match="another secret is in use"):
            async with MemoryHub(server, secret=OTHER):
                pass  # pragma: no cover


async def test_a_process_whose_secret_is_compared_later_says_so(
    server: MemoryServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It began while the store was away, and logs the difference as soon as that is back."""
    async with MemoryHub(server):
        server.is_up = False
        async with MemoryHub(server, secret=OTHER):
            await anyio.sleep(3)
            assert "another secret is in use" not in caplog.text
            server.is_up = True
            await anyio.sleep(1.5)
            assert "another secret is in use" in caplog.text


@pytest.mark.parametrize("is_cut", [True, False], ids=["restart", "flush"])
async def test_a_store_that_lost_its_data_gets_the_fingerprint_back(
    sandbox: Sandbox, server: MemoryServer, is_cut: bool
) -> None:
    """With the sessions, or as soon as it is back: another secret is refused as before."""
    async with MemoryHub(server) as hub, AsyncExitStack() as watching:
        if not is_cut:
            await watching.enter_async_context(hub.watch(sandbox.client()))
        await anyio.sleep(1)
        server.lose_data()
        if is_cut:
            hub.store.reconnect()
        await anyio.sleep(2)
        with pytest.raises(ValueError, match="another secret is in use"):
            async with MemoryHub(server, secret=OTHER):
                pass  # pragma: no cover


@pytest.mark.parametrize("is_up", [True, False], ids=["up", "down"])
@pytest.mark.parametrize("limit", [None, 2], ids=["no limit", "limit"])
async def test_a_secret_is_replaced_without_a_second_session(
    sandbox: Sandbox, server: MemoryServer, limit: int | None, is_up: bool
) -> None:
    """A process that lists both goes on with a session of the old one, which it may find later."""
    server.latency = 0.1
    both = MemoryHub(server, secret=[OTHER, SECRET], max_watchers=limit)
    async with MemoryHub(server) as old, both, old.watch(sandbox.client()) as states:
        await until(states, ShowingCode)
        both.store.is_connected = is_up
        async with both.watch(sandbox.client()) as others:
            await anyio.sleep(1)
            both.store.reconnect()
            await until(others, ShowingCode)
            await until(others, Expired)
    assert codes_requested(sandbox) == 3


async def test_a_process_goes_on_with_the_secret_that_it_has_begun_with(
    sandbox: Sandbox, server: MemoryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the other of its two first commands, which takes longer, finds an older session."""
    responses = [(0.1, Response(Verdict.MISSING)), (1.0, Response(Verdict.OK, Record(session="1")))]

    async def peek(_: str) -> Response:
        seconds, response = responses.pop(0)
        await anyio.sleep(seconds)
        return response

    async with processes(server, 1, secret=[OTHER, SECRET], max_watchers=1) as (hub,):
        monkeypatch.setattr(hub.store, "peek", peek)
        async with hub.watch(sandbox.client()) as states:
            await until(states, Expired)
    assert not responses
    assert len(server.rows) == 1
    assert codes_requested(sandbox) == 3


async def test_a_forged_state_is_not_shown(
    sandbox: Sandbox, server: MemoryServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever writes to the store reaches no screen."""
    async with processes(server, 1) as (hub,), hub.watch(sandbox.client()) as states:
        shown = await until(states, ShowingCode)
        (name, row) = next(iter(server.rows.items()))
        row.state = "forged"
        server.publish(name, row)
        await anyio.sleep(5)
        assert await hub.state(sandbox.client()) == shown
    assert "not sealed by this app" in caplog.text


@pytest.mark.parametrize("loss", [0.0, 1.0], ids=["by a message", "by a beat"])
async def test_a_record_that_breaks_a_session_breaks_no_other(
    sandbox: Sandbox,
    server: MemoryServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    loss: float,
) -> None:
    """Its watchers' iterators end, and the next watcher is served."""
    name = ""

    def open_or_fail(seal: Seal, record: Record, **moments: Any) -> PairingState | None:
        if seal.name == name:
            raise LookupError("a fault of this package")
        return open_state(seal, record, **moments)

    monkeypatch.setattr(_local_copy, "open_state", open_or_fail)
    async with (
        processes(server, 1) as (hub,),
        hub.watch(sandbox.client("a")) as breaking,
        AsyncExitStack() as watching,
    ):
        await until(breaking, ShowingCode)
        ((name, row),) = server.rows.items()
        server.loss = loss
        states = await watching.enter_async_context(hub.watch(sandbox.client("b")))
        shown, row.state = row.state, "changed"
        server.publish(name, row)
        with anyio.fail_after(60), pytest.raises(StopAsyncIteration):
            await anext(breaking)
        server.loss, row.state, name = 0.0, shown, ""
        async with hub.watch(sandbox.client("a")) as again:
            await until(again, Expired)
        await until(states, Expired)
    assert "a pairing session broke" in caplog.text
    assert "LookupError: a fault of this package" in caplog.text


async def test_a_hub_that_starts_without_its_store_waits_for_it(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """And begins as soon as it comes."""
    server.is_up = False
    async with processes(server, 1) as (hub,), hub.watch(sandbox.client()) as states:
        await anyio.sleep(4.5)
        server.is_up = True
        await until(states, Expired)
    assert codes_requested(sandbox) == 3


async def test_without_the_store_a_limit_keeps_nobody_out(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """It stops pages in a loop, and is not worth an outage."""
    server.is_up = False
    async with (
        processes(server, 1, max_watchers=1) as (hub,),
        hub.watch(sandbox.client()) as states,
    ):
        server.is_up = True
        await until(states, ShowingCode)


async def test_without_the_store_nothing_is_known_or_restarted(
    sandbox: Sandbox, server: MemoryServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The app is told, and a restart is logged."""
    async with processes(server, 1) as (hub,):
        server.is_up = False
        unknown = await hub.state(sandbox.client())
        assert isinstance(unknown, Failed)
        assert unknown.code == "hub_unreachable"
        await hub.restart(sandbox.client())
    assert "a session was not restarted" in caplog.text


async def test_a_watcher_who_leaves_before_the_store_is_heard_leaves_nothing(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """No session begins for somebody who is gone."""
    server.is_up = False
    async with processes(server, 1, linger=5) as (hub,):
        async with hub.watch(sandbox.client()):
            await anyio.sleep(1)
        server.is_up = True
        await anyio.sleep(1)
        assert repr(hub) == "<MemoryHub: 0 sessions, 0 watchers>"
    assert server.rows == {}
    assert codes_requested(sandbox) == 0


@pytest.mark.parametrize("is_up", [True, False], ids=["up", "down"])
async def test_a_session_without_an_older_one_begins_under_the_first_secret(
    sandbox: Sandbox, server: MemoryServer, is_up: bool
) -> None:
    """Whether the store can be asked for an older one or not."""
    async with processes(server, 1, secret=[OTHER, SECRET]) as (both,):
        server.is_up = is_up
        async with both.watch(sandbox.client()) as states:
            await anyio.sleep(1)
            server.is_up = True
            shown = await until_round(states, 1)
            async with processes(server, 1, secret=[OTHER]) as (new,):
                seen = await new.state(sandbox.client())
                assert isinstance(seen, ShowingCode)
                assert seen.qr.payload == shown.payload


async def test_a_store_that_fell_back_is_brought_up_to_date(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """By the copies of the processes: a replica may not have heard of the latest code."""
    async with processes(server, 1) as (hub,), hub.watch(sandbox.client()) as states:
        await until(states, ShowingCode)
        with server.failing_over():
            shown = await until_round(states, 2)
        assert sandbox.scan(shown.payload)
        await until(states, Connected)
    assert codes_requested(sandbox) == 2


async def test_a_process_that_was_cut_off_shows_the_code_again(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """Though nothing has changed meanwhile."""
    options: dict[str, Any] = {"interval": 20, "status_interval": None}
    async with (
        processes(server, 2, **options) as (leader, other),
        leader.watch(sandbox.client()) as states,
    ):
        await until(states, ShowingCode)
        async with other.watch(sandbox.client()) as others:
            shown = await until_round(others, 1)
            other.store.is_connected = False
            await until(others, Failed)
            other.store.reconnect()
            assert (await until_round(others, 1)).payload == shown.payload


async def test_a_code_that_comes_after_the_next_one_is_not_shown(server: MemoryServer) -> None:
    """The process that requested it was cut off, and sees what the others see."""
    sandbox = Sandbox(clock=anyio.current_time)
    slow = SlowTransport(sandbox, 2)
    async with httpx.AsyncClient(transport=slow) as http_client, processes(server, 2) as hubs:
        client = AsyncPlugChat("token", base_url=BASE_URL, http_client=http_client)
        async with hubs[0].watch(client) as states:
            await slow.has_request.wait()
            async with hubs[1].watch(client) as others:
                hubs[0].store.is_connected = False
                assert (await until_round(states, 1)).round == 1
                shown = await until(others, ShowingCode)
                assert shown.qr.round == 2
                hubs[0].store.reconnect()
                assert (await until_round(states, 2)).payload == shown.qr.payload


async def test_a_code_whose_round_is_over_when_it_comes_is_not_written(
    server: MemoryServer,
) -> None:
    """Though this process has not heard of the next round yet."""
    sandbox = Sandbox(clock=anyio.current_time)
    slow = SlowTransport(sandbox)
    async with httpx.AsyncClient(transport=slow) as http_client, processes(server, 1) as (hub,):
        client = AsyncPlugChat("token", base_url=BASE_URL, http_client=http_client)
        async with hub.watch(client) as states:
            await slow.has_request.wait()
            (row,) = server.rows.values()
            row.spent, row.nonce, row.version = row.spent + 1, "another", row.version + 1
            assert (await until(states, ShowingCode)).qr.round == 3


async def test_a_code_call_that_outlives_its_lease_is_brought_to_its_end(
    server: MemoryServer,
) -> None:
    """If nobody has led meanwhile: no code is wasted."""
    sandbox = Sandbox(clock=anyio.current_time)
    slow = SlowTransport(sandbox, 9)
    async with httpx.AsyncClient(transport=slow) as http_client, processes(server, 1) as (hub,):
        client = AsyncPlugChat("token", base_url=BASE_URL, http_client=http_client)
        async with hub.watch(client) as states:
            await slow.has_request.wait()
            server.is_up = False
            await anyio.sleep(6)
            server.is_up = True
            assert (await until(states, ShowingCode)).qr.round == 1
    assert codes_requested(sandbox) == 1


async def test_a_round_that_begins_while_the_store_is_away_waits_for_it(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """No code is requested without a permit."""
    async with processes(server, 1) as (hub,), hub.watch(sandbox.client()) as states:
        await until(states, ShowingCode)
        await anyio.sleep(14.5)
        server.is_up = False
        await anyio.sleep(3)
        assert codes_requested(sandbox) == 1
        server.is_up = True
        await until_round(states, 2)


async def test_a_round_that_begins_when_the_store_has_just_lost_its_data_waits_for_it(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """It gets back what this process knows, and then permits the round."""
    async with (
        processes(server, 1, interval=14.5, status_interval=None) as (hub,),
        hub.watch(sandbox.client()) as states,
    ):
        await until(states, ShowingCode)
        await anyio.sleep(14)
        server.rows.clear()
        await until(states, Expired)
    assert codes_requested(sandbox) == 3


async def test_a_leader_that_dies_in_the_last_round_leaves_a_look_at_the_status(
    server: MemoryServer,
) -> None:
    """Its code may have come, and been scanned; another one is not requested."""
    sandbox = Sandbox(clock=anyio.current_time)
    slow = SlowTransport(sandbox, 60)
    async with (
        httpx.AsyncClient(transport=slow, timeout=100) as http_client,
        processes(server, 2, max_rounds=1) as (leader, other),
    ):
        dying = AsyncPlugChat("token", base_url=BASE_URL, http_client=http_client)
        async with leader.watch(dying):
            await slow.has_request.wait()
            async with other.watch(sandbox.client("token")) as others:
                leader.store.is_connected = False
                await until(others, Expired)
    assert codes_requested(sandbox) == 0


async def test_a_grace_that_ends_while_the_store_is_away_ends_the_session_as_left(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """Nobody waits to hear of it but the app."""
    endings: list[PairingOutcome | None] = []
    async with processes(server, 1, on_end=lambda _, ending: endings.append(ending.outcome)) as (
        hub,
    ):
        async with hub.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
        await anyio.sleep(27)
        server.is_up = False
        await anyio.sleep(8)
        server.is_up = True
        await anyio.sleep(2)
        assert endings == [PairingOutcome.CANCELLED]
    assert codes_requested(sandbox) == 1


async def test_a_grace_goes_on_when_the_store_is_back(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """Without watchers, and without a further code."""
    endings: list[PairingOutcome | None] = []
    async with processes(server, 1, on_end=lambda _, ending: endings.append(ending.outcome)) as (
        hub,
    ):
        async with hub.watch(sandbox.client()) as states:
            shown = await until(states, ShowingCode)
        await anyio.sleep(5)
        server.is_up = False
        await anyio.sleep(8)
        server.is_up = True
        assert sandbox.scan(shown.qr.payload)
        await anyio.sleep(10)
        assert endings == [PairingOutcome.CONNECTED]
    assert codes_requested(sandbox) == 1


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("away", [0, 1, 3, 6], ids="{} s".format)
async def test_a_grace_goes_on_when_the_store_is_back_without_its_data(
    sandbox: Sandbox, server: MemoryServer, away: float, number: int
) -> None:
    """Also if `linger` ended meanwhile: the processes write their copies back."""
    endings: list[PairingOutcome | None] = []
    options: dict[str, Any] = {"on_end": lambda _, ending: endings.append(ending.outcome)}
    async with processes(server, number, **options) as hubs:
        async with AsyncExitStack() as watching:
            for hub in hubs:
                states = await watching.enter_async_context(hub.watch(sandbox.client()))
                shown = await until(states, ShowingCode)
            server.is_up = False
        await anyio.sleep(away)
        server.rows.clear()
        server.is_up = True
        await anyio.sleep(4)
        assert sandbox.scan(shown.qr.payload)
        await anyio.sleep(10)
        assert endings == [PairingOutcome.CONNECTED]
        await anyio.sleep(30)
    assert endings == [PairingOutcome.CONNECTED]
    assert codes_requested(sandbox) == 1
    assert all(server.row(name) is None for name in [*server.rows])


async def test_an_ending_is_written_by_nobody_but_the_leader(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """A leader that was replaced without hearing of it reports nothing; the new one looks again."""
    endings: list[PairingOutcome | None] = []
    async with (
        processes(server, 1, on_end=lambda _, ending: endings.append(ending.outcome)) as (hub,),
        hub.watch(sandbox.client()) as states,
    ):
        shown = await until(states, ShowingCode)
        await anyio.sleep(1.8)
        (row,) = server.rows.values()
        row.leader, row.epoch, row.version = "another", row.epoch + 1, row.version + 1
        assert sandbox.scan(shown.qr.payload)
        await anyio.sleep(1)
        assert endings == []
        await until(states, Connected)
    assert endings == [PairingOutcome.CONNECTED]


async def test_an_ending_reaches_a_store_that_has_just_lost_its_data(
    sandbox: Sandbox, server: MemoryServer
) -> None:
    """With all that the process knows of the session."""
    async with processes(server, 1) as (hub,), hub.watch(sandbox.client()) as states:
        shown = await until(states, ShowingCode)
        await anyio.sleep(1.8)
        server.rows.clear()
        assert sandbox.scan(shown.qr.payload)
        await until(states, Connected)
    assert codes_requested(sandbox) == 1


def test_bad_arguments_are_refused_immediately() -> None:
    """A secret that is too short, and a URL that is not one."""
    with pytest.raises(ValueError, match="at least 32 characters"):
        RedisPairingHub("redis://localhost", secret="short")
    with pytest.raises(ValueError, match="redis must be redis://"):
        RedisPairingHub("http://localhost", secret=SECRET)


async def test_a_fault_of_the_store_is_logged_and_shown(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The app goes on, and can close the hub."""
    hub = MemoryHub()

    async def fail(*_: object, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await anyio.sleep(1)
        hub.store.is_connected = False
        raise LookupError("a fault")

    monkeypatch.setattr(hub.store, "run", fail)
    async with hub, hub.watch(sandbox.client()) as states:
        assert (await until(states, Failed)).code == "hub_unreachable"
    assert "the pairing sessions in Redis are lost until the hub is reopened" in caplog.text
    assert "LookupError: a fault" in caplog.text

"""A phone that scans at any time: whether it was linked, and what the app was told."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, NamedTuple

import anyio
import httpx
import pytest

from plugchat_async import AsyncPlugChat, PairingEnd, PairingHub, PairingOutcome, ShowingCode
from plugchat_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

CONNECTED, ALREADY_CONNECTED = PairingOutcome.CONNECTED, PairingOutcome.ALREADY_CONNECTED
EXPIRED, CANCELLED = PairingOutcome.EXPIRED, PairingOutcome.CANCELLED
LINKED = {CONNECTED, ALREADY_CONNECTED}
CODE_LIFETIME = 20


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


class Visit(NamedTuple):
    """When a viewer comes, and when it leaves, in seconds."""

    comes: float
    leaves: float


class Told(NamedTuple):
    """When the app was told of an ending, and which."""

    at: float
    end: PairingEnd


class Distant(httpx.ASGITransport):
    """A sandbox whose requests and responses take their time."""

    WAY = 0.2

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Respond after a way there and a way back."""
        await anyio.sleep(self.WAY)
        response = await super().handle_async_request(request)
        await anyio.sleep(self.WAY)
        return response


class Site:
    """An app with one hub, a page for each of many customers, and their phones."""

    def __init__(self, interval: float) -> None:
        self.sandbox = Sandbox(clock=anyio.current_time)
        self.hub = PairingHub(interval=interval, on_end=self._remember)
        self.told: dict[str, list[Told]] = defaultdict(list)
        self._began = anyio.current_time()
        self._seen: dict[str, str] = {}
        http_client = httpx.AsyncClient(transport=Distant(self.sandbox))
        self._client = AsyncPlugChat("never sent", http_client=http_client)

    async def serve(self, name: str, visits: list[Visit], scan_at: float) -> None:
        """Let viewers come and leave, a phone scan what they saw, and the customer come again."""
        client = self._client.for_token(name, name=name)
        async with anyio.create_task_group() as people:
            for visit in visits:
                people.start_soon(self._view, client, visit)
            await anyio.sleep(scan_at)
            self.sandbox.scan(self._seen.get(name, ""))
        await anyio.sleep_until(self._began + visits[-1].leaves + 60)
        await self.hub.restart(client)
        await self._view(client, Visit(0, 5))

    async def _view(self, client: AsyncPlugChat, visit: Visit) -> None:
        await anyio.sleep(visit.comes)
        with anyio.move_on_after(visit.leaves - visit.comes):
            async with self.hub.watch(client) as states:
                async for state in states:
                    if isinstance(state, ShowingCode):
                        self._seen[str(client.name)] = state.qr.payload

    def codes_issued(self, name: str) -> int:
        """Count the codes that a customer's sessions were given."""
        codes = [call for call in self.sandbox.calls if call.answer == "code"]
        return sum(call.token == name for call in codes)

    def _remember(self, client: AsyncPlugChat, end: PairingEnd) -> None:
        self.told[str(client.name)].append(Told(anyio.current_time() - self._began, end))


@pytest.mark.parametrize(
    ("visits", "interval"),
    [
        pytest.param([Visit(0, 7)], 15, id="leaves"),
        pytest.param([Visit(0, 43)], 15, id="leaves with the last code"),
        pytest.param([Visit(0, 55)], 15, id="stays"),
        pytest.param([Visit(0, 70)], 20, id="stays until the last code has expired"),
        pytest.param([Visit(0, 7), Visit(8, 20)], 15, id="reloads"),
        pytest.param([Visit(0, 7), Visit(18, 33)], 15, id="returns to the code"),
        pytest.param([Visit(0, 7), Visit(25, 40)], 15, id="returns after the code"),
        pytest.param([Visit(0, 43), Visit(63, 66)], 15, id="returns after the last code"),
        pytest.param([Visit(0, 7), Visit(42, 50)], 15, id="returns after the session"),
        pytest.param([Visit(0, 20), Visit(5, 33)], 15, id="is one of two"),
    ],
)
async def test_the_app_is_told_of_each_link_and_of_nothing_else(
    visits: list[Visit], interval: float
) -> None:
    """Whenever a phone scans, from the first code to a minute after the last viewer has left."""
    seconds = range(round(visits[-1].leaves + 60))
    # Before and after a request of the status.
    await play(interval, [(visits, number + 0.25 + number % 2 / 2) for number in seconds])


async def test_the_app_is_told_whenever_the_last_viewer_leaves() -> None:
    """From the first code until the session has expired, with scans before and after that."""
    scans = [-1.6, 0.4, 3.6, 7.4, 12.6, 16.4, 21.6, 26.4, 31.6]
    await play(
        15, [([Visit(0, leaves)], leaves + scan) for leaves in range(2, 58, 4) for scan in scans]
    )


async def play(interval: float, customers: list[tuple[list[Visit], float]]) -> None:
    """Serve customers, each of whom scans at another time, and check what the app was told."""
    site = Site(interval)
    async with site.hub, anyio.create_task_group() as people:
        for number, (visits, scan_at) in enumerate(customers):
            name = f"customer {number}, who leaves at {visits[-1].leaves} and scans at {scan_at}"
            people.start_soon(site.serve, name, visits, scan_at)
    linked_at = {scan.token: scan.at for scan in site.sandbox.scans}
    assert linked_at
    for name, told in site.told.items():
        check(told, linked_at.get(name, math.inf), interval)
        assert sum(end.codes for _, end in told) == site.codes_issued(name)


def check(told: list[Told], linked_at: float, interval: float) -> None:
    """Compare the endings that the app was told with the time of the scan."""
    assert [end.outcome in LINKED for _, end in told] == [
        linked_at <= at - Distant.WAY for at, _ in told
    ]
    unlinked = [(at, end.outcome) for at, end in told if end.outcome not in LINKED]
    linked = [end.outcome for _, end in told if end.outcome in LINKED]
    assert {outcome for _, outcome in unlinked} <= {EXPIRED, CANCELLED}
    assert set(linked[1:]) <= {ALREADY_CONNECTED}
    if linked[:1] == [ALREADY_CONNECTED]:
        # The last code is valid for longer than it is shown: its session had expired.
        at, outcome = unlinked[-1]
        assert outcome is EXPIRED
        assert linked_at < at + CODE_LIFETIME - interval

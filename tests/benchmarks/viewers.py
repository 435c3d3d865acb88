"""5,000 viewers of 100 pages in one uvicorn process, beside a bare `StreamingResponse`.

Both servers send the very same bytes at the same intervals over real sockets: what a viewer of
the router was sent is given to Starlette, whose streams wait for a bare `anyio.Event`. Each viewer
is a connection of HTTP/1.1 from a separate process, and each instance of a separate tenant, by
`for_token()`. Nothing is fetched: sessions are told of a code as their poller would. Memory is what
the server grows by for each viewer who came and was sent all codes. Drawing a code is measured by
itself, as `drawing`: in the CPU that has a goal, codes were drawn before; in the other one, each is
drawn when it comes. The comment that keeps a silent stream open is sent by neither. The time to all
50 viewers of an instance is that of both, half of each.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from .figures import Figure, percentile_99
from .processes import raise_file_limit
from .viewers_server import INSTANCES, Order, serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .viewers_server import Changes, ViewersServer

VIEWERS = 5_000
VIEWERS_OF_AN_INSTANCE = VIEWERS // INSTANCES
RUNS = 3
# Seconds after which an event that did not come counts as missed.
PATIENCE = 10.0

_EVENT = re.compile(rb"event: \w+\ndata: .*\nid: .*\nretry: \d+\n\n")
_END_OF_EVENT = b"\nretry: 1000\n\n"


def measure() -> list[Figure]:
    """Change all instances of both servers in turns."""
    raise_file_limit()
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    with ExitStack() as stack:
        ours = Audience(stack.enter_context(serving("router")))
        bare = Audience(stack.enter_context(serving("streams")))
        await ours.gather(1)
        await bare.change(Order(events=ours.recorded(), pause=0))
        await bare.gather(1)
        await _take_turns(ours, bare, draws_before=True)
        before = (ours.kibibytes, bare.kibibytes)
        await ours.gather(VIEWERS_OF_AN_INSTANCE)
        await bare.gather(VIEWERS_OF_AN_INSTANCE)
        await _take_turns(ours, bare, draws_before=True)
        ours.reset()
        bare.reset()
        drawn = [await _take_turns(ours, bare, draws_before=True) for _ in range(RUNS)]
        fresh = [await _take_turns(ours, bare, draws_before=False) for _ in range(RUNS)]
    joined = VIEWERS - INSTANCES
    grown = ((ours.kibibytes - before[0]) / joined, (bare.kibibytes - before[1]) / joined)
    compare = partial(Figure.from_pairs, against="a bare `StreamingResponse`")
    what = "CPU per viewer and change"
    return [
        compare([grown], what="memory per viewer", unit="KiB", ratio_goal=1.5),
        compare(drawn, what=what, unit="µs of CPU", ratio_goal=1.5),
        compare(fresh, what=f"{what}, with the drawing", unit="µs of CPU"),
        Figure(
            what="99 % of changes at all viewers of an instance within",
            measured=percentile_99(ours.waits) * 1000,
            unit="ms",
            goal=100,
        ),
        Figure(
            what=f"changes missed of {2 * RUNS * VIEWERS:,}",
            measured=ours.missed,
            unit="changes",
            goal=0,
        ),
    ]


async def _take_turns(ours: Audience, bare: Audience, *, draws_before: bool) -> tuple[float, float]:
    """Give the microseconds of CPU that each of both took per viewer and change."""
    changes = await ours.change(Order(draws_before=draws_before))
    same = await bare.change(Order(events=ours.recorded()))
    return ours.microseconds(changes), bare.microseconds(same)


class Audience:
    """The viewers of one server."""

    def __init__(self, server: ViewersServer) -> None:
        self._server = server
        self._viewers: list[list[Viewer]] = [[] for _ in range(INSTANCES)]
        self.kibibytes = 0.0
        self.reset()

    def reset(self) -> None:
        """Forget what was late or missed so far."""
        self.waits: list[float] = []
        self.missed = 0

    async def gather(self, most: int) -> None:
        """Let viewers come, one after another, until each instance has so many."""
        loop = asyncio.get_running_loop()
        for number, viewers in enumerate(self._viewers):
            while len(viewers) < most:
                connect = partial(Viewer, number, is_recorded=not viewers)
                _, viewer = await loop.create_connection(connect, "127.0.0.1", self._server.port)
                viewers.append(viewer)
                await viewer.came.wait()

    def recorded(self) -> list[str]:
        """Give the latest event of each instance."""
        return [viewers[0].recorded() for viewers in self._viewers]

    async def change(self, order: Order) -> Changes:
        """Change all instances, and wait until all viewers know, or should."""
        for viewer in self._all():
            viewer.arrivals.clear()
        changes = await asyncio.to_thread(self._server.change, order)
        gives_up_at = time.monotonic() + PATIENCE
        while not all(viewer.arrivals for viewer in self._all()):
            if time.monotonic() > gives_up_at:
                break
            await asyncio.sleep(0.01)
        for moment, viewers in zip(changes.moments, self._viewers, strict=True):
            arrived = [viewer.arrivals[0] for viewer in viewers if viewer.arrivals]
            self.missed += len(viewers) - len(arrived)
            self.waits += [max(arrived) - moment] if arrived else []
        self.kibibytes = changes.kibibytes
        return changes

    def microseconds(self, changes: Changes) -> float:
        """Give the CPU time of changes per viewer and change."""
        return changes.cpu_seconds * 1e6 / len(self._all())

    def _all(self) -> Sequence[Viewer]:
        return [viewer for viewers in self._viewers for viewer in viewers]


class Viewer(asyncio.Protocol):
    """One page's stream of events.

    Attributes:
        arrivals: When events came.
        came: Set when the first one has come.
    """

    def __init__(self, instance: int, *, is_recorded: bool) -> None:
        self.arrivals: list[float] = []
        self.came = asyncio.Event()
        self._instance = instance
        self._is_recorded = is_recorded
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"GET /%d/events HTTP/1.1\r\nHost: localhost\r\n\r\n" % self._instance)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        known = max(0, len(self._received) - len(_END_OF_EVENT) + 1)
        self._received += data
        ends = self._received.count(_END_OF_EVENT, known)
        self.arrivals += [now] * ends
        if ends:
            self.came.set()
            if not self._is_recorded:
                self._received = b""

    def recorded(self) -> str:
        """Give the latest event, as it was sent."""
        latest = _EVENT.findall(self._received)[-1]
        self._received = b""
        return bytes(latest).decode()

"""An instance in memory, for the modules that decide when to ask it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio

from plugchat_async import AlreadyConnected, InstanceStatus, Pairing, QRCode
from plugchat_async._requests import Requests
from plugchat_async._schedule import Fetched, Schedule

if TYPE_CHECKING:
    from plugchat_async import PlugChatError


class FakeInstance:
    """An instance whose phone scans at a given second, with a record of its calls.

    All times are seconds since it was made.

    Attributes:
        scan_at: When the phone scans.
        latency: How long a code takes.
        status_latency: How long a status takes.
        status_error: What each status call raises instead.
        status_lie: What each status claims instead of the truth.
        codes: When each code was requested.
        looks: When each status was requested.
    """

    def __init__(
        self,
        *,
        scan_at: float = 1e9,
        latency: float = 0,
        status_latency: float = 0,
        status_error: PlugChatError | None = None,
        status_lie: bool | None = None,
    ) -> None:
        self.began = anyio.current_time()
        self.scan_at = scan_at
        self.latency = latency
        self.status_latency = status_latency
        self.status_error = status_error
        self.status_lie = status_lie
        self.codes: list[float] = []
        self.looks: list[float] = []

    @property
    def now(self) -> float:
        """The current second."""
        return round(anyio.current_time() - self.began, 3)

    async def fetch_code(self, number: int, of: int) -> Fetched:
        """Return the code of a round, and when its request began and ended."""
        began = anyio.current_time()
        self.codes.append(self.now)
        await anyio.sleep(self.latency)
        if self.now >= self.scan_at:
            raise AlreadyConnected("connected", status_code=200)
        moment = datetime.now(UTC)
        code = QRCode(payload=f"code-{number}", fetched_at=moment, round=number, rounds=of)
        return Fetched(code, began, anyio.current_time())

    async def ask_status(self) -> InstanceStatus:
        """Return the status."""
        self.looks.append(self.now)
        await anyio.sleep(self.status_latency)
        if self.status_error is not None:
            raise self.status_error
        truth = self.now >= self.scan_at
        return InstanceStatus(connected=truth if self.status_lie is None else self.status_lie)

    def pairing(
        self, *, interval: float = 15, max_rounds: int = 3, status_interval: float | None = 2
    ) -> Pairing:
        """Make a session that links its phone."""
        requests = Requests(self.fetch_code, self.ask_status, self.ask_status)
        return Pairing(requests, Schedule(interval, max_rounds, status_interval))

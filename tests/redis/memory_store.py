"""The store's steps a second time, in Python and in memory, with all that can go wrong on the way.

It shares no line with the scripts: `test_twin.py` compares the two. Hubs are played over it in
virtual time.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import anyio

from plugchat_async.redis._record import Record, Stage, StoreClock
from plugchat_async.redis._steps import (
    LEASE,
    LIVE,
    PRESENCE,
    Beat,
    Response,
    StoreDown,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from anyio.abc import TaskStatus
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from plugchat_async.redis._record import Known

COMMAND_TIMEOUT = 2.0

T = TypeVar("T")

Result: TypeAlias = "tuple[Verdict, Row | None]"


def _microseconds_in_2026() -> int:
    return math.floor((anyio.current_time() + 1_790_000_000) * 1_000_000)


@dataclass
class Presence:
    """A process that follows a session."""

    watchers: int
    deadline: int


@dataclass
class Row:
    """A record; moments are milliseconds of the server's clock, 0 for never."""

    session: int
    version: int = 0
    spent: int = 0
    nonce: str = ""
    stage: Stage = Stage.RUNNING
    left: int = 0
    leader: str = ""
    epoch: int = 0
    lease: int = 0
    asked: int = 0
    retention: int = 0
    state: str = ""
    ending: str = ""
    present: dict[str, Presence] = field(default_factory=dict)
    expires: float = math.inf

    def pack(self) -> str:
        """Write what others hear of it."""
        return (
            f"{self.session} {self.version} {self.spent} {self.nonce} {self.stage:d} {self.left}"
            f" {self.leader} {self.epoch} {self.asked} {self.retention} {self.state} {self.ending}"
        )


class MemoryServer:
    """Server that all processes of a test share.

    Attributes:
        is_up: Whether it takes steps.
        latency: Seconds that each way takes at most.
        loss: Which share of the messages is lost.
        rows: The records.
        history: Each record that was published, with the moment in milliseconds.
    """

    def __init__(
        self,
        *,
        microseconds: Callable[[], int] = _microseconds_in_2026,
        rng: random.Random | None = None,
        keeps_history: bool = True,
    ) -> None:
        self.is_up = True
        self.latency = 0.0
        self.loss = 0.0
        self.rows: dict[str, Row] = {}
        self.history: list[tuple[int, str, Row]] = []
        self._keeps_history = keeps_history
        self.rng = rng or random.Random(0)
        self.stores: list[MemoryStore] = []
        self._secret: tuple[str, float] = ("", 0.0)
        self._microseconds = microseconds

    @property
    def now(self) -> int:
        """Milliseconds on its clock."""
        return self._microseconds() // 1000

    def row(self, name: str) -> Row | None:
        """Return a record that has not expired."""
        row = self.rows.get(name)
        if row is not None and row.expires <= self.now:
            del self.rows[name]
            return None
        return row

    def begin(self, name: str) -> Row:
        """Begin a session, after the one before if there is one."""
        session, before = self._microseconds(), self.rows.get(name)
        row = Row(session)
        if before is not None:
            row.session = max(session, before.session + 1)
            row.epoch, row.present, row.expires = before.epoch, before.present, before.expires
        self.rows[name] = row
        return row

    def count(self, row: Row, *, without: str) -> tuple[int, int]:
        """Count watchers and processes."""
        for process in [each for each, at in row.present.items() if at.deadline <= self.now]:
            del row.present[process]
        others = [
            at.watchers
            for process, at in row.present.items()
            if process != without and (process != row.leader or row.lease > self.now)
        ]
        return sum(others), len(others)

    def publish(self, name: str, row: Row) -> None:
        """Count a change, and tell it."""
        row.version += 1
        if self._keeps_history:
            self.history.append((self.now, name, deepcopy(row)))
        if not self.is_up:
            return
        for store in self.stores:
            if store.is_connected and self.rng.random() >= self.loss:
                store.deliver(name, row.pack())

    def lose_data(self) -> None:
        """Be empty, as after a restart without persistence."""
        self.rows.clear()
        self._secret = "", 0.0

    def claim(self, fingerprints: Sequence[str]) -> bool:
        """Compare secrets."""
        held, expires = self._secret
        if held in fingerprints or expires <= self.now:
            self._secret = fingerprints[0], self.now + 120_000
            return True
        return False

    @contextmanager
    def failing_over(self) -> Generator[None]:
        """Lose what is changed inside."""
        rows = deepcopy(self.rows)
        yield
        self.rows = rows

    async def pause(self) -> None:
        """Wait for one way of a command."""
        await anyio.sleep(self.latency * self.rng.random())


class MemoryStore:
    """Implementation of `Store` over a `MemoryServer`, one for each process.

    Attributes:
        is_connected: Whether the process reaches the server.
        steps: How many steps it asked for.
    """

    def __init__(self, server: MemoryServer, process: str) -> None:
        self.process = process
        self.clock = StoreClock()
        self.is_connected = True
        self.steps = 0
        self._server = server
        self._on_subscribed: Callable[[], None] = lambda: None
        self._messages: MemoryObjectSendStream[tuple[str, str]] | None = None

    async def run(
        self,
        on_record: Callable[[str, Record], None],
        on_subscribed: Callable[[], None],
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Deliver messages in their order, until cancelled."""
        messages: MemoryObjectReceiveStream[tuple[str, str]]
        self._messages, messages = anyio.create_memory_object_stream(math.inf)
        self._on_subscribed = on_subscribed
        self._server.stores.append(self)
        try:
            with self._messages, messages:
                task_status.started()
                on_subscribed()
                async for name, packed in messages:
                    await self._server.pause()
                    if self.clock.is_set:
                        on_record(name, Record.unpack(packed, self.clock))
        finally:
            self._server.stores.remove(self)

    def deliver(self, name: str, packed: str) -> None:
        """Send a message on its way."""
        if self._messages is not None:
            self._messages.send_nowait((name, packed))

    def reconnect(self) -> None:
        """Reach the server again, after messages may have been missed."""
        self.is_connected = True
        self._on_subscribed()

    async def claim(self, fingerprints: Sequence[str]) -> bool:
        """See `Store`."""
        return await self._take(lambda: self._server.claim(fingerprints))

    async def beat(
        self, name: str, *, watchers: int, limit: int | None = None, known: Known = ("", 0)
    ) -> Beat:
        """See `Store`."""

        def take() -> tuple[Verdict, str | None, int, bool, int, int]:
            server, now = self._server, self._server.now
            row = server.row(name)
            if row is None and (known[0] or not watchers):
                return Verdict.MISSING, None, 0, False, 0, 0
            others = server.count(row, without=self.process)[0] if row else 0
            if limit is not None and others + watchers > limit:
                return Verdict.FULL, None, 0, False, 0, 0
            row = row or server.begin(name)
            row.present[self.process] = Presence(watchers, now + _ms(PRESENCE))
            left_for = now - row.left if row.left else -1
            self._lead(name, row, watchers)
            news = None if (str(row.session), row.version) == known else row.pack()
            lease_left, leads = max(0, row.lease - now), row.leader == self.process
            return Verdict.OK, news, left_for, leads, lease_left, others + watchers

        verdict, packed, left_for, leads, lease_left, everyone = await self._take(take)
        if verdict is not Verdict.OK:
            return Beat(verdict)
        return Beat(
            verdict,
            Record.unpack(packed, self.clock) if packed else None,
            leads=leads,
            lease_left=lease_left / 1000,
            watchers=everyone,
            left_for=None if left_for < 0 else left_for / 1000,
        )

    def _lead(self, name: str, row: Row, watchers: int) -> None:
        server, now = self._server, self._server.now
        if row.stage is Stage.OVER:
            row.expires = now + row.retention + _ms(PRESENCE)
            return
        row.expires = now + _ms(LIVE)
        is_back = bool(row.left and watchers and row.stage is Stage.RUNNING)
        leads = row.leader == self.process and row.lease > now
        is_free = not row.leader or row.lease <= now
        if leads or is_free or is_back:
            row.lease = now + _ms(LEASE)
            row.left = 0 if is_back else row.left
        if not leads and (is_free or is_back):
            row.leader, row.epoch = self.process, row.epoch + 1
            server.publish(name, row)
        elif is_back:
            server.publish(name, row)

    async def reserve(self, name: str, copy: Record, *, nonce: str) -> Response:
        """See `Store`."""

        def take() -> Result:
            server, row = self._server, self._server.row(name)
            if row is None:
                return Verdict.MISSING, None
            leads = (row.leader, row.epoch, row.session) == (
                self.process,
                copy.epoch,
                int(copy.session),
            )
            if not leads or row.lease <= server.now or row.stage is not Stage.RUNNING:
                return Verdict.FENCED, None
            if (row.spent, row.nonce) == (copy.spent + 1, nonce):
                return Verdict.OK, row
            if (row.version, row.spent) != (copy.version, copy.spent):
                return Verdict.BEHIND, None
            row.spent, row.nonce, row.lease = copy.spent + 1, nonce, server.now + _ms(LEASE)
            server.publish(name, row)
            return Verdict.OK, row

        return await self._respond(take)

    async def write(self, name: str, wanted: Record) -> Response:
        """See `Store`."""
        asked_ago = _ago(wanted.asked_at)

        def take() -> Result:
            server, row = self._server, self._server.row(name)
            if row is None:
                return Verdict.MISSING, None
            if row.session != int(wanted.session):
                return Verdict.FENCED, None
            written = (wanted.stage, wanted.state, wanted.ending)
            if (row.stage, row.state, row.ending) == written:
                return Verdict.OK, row
            if wanted.stage is Stage.RUNNING:
                may = row.stage is Stage.RUNNING and row.nonce == wanted.nonce
            else:
                may = row.stage is not Stage.OVER and (row.leader, row.epoch) == (
                    self.process,
                    wanted.epoch,
                )
            if not may:
                return Verdict.FENCED, None
            row.stage, row.state, row.ending = written
            row.retention = _ms(wanted.retention)
            row.asked = 0 if asked_ago is None else server.now - asked_ago
            if row.stage is Stage.OVER:
                row.leader, row.lease, row.left = "", 0, 0
                row.expires = server.now + row.retention + _ms(PRESENCE)
            server.publish(name, row)
            return Verdict.OK, row

        return await self._respond(take)

    async def leave(
        self, name: str, *, ending: str = "", asked_at: float | None = None
    ) -> Response:
        """See `Store`."""
        asked_ago = _ago(asked_at)

        def take() -> Result:
            server, row = self._server, self._server.row(name)
            if row is None:
                return Verdict.MISSING, None
            leads = row.leader == self.process
            if leads and ending and row.ending == ending:
                return Verdict.OK, row
            if row.stage is Stage.OVER:
                row.present.pop(self.process, None)
                if not server.count(row, without=self.process)[1]:
                    row.expires = server.now + row.retention
                return Verdict.GONE, None
            led_for = row.lease - server.now if row.leader and not leads else 0
            if led_for > 0 and (asked_ago is None or led_for > _ms(LEASE) - asked_ago):
                row.present.pop(self.process, None)
                return Verdict.GONE, None
            reports = leads and row.stage is Stage.ENDING
            is_patient = asked_ago is not None and asked_ago < _ms(LEASE)
            others = server.count(row, without=self.process)[1]
            if led_for > 0 or (is_patient and others and not reports):
                row.present.pop(self.process, None)
                if leads:
                    row.leader, row.lease = "", 0
                    server.publish(name, row)
                return Verdict.WAIT, row
            row.present[self.process] = Presence(0, server.now + _ms(PRESENCE))
            row.epoch += not leads
            row.leader, row.lease = self.process, server.now + _ms(LEASE)
            row.left = row.left or server.now
            if ending and row.stage is Stage.RUNNING:
                row.stage, row.ending = Stage.ENDING, ending
            row.expires = server.now + _ms(LIVE)
            server.publish(name, row)
            return Verdict.OK, row

        return await self._respond(take)

    async def restart(self, name: str, session: str) -> Response:
        """See `Store`."""

        def take() -> Result:
            server, row = self._server, self._server.row(name)
            if row is None:
                return Verdict.MISSING, None
            if row.session != int(session) or row.stage is not Stage.OVER:
                return Verdict.RUNNING, None
            if not server.count(row, without="")[0]:
                del server.rows[name]
                return Verdict.GONE, None
            row = server.begin(name)
            row.expires = server.now + _ms(LIVE)
            server.publish(name, row)
            return Verdict.OK, row

        return await self._respond(take)

    async def sync(self, name: str, copy: Record) -> Response:
        """See `Store`."""
        left_ago, asked_ago = _ago(copy.left_at), _ago(copy.asked_at)

        def take() -> Result:
            server, row = self._server, self._server.row(name)
            session = int(copy.session)
            if row is None:
                row = server.rows[name] = Row(session, leader=copy.leader, epoch=copy.epoch)
                row.lease = server.now + _ms(LEASE) if copy.leader else 0
            elif row.session > session:
                return Verdict.BEHIND, None
            elif row.session == session:
                another_round = copy.spent == row.spent and copy.nonce != row.nonce
                is_older = copy.version <= row.version or copy.spent < row.spent
                if row.stage is Stage.OVER or is_older or another_round:
                    return Verdict.BEHIND, None
            row.session, row.version = session, copy.version
            row.spent, row.nonce, row.stage = copy.spent, copy.nonce, copy.stage
            row.left = 0 if left_ago is None else server.now - left_ago
            row.asked = 0 if asked_ago is None else server.now - asked_ago
            row.retention = _ms(copy.retention)
            row.state, row.ending = copy.state, copy.ending
            row.expires = server.now + _ms(LIVE)
            if row.stage is Stage.OVER:
                row.leader, row.lease = "", 0
                row.expires = server.now + row.retention + _ms(PRESENCE)
            server.publish(name, row)
            return Verdict.OK, row

        return await self._respond(take)

    async def peek(self, name: str) -> Response:
        """See `Store`."""

        def take() -> Result:
            row = self._server.row(name)
            return (Verdict.MISSING, None) if row is None else (Verdict.OK, row)

        return await self._respond(take)

    async def _respond(self, step: Callable[[], Result]) -> Response:
        def take() -> tuple[Verdict, str | None]:
            verdict, row = step()
            return verdict, row.pack() if row else None

        verdict, packed = await self._take(take)
        return Response(verdict, Record.unpack(packed, self.clock) if packed else None)

    async def _take(self, step: Callable[[], T]) -> T:
        """Take a step; the response of one that was taken may be lost."""
        self.steps += 1
        sent_at = anyio.current_time()
        try:
            with anyio.fail_after(COMMAND_TIMEOUT):
                await self._server.pause()
                self._check_connection()
                result, now = step(), self._server.now
                await self._server.pause()
                self._check_connection()
        except TimeoutError:
            raise StoreDown("TimeoutError") from None
        self.clock.hear(now / 1000, sent_at=sent_at, received_at=anyio.current_time())
        return result

    def _check_connection(self) -> None:
        if not (self.is_connected and self._server.is_up):
            raise StoreDown("ConnectionError")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _ago(moment: float | None) -> int | None:
    return None if moment is None else max(0, _ms(anyio.current_time() - moment))

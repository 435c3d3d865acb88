"""The scripts on a real server against their twin in Python: the same steps, the same responses."""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import anyio
import pytest

from plugchat_async.redis import _store
from plugchat_async.redis._record import Record, Stage
from plugchat_async.redis._steps import Response, Store, Verdict
from plugchat_async.redis._store import RedisStore
from tests.eventually import eventually

from .memory_store import MemoryServer, MemoryStore, Row
from .redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Step: TypeAlias = Callable[[Store], Coroutine[None, None, Response]]

pytestmark = pytest.mark.anyio

PROCESSES = ("P0", "P1", "P2")
NAMES = ("a" * 32, "b" * 32)
# Each of these happens in a thousand steps, or the test would be about less than it says.
COMMON = {
    ("beat", Verdict.OK),
    ("beat", Verdict.MISSING),
    ("beat", Verdict.FULL),
    ("reserve", Verdict.OK),
    ("reserve", Verdict.FENCED),
    ("reserve", Verdict.BEHIND),
    ("write", Verdict.OK),
    ("write", Verdict.FENCED),
    ("leave", Verdict.OK),
    ("leave", Verdict.GONE),
    ("leave", Verdict.MISSING),
    ("leave", Verdict.WAIT),
    ("restart", Verdict.OK),
    ("restart", Verdict.RUNNING),
    ("sync", Verdict.OK),
    ("sync", Verdict.BEHIND),
    ("peek", Verdict.OK),
}


class Player:
    """Draws steps that are often possible, and sometimes are not."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.records: dict[str, Record] = {}

    def draw(self) -> tuple[str, str, str, Step]:
        """Return a step's kind, the process that takes it, an instance's name, and the step."""
        rng = self.rng
        name, process = rng.choice(NAMES), rng.choice(PROCESSES)
        copy = self.records.get(name, Record(session="1"))
        if rng.random() < 0.8 and copy.leader:
            process = copy.leader
        if rng.random() < 0.4:
            copy = self._disturb(copy)
        steps = [self.beat, self.reserve, self.write, self.leave, self.restart, self.sync]
        step = rng.choices([*steps, self.peek], [9, 5, 4, 4, 2, 1, 1])[0]
        return step.__name__, process, name, step(name, copy)

    def _disturb(self, copy: Record) -> Record:
        nearby = self.rng.choice([-1, 1])
        return self.rng.choice(
            [
                replace(copy, session=str(max(1, int(copy.session) + nearby))),
                replace(copy, version=max(0, copy.version + nearby)),
                replace(copy, spent=max(0, copy.spent + nearby)),
                replace(copy, epoch=max(0, copy.epoch + nearby)),
                replace(copy, nonce=self.rng.choice("xyz")),
                replace(copy, stage=self.rng.choice(list(Stage))),
            ]
        )

    def beat(self, name: str, copy: Record) -> Step:
        """Draw a beat."""
        watchers, limit = self.rng.randrange(3), self.rng.choice([None, 2])
        known = self.rng.choice([("", 0), copy.known])
        return lambda store: store.beat(name, watchers=watchers, limit=limit, known=known)

    def reserve(self, name: str, copy: Record) -> Step:
        """Draw a reservation."""
        nonce = self.rng.choice("xyz")
        return lambda store: store.reserve(name, copy, nonce=nonce)

    def write(self, name: str, copy: Record) -> Step:
        """Draw a state."""
        rng = self.rng
        wanted = replace(
            copy,
            stage=rng.choice([copy.stage, *Stage]),
            state=rng.choice(["S1", "S2"]),
            ending=rng.choice(["", "E1", "E2"]),
            retention=rng.choice([0.0, 30.0]),
        )
        return self._dated("write", name, wanted)

    def leave(self, name: str, _copy: Record) -> Step:
        """Draw a departure."""
        ending, ago = self.rng.choice(["", "E1", "E2"]), self.rng.choice([None, 0, 3600])

        async def step(store: Store) -> Response:
            asked_at = None if ago is None else anyio.current_time() - ago
            return await store.leave(name, ending=ending, asked_at=asked_at)

        return step

    def restart(self, name: str, copy: Record) -> Step:
        """Draw a restart."""
        return lambda store: store.restart(name, copy.session)

    def sync(self, name: str, copy: Record) -> Step:
        """Draw a copy that may be ahead."""
        ahead = replace(copy, version=copy.version + self.rng.choice([0, 2]))
        return self._dated("sync", name, ahead)

    def peek(self, name: str, _copy: Record) -> Step:
        """Draw a look."""
        return lambda store: store.peek(name)

    def _dated(self, method: str, name: str, record: Record) -> Step:
        """Date a record in the future, which counts as now, whenever a store asks its loop."""
        has_code, is_left = self.rng.random() < 0.5, self.rng.random() < 0.5

        def step(store: Store) -> Coroutine[None, None, Response]:
            soon = anyio.current_time() + 60
            dated = replace(
                record, asked_at=soon if has_code else None, left_at=soon if is_left else None
            )
            response: Coroutine[None, None, Response] = getattr(store, method)(name, dated)
            return response

        return step


@dataclass
class Servers:
    """A real server and its twin, on a clock that the test sets."""

    real: RedisServer
    twin: MemoryServer
    prefix: str

    def set_time(self, now: int) -> None:
        """Set the clock of the scripts, and let both forget what expired."""
        seconds, microseconds = divmod(now, 1_000_000)
        self.real.ask("DEL", "clock")
        self.real.ask("RPUSH", "clock", str(seconds), str(microseconds))
        for name in NAMES:
            if self.twin.row(name) is None:
                self.real.ask("DEL", self._key(name))

    def real_row(self, name: str) -> dict[str, str]:
        """Return the fields of a record."""
        fields = self.real.ask("HGETALL", self._key(name))
        assert isinstance(fields, list)
        return dict(zip(fields[::2], fields[1::2], strict=True))

    def real_expiry(self, name: str) -> int:
        """Return for how many seconds the key stays, rounded as the server does."""
        seconds = self.real.ask("TTL", self._key(name))
        assert isinstance(seconds, int)
        return seconds

    def _key(self, name: str) -> str:
        return f"{self.prefix}:{{{name}}}"


def fields_of(row: Row | None) -> dict[str, str]:
    """Write a twin's record as the fields of a real one."""
    if row is None:
        return {}
    plain = {
        name: f"{value:d}" if isinstance(value, int) else value
        for name, value in vars(row).items()
        if name not in {"present", "expires"}
    }
    present = {f"at:{each}": f"{at.watchers} {at.deadline}" for each, at in row.present.items()}
    return {**plain, **present}


@pytest.fixture
def _time_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scripts read their time from a key."""
    by_itself, by_hand = "redis.call('TIME')", "redis.call('LRANGE', 'clock', 0, -1)"
    scripts = {name: text.replace(by_itself, by_hand) for name, text in _store.SCRIPTS.items()}
    assert sum(by_hand in text for text in scripts.values()) == 7
    monkeypatch.setattr(_store, "SCRIPTS", scripts)


@pytest.mark.usefixtures("_time_by_hand")
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.journey)])
async def test_the_scripts_and_their_twin_agree(shared_redis: RedisServer, seed: int) -> None:
    """After each of a thousand random steps of three processes, about all that there is."""
    player, now = Player(seed), 1_790_000_000_000_000
    servers = Servers(shared_redis, MemoryServer(microseconds=lambda: now), secrets.token_hex(4))
    real = {
        each: RedisStore(shared_redis.unix_url, prefix=servers.prefix, timeout=60.0)
        for each in PROCESSES
    }
    twin = {each: MemoryStore(servers.twin, each) for each in PROCESSES}
    heard: list[list[tuple[str, Record]]] = [[], []]
    kinds: set[tuple[str, Verdict]] = set()
    servers.set_time(now)
    async with anyio.create_task_group() as running:
        for process in PROCESSES:
            both: tuple[Store, Store] = (real[process], twin[process])
            for store, records in zip(both, heard, strict=True):
                hear = partial(note, records if process == "P0" else [])
                subscribed = anyio.Event()
                await running.start(store.run, hear, subscribed.set)
                await subscribed.wait()
                await store.peek(NAMES[0])  # which sets its clock
            real[process].process = process
        for _ in range(1000):
            now += player.rng.choice([0, 1, 1_000, 1_000, 400_000, 400_000, 2_000_000, 13_000_000])
            servers.set_time(now)
            kind, process, name, step = player.draw()
            ours, theirs = await step(real[process]), await step(twin[process])
            assert without_moments(ours) == without_moments(theirs)
            assert servers.real_row(name) == fields_of(servers.twin.row(name))
            assert servers.real_expiry(name) != -1
            kinds.add((kind, ours.verdict))
            player.records[name] = ours.record or player.records.get(name, Record(session="1"))
        published = len(servers.twin.history)
        await eventually(lambda: all(len(records) == published for records in heard))
        running.cancel_scope.cancel()
    assert heard[0] == heard[1]
    assert kinds >= COMMON


def note(records: list[tuple[str, Record]], name: str, record: Record) -> None:
    """Note what was published."""
    records.append((name, undated(record)))


def without_moments(response: Response) -> object:
    """Leave moments to the comparison of the rows: two stores know their clocks differently."""
    record = response.record
    return response if record is None else replace(response, record=undated(record))


def undated(record: Record) -> Record:
    """Keep of a moment whether there is one."""
    return replace(
        record,
        left_at=None if record.left_at is None else 0.0,
        asked_at=None if record.asked_at is None else 0.0,
    )

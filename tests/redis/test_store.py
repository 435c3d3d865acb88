"""Records in a real Redis, and what a process is told when that is not well."""

from __future__ import annotations

import secrets
import traceback
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import coredis
import pytest

from plugchat_async.redis import RedisPairingHub, _store, _subscription
from plugchat_async.redis._record import Record, Stage
from plugchat_async.redis._steps import StoreDown, Verdict
from plugchat_async.redis._store import RedisStore
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from anyio.abc import TaskStatus

    from .redis_server import RedisServer

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("_streams_of_coredis"),
    # Those of coredis, when it can't connect.
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),
]

NAME = "a" * 32
# All that a user of the server needs, as the documentation says.
LEAST_RIGHTS = (
    "-@all +hello +auth +ping +client|setname +subscribe +unsubscribe +eval +evalsha"
    " +time +hgetall +hset +hdel +del +pexpire +publish +get +set"
)


# However slow the machine is: only a server that is frozen takes so long.
patient_store = partial(RedisStore, timeout=60.0)


@pytest.fixture(autouse=True)
def _long_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no lease run out because the machine is slow."""
    usual, long = "= 5000, 12000, 120000", "= 3600000, 3600000, 3600000"
    scripts = {name: text.replace(usual, long) for name, text in _store.SCRIPTS.items()}
    assert sum(long in text for text in scripts.values()) == 7
    monkeypatch.setattr(_store, "SCRIPTS", scripts)


@dataclass
class Running:
    """A store that runs, and what it has told."""

    store: RedisStore
    heard: list[tuple[str, Record]] = field(default_factory=list)
    subscriptions: int = 0

    def hear(self, name: str, record: Record) -> None:
        """Note a record."""
        self.heard.append((name, record))

    def subscribe(self) -> None:
        """Note that changes are heard from now on."""
        self.subscriptions += 1

    def has_subscribed(self, times: int) -> bool:
        """Return whether it has subscribed so many times."""
        return self.subscriptions >= times


@asynccontextmanager
async def run_store(store: RedisStore) -> AsyncGenerator[Running]:
    """Run a store, which has subscribed, and hear it."""
    running = Running(store)
    async with anyio.create_task_group() as tasks:
        await tasks.start(store.run, running.hear, running.subscribe)
        yield running
        # From a timer, since anyio sets the result of a future that was cancelled in the same turn
        # of asyncio's loop in which a Unix socket has data, akin to
        # https://github.com/agronholm/anyio/issues/1267.
        tasks.cancel_scope.deadline = anyio.current_time() + 0.001


@pytest.fixture
def prefix() -> str:
    """Return what a test's keys begin with."""
    return secrets.token_hex(4)


async def lead(store: RedisStore) -> Record:
    """Begin a session, and return its record."""
    beat = await store.beat(NAME, watchers=1)
    assert beat.leads
    assert beat.record is not None
    return beat.record


async def test_a_change_reaches_each_process(shared_redis: RedisServer, prefix: str) -> None:
    """Also that which made it."""
    stores = [patient_store(shared_redis.url, prefix=prefix) for _ in range(2)]
    async with run_store(stores[0]) as one, run_store(stores[1]) as other:
        await eventually(lambda: one.subscriptions and other.subscriptions)
        await other.store.peek(NAME)
        record = await lead(one.store)
        response = await one.store.reserve(NAME, record, nonce="n")
        assert response.verdict is Verdict.OK
        assert response.record is not None
        reserved = response.record.known
        await eventually(lambda: one.heard and one.heard[-1][1].known == reserved)
        await eventually(lambda: other.heard and other.heard[-1][1].known == reserved)
        assert {name for name, _ in one.heard + other.heard} == {NAME}


async def test_a_unix_socket_leads_to_the_same_server(
    shared_redis: RedisServer, prefix: str
) -> None:
    """For processes on one machine."""
    urls = (shared_redis.url, shared_redis.unix_url)
    stores = [patient_store(url, prefix=prefix) for url in urls]
    async with run_store(stores[0]) as one:
        await lead(one.store)
        async with run_store(stores[1]) as other:
            assert (await other.store.peek(NAME)).verdict is Verdict.OK


async def test_a_mistake_of_the_listener_is_not_taken_for_an_outage(
    shared_redis: RedisServer, prefix: str
) -> None:
    """It ends the store, as nothing would ever be heard."""

    def fail() -> None:
        raise LookupError

    with pytest.RaisesGroup(LookupError, flatten_subgroups=True):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(patient_store(shared_redis.url, prefix=prefix).run, print, fail)


async def test_a_record_before_the_clock_is_set_is_dropped(
    shared_redis: RedisServer, prefix: str
) -> None:
    """Its moments could not be told; the first response brings the record anyway."""
    stores = [patient_store(shared_redis.url, prefix=prefix) for _ in range(2)]
    async with run_store(stores[0]) as one, run_store(stores[1]) as other:
        await eventually(lambda: other.subscriptions)
        await lead(one.store)
        await other.store.peek(NAME)
        await one.store.leave(NAME)
        await eventually(lambda: other.heard)
        assert [record.version for _, record in other.heard] == [2]


async def test_a_user_supplied_client_that_is_closed_is_down(
    shared_redis: RedisServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The app goes on, and reads in its log what is wrong."""
    client, closing = coredis.Redis.from_url(shared_redis.url), anyio.Event()

    async def serve(*, task_status: TaskStatus[None]) -> None:
        async with client:
            task_status.started()
            await closing.wait()

    async with anyio.create_task_group() as tasks:
        await tasks.start(serve)
        async with run_store(patient_store(client, prefix=prefix)) as running:
            await eventually(lambda: running.subscriptions)
            closing.set()
            await eventually(lambda: "can't be reached" in caplog.text)
            with pytest.raises(StoreDown, match="RuntimeError"):
                await running.store.peek(NAME)
    assert "Connection pool is not initialized" in caplog.text


@pytest.mark.parametrize("message", [b"hello", b"name 1 2 3", b"name x 0 0  0 0  0 0 0  ", b"\xff"])
async def test_a_malformed_message_is_dropped(
    shared_redis: RedisServer, prefix: str, message: bytes
) -> None:
    """And the next one is heard."""
    async with run_store(patient_store(shared_redis.url, prefix=prefix)) as running:
        await eventually(lambda: running.subscriptions)
        await running.store.peek(NAME)
        async with coredis.Redis.from_url(shared_redis.url) as somebody:
            assert await somebody.publish(f"{prefix}:changes", message) == 1
        await lead(running.store)
        await eventually(lambda: running.heard)
        assert [record.version for _, record in running.heard] == [1]
        assert running.subscriptions == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("stage", "7"), ("nonce", "two words"), ("state", b"\xff"), ("spent", "9" * 400)],
)
async def test_a_record_that_can_not_be_read_is_down_and_logged_once(
    shared_redis: RedisServer,
    prefix: str,
    field: str,
    value: str | bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Until it can be read again, whatever other instances' commands do meanwhile."""
    key = f"{prefix}:{{{NAME}}}"
    async with run_store(patient_store(shared_redis.url, prefix=prefix)) as running:
        good = await lead(running.store)
        async with coredis.Redis.from_url(shared_redis.url) as somebody:
            for times in (1, 2):
                await somebody.hset(key, {field: value})
                for _ in range(2):
                    with pytest.raises(StoreDown, match="can't be read"):
                        await running.store.peek(NAME)
                    assert (await running.store.peek("another")).verdict is Verdict.MISSING
                assert caplog.text.count(f"the record {key} in Redis can't be read") == times
                await somebody.hset(key, {field: getattr(good, field)})
                assert (await running.store.peek(NAME)).record == good


async def test_the_moments_of_a_session_are_those_of_every_process(
    shared_redis: RedisServer, prefix: str
) -> None:
    """On the clock of its event loop, whatever the server's clock shows."""
    stores = [patient_store(shared_redis.url, prefix=prefix) for _ in range(2)]
    async with run_store(stores[0]) as one, run_store(stores[1]) as other:
        reserved = (await one.store.reserve(NAME, await lead(one.store), nonce="n")).record
        assert reserved is not None
        asked_at = anyio.current_time() - 700
        written = await one.store.write(NAME, replace(reserved, state="s", asked_at=asked_at))
        seen = (await other.store.peek(NAME)).record
        assert written.record is not None
        assert seen is not None
        for record in (written.record, seen):
            assert record.asked_at == pytest.approx(asked_at, abs=60)


async def test_a_lost_session_and_one_that_was_taken_over_are_told_apart(
    shared_redis: RedisServer, prefix: str
) -> None:
    """MISSING, FENCED and StoreDown need different things to be done."""
    stores = [patient_store(shared_redis.url, prefix=prefix) for _ in range(2)]
    async with run_store(stores[0]) as one, run_store(stores[1]) as other:
        record = await lead(one.store)
        await other.store.beat(NAME, watchers=1)
        await one.store.leave(NAME)
        await other.store.beat(NAME, watchers=1)
        assert (await one.store.reserve(NAME, record, nonce="n")).verdict is Verdict.FENCED
        shared_redis.ask("DEL", f"{prefix}:{{{NAME}}}")
        assert (await one.store.reserve(NAME, record, nonce="n")).verdict is Verdict.MISSING
        assert (await one.store.sync(NAME, record)).verdict is Verdict.OK
        assert (await other.store.peek(NAME)).record == replace(record, version=2)
    with pytest.raises(StoreDown):
        await stores[0].peek(NAME)


async def test_the_last_process_of_a_session_keeps_it(
    shared_redis: RedisServer, prefix: str
) -> None:
    """It leads on without watchers, until a process with some comes, and hears of that."""
    stores = [patient_store(shared_redis.url, prefix=prefix) for _ in range(2)]
    async with run_store(stores[0]) as one, run_store(stores[1]) as other:
        await lead(one.store)
        kept = await one.store.leave(NAME)
        assert kept.verdict is Verdict.OK
        assert kept.record is not None
        assert kept.record.left_at is not None
        assert (await one.store.beat(NAME, watchers=0)).leads
        back = await other.store.beat(NAME, watchers=1)
        assert back.leads
        assert back.left_for is not None
        assert back.record is not None
        assert back.record.left_at is None
        await eventually(lambda: one.heard and one.heard[-1][1].leader == other.store.process)
        assert (await one.store.leave(NAME)).verdict is Verdict.GONE


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_process_that_reports_an_ending_stays(
    shared_redis: RedisServer, prefix: str, processes: int
) -> None:
    """Until it has written what watchers see; the ending is the one that was written first."""
    stores = [patient_store(shared_redis.url, prefix=prefix) for _ in range(2)]
    async with run_store(stores[0]), run_store(stores[1]):
        record = await lead(stores[0])
        if processes > 1:
            await stores[1].beat(NAME, watchers=1)
        ending = replace(record, stage=Stage.ENDING, ending="first")
        assert (await stores[0].write(NAME, ending)).verdict is Verdict.OK
        for last in ("", "second"):
            stays = await stores[0].leave(NAME, ending=last)
            assert stays.verdict is Verdict.OK
            assert stays.record is not None
            assert (stays.record.stage, stays.record.ending) == (Stage.ENDING, "first")
            assert stays.record.leader == stores[0].process


async def test_scripts_that_the_server_forgot_are_sent_again(
    shared_redis: RedisServer, prefix: str
) -> None:
    """A server that was restarted, or flushed, knows none."""
    async with run_store(patient_store(shared_redis.url, prefix=prefix)) as running:
        await running.store.peek(NAME)
        shared_redis.ask("SCRIPT", "FLUSH")
        assert (await running.store.peek(NAME)).verdict is Verdict.MISSING


async def test_a_server_that_stops_is_down_and_one_that_is_back_is_not(
    redis_server: RedisServer, prefix: str
) -> None:
    """Without a restart of the process; what was missed is worth a look, so that is told."""
    async with run_store(patient_store(redis_server.url, prefix=prefix)) as running:
        record = await lead(running.store)
        await eventually(lambda: running.subscriptions == 1)
        redis_server.stop()
        with pytest.raises(StoreDown):
            await running.store.beat(NAME, watchers=1, known=record.known)
        redis_server.start()
        await eventually(lambda: running.subscriptions == 2)
        missing = await running.store.beat(NAME, watchers=1, known=record.known)
        assert missing.verdict is Verdict.MISSING
        running.heard.clear()
        assert (await running.store.sync(NAME, record)).verdict is Verdict.OK
        await eventually(lambda: running.heard)


async def test_a_server_that_comes_later_is_found(
    redis_server: RedisServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Starting does not wait for it, and the log says what is missing, before any step is taken."""
    redis_server.stop()
    async with run_store(patient_store(redis_server.url, prefix=prefix)) as running:
        await eventually(lambda: "can't be reached" in caplog.text)
        with pytest.raises(StoreDown):
            await running.store.peek(NAME)
        redis_server.start()
        assert (await running.store.peek(NAME)).verdict is Verdict.MISSING
        await eventually(lambda: running.subscriptions)


async def test_a_frozen_server_is_down(redis_server: RedisServer, prefix: str) -> None:
    """Each command has a time limit, after which the same connection serves no other."""
    async with run_store(RedisStore(redis_server.url, prefix=prefix, timeout=1.0)) as running:
        await eventually_up(lambda: running.store.beat(NAME, watchers=1))
        with redis_server.frozen(), pytest.raises(StoreDown):
            await running.store.peek(NAME)
        await eventually_up(lambda: running.store.peek(NAME))


async def test_a_command_may_be_cancelled(redis_server: RedisServer, prefix: str) -> None:
    """Its late response is not taken for another command's."""
    async with run_store(patient_store(redis_server.url, prefix=prefix)) as running:
        record = await lead(running.store)
        with redis_server.frozen(), anyio.move_on_after(0.05) as scope:
            await running.store.reserve(NAME, record, nonce="n")
        assert scope.cancelled_caught
        await eventually_up(lambda: running.store.peek(NAME))
        seen = (await running.store.peek(NAME)).record
        assert seen is not None
        assert seen.session == record.session


async def eventually_up(step: Callable[[], Awaitable[object]]) -> None:
    """Repeat a step until the server takes it."""
    with anyio.fail_after(60):
        while True:
            try:
                await step()
            except StoreDown:
                await anyio.sleep(0.01)
            else:
                return


async def test_a_server_that_became_a_replica_is_left(
    redis_server: RedisServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It keeps its connections, but its name may be that of another server by now.

    The subscription goes with them, each time; each cause is logged once.
    """
    async with run_store(patient_store(redis_server.url, prefix=prefix)) as running:
        record = await lead(running.store)
        before = redis_server.ask("CLIENT", "LIST")
        redis_server.ask("REPLICAOF", "127.0.0.1", "1")
        for times in range(1, 4):
            await eventually(partial(running.has_subscribed, times))
            with pytest.raises(StoreDown):
                await running.store.beat(NAME, watchers=1, known=record.known)
        await eventually(partial(running.has_subscribed, 4))
        logged = [each.message for each in caplog.records if each.name == "plugchat_async"]
        redis_server.ask("REPLICAOF", "NO", "ONE")
        await eventually_up(lambda: running.store.beat(NAME, watchers=1, known=record.known))
        assert connections(redis_server.ask("CLIENT", "LIST")).isdisjoint(connections(before))
    assert len(logged) == len(set(logged))
    assert "subscribe" not in caplog.text


def connections(client_list: object) -> set[str]:
    """Return the identifiers of the hub's connections."""
    lines = str(client_list).splitlines()
    return {line.split()[0] for line in lines if "name=plugchat-hub" in line}


async def test_a_full_server_is_down_and_its_reason_is_logged_once(
    redis_server: RedisServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And again when it was well in between."""
    async with run_store(patient_store(redis_server.url, prefix=prefix)) as running:
        for _ in range(2):
            await eventually_up(lambda: running.store.beat(NAME, watchers=1))
            redis_server.ask("CONFIG", "SET", "maxmemory", "1")
            for _ in range(3):
                with pytest.raises(StoreDown):
                    await running.store.beat(NAME, watchers=1)
            redis_server.ask("CONFIG", "SET", "maxmemory", "0")
    reasons = [each.message for each in caplog.records if each.name == "plugchat_async"]
    assert len(reasons) == 2
    assert all("OOM" in reason for reason in reasons)


@pytest.fixture
def restricted_url(redis_server: RedisServer, prefix: str) -> Callable[[str], str]:
    """Return a function that makes a user with some rights, and gives the URL for it."""

    def make(rights: str) -> str:
        redis_server.ask("ACL", "SETUSER", "hub", "on", ">p@ss", *rights.split())
        return redis_server.url.replace("redis://", "redis://hub:p%40ss@")

    return make


@pytest.mark.parametrize(("database", "right"), [("", ""), ("/5", "+select")])
async def test_the_documented_rights_are_enough(
    restricted_url: Callable[[str], str],
    prefix: str,
    caplog: pytest.LogCaptureFixture,
    database: str,
    right: str,
) -> None:
    """For each step, and to hear changes; a password may be percent-encoded."""
    url = restricted_url(f"~{prefix}:* &{prefix}:changes {LEAST_RIGHTS} {right}") + database
    async with run_store(patient_store(url, prefix=prefix)) as running:
        store = running.store
        await eventually(lambda: running.subscriptions)
        assert await store.claim(["fingerprint"])
        record = (await store.reserve(NAME, await lead(store), nonce="n")).record
        assert record is not None
        over = (await store.write(NAME, replace(record, stage=Stage.OVER, state="s"))).record
        assert over is not None
        assert (await store.restart(NAME, over.session)).verdict is Verdict.OK
        assert (await store.sync(NAME, over)).verdict is Verdict.BEHIND
        assert (await store.peek(NAME)).verdict is Verdict.OK
        assert (await store.leave(NAME)).verdict is Verdict.OK
        await eventually(lambda: running.heard)
    assert not [each for each in caplog.records if each.name == "plugchat_async"]


async def test_missing_rights_are_down_and_logged(
    restricted_url: Callable[[str], str], prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator reads what the server refused; no password is shown."""
    url = restricted_url(f"~{prefix}:* &{prefix}:changes {LEAST_RIGHTS} -eval -evalsha")
    async with run_store(patient_store(url, prefix=prefix)) as running:
        for _ in range(2):
            with pytest.raises(StoreDown):
                await running.store.peek(NAME)
    (logged,) = [each.message for each in caplog.records if each.name == "plugchat_async"]
    assert "evalsha" in logged
    assert "p@ss" not in caplog.text


async def test_without_the_channel_steps_are_taken_all_the_same(
    restricted_url: Callable[[str], str], prefix: str
) -> None:
    """Changes are then seen with the next beat."""
    url = restricted_url(f"~{prefix}:* &other {LEAST_RIGHTS}")
    async with run_store(patient_store(url, prefix=prefix)) as running:
        with pytest.raises(StoreDown):  # a script may not publish either
            await running.store.beat(NAME, watchers=1)


async def test_without_the_right_to_subscribe_changes_are_late(
    restricted_url: Callable[[str], str], prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator reads that; every step is taken."""
    url = restricted_url(f"~{prefix}:* &{prefix}:changes {LEAST_RIGHTS} -subscribe")
    async with run_store(patient_store(url, prefix=prefix)) as running:
        await eventually(lambda: "late, within 4 s: " in caplog.text)
        await lead(running.store)
    (logged,) = [each.message for each in caplog.records if each.name == "plugchat_async"]
    assert f"subscribe to {prefix}:changes" in logged


async def test_a_subscription_that_fails_is_logged_once(
    shared_redis: RedisServer,
    prefix: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However often it is tried, and whatever steps are taken meanwhile."""
    attempts: list[object] = []

    def fail(**options: object) -> None:
        attempts.append(options)
        raise coredis.exceptions.ConnectionError("no")

    monkeypatch.setattr(_subscription, "_RESUBSCRIBE_AFTER", 0.01)
    async with coredis.Redis.from_url(shared_redis.url) as client:
        monkeypatch.setattr(client, "pubsub", fail)
        async with run_store(patient_store(client, prefix=prefix)) as running:
            await lead(running.store)
            await eventually(lambda: len(attempts) > 2)
    (logged,) = [each.message for each in caplog.records if each.name == "plugchat_async"]
    assert logged.endswith("(ConnectionError: no)")


async def test_a_server_without_tls_does_not_respond(
    shared_redis: RedisServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log tells what to check."""
    url = shared_redis.url.replace("redis://", "rediss://")
    async with run_store(RedisStore(url, prefix=prefix, timeout=0.1)) as running:
        with pytest.raises(StoreDown):
            await running.store.peek(NAME)
    assert "no response within 0.1 s: check that the server speaks TLS" in caplog.text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimeoutError(), "TimeoutError: no response within 60 s"),
        (anyio.EndOfStream(), "EndOfStream: the connection was closed"),
    ],
)
async def test_an_error_without_a_text_is_explained(
    shared_redis: RedisServer,
    prefix: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    text: str,
) -> None:
    """The name of its class alone would tell an operator nothing."""

    async def fail(*_: object) -> None:
        raise error

    async with (
        coredis.Redis.from_url(shared_redis.url) as client,
        run_store(patient_store(client, prefix=prefix)) as running,
    ):
        monkeypatch.setattr(client, "evalsha", fail)
        with pytest.raises(StoreDown):
            await running.store.peek(NAME)
    (logged,) = [each.message for each in caplog.records if each.name == "plugchat_async"]
    assert logged.endswith(text)


@pytest.mark.parametrize(
    "make",
    [
        coredis.Redis.from_url,
        lambda url: coredis.Redis.from_url(url, decode_responses=True),
    ],
    ids=["bytes", "str"],
)
async def test_a_user_supplied_client_is_shared_and_stays_open(
    shared_redis: RedisServer, prefix: str, make: Callable[[str], coredis.Redis[bytes]]
) -> None:
    """Whether it decodes responses or not."""
    async with make(shared_redis.url) as client:
        async with run_store(patient_store(client, prefix=prefix)) as running:
            await eventually(lambda: running.subscriptions)
            await running.store.peek(NAME)
            await lead(running.store)
            await eventually(lambda: running.heard)
        assert await client.ping()


async def test_two_connections_are_enough(
    shared_redis: RedisServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One hears of changes, and the other one takes commands."""
    url = f"{shared_redis.url}?max_connections=2"
    async with run_store(patient_store(url, prefix=prefix)) as running:
        await eventually(lambda: running.subscriptions)
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(running.store.peek, NAME)
        await lead(running.store)
        await eventually(lambda: running.heard)
    assert not [each for each in caplog.records if each.name == "plugchat_async"]


async def test_the_connections_of_a_user_supplied_client_stay(
    redis_server: RedisServer, prefix: str
) -> None:
    """Also if the server became a replica: others use them."""
    async with coredis.Redis.from_url(redis_server.url, client_name="plugchat-hub") as client:
        async with run_store(patient_store(client, prefix=prefix)) as running:
            await lead(running.store)
            before = redis_server.ask("CLIENT", "LIST")
            redis_server.ask("REPLICAOF", "127.0.0.1", "1")
            with pytest.raises(StoreDown):
                await running.store.beat(NAME, watchers=1)
            assert connections(redis_server.ask("CLIENT", "LIST")) >= connections(before)


def test_a_store_runs_in_one_event_loop_after_another(
    shared_redis: RedisServer, prefix: str, anyio_backend_name: str
) -> None:
    """As another process each time."""
    store, processes = patient_store(shared_redis.url, prefix=prefix), set()

    async def once() -> None:
        async with run_store(store):
            await lead(store)
            await store.leave(NAME, ending="e")
            shared_redis.ask("DEL", f"{prefix}:{{{NAME}}}")
            processes.add(store.process)

    anyio.run(once, backend=anyio_backend_name)
    anyio.run(once, backend=anyio_backend_name)
    assert len(processes) == 2


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (coredis.Redis, RuntimeError, "enter it with `async with` before the hub"),
        (lambda: coredis.RedisCluster("h", 1), RuntimeError, "enter it with `async with`"),
        (lambda: "rediss://:password@h?ssl_certfile=/no&ssl_keyfile=/no", OSError, "No such file"),
    ],
    ids=["client", "cluster", "certificate"],
)
async def test_a_way_to_redis_that_can_not_be_opened_is_refused(
    make: Callable[[], Any], kind: type[Exception], message: str
) -> None:
    """On entering, so that no hub is open that can never show a code."""
    hub = RedisPairingHub(make(), secret="s" * 32)
    with pytest.raises(kind, match=message) as refused:
        await hub.__aenter__()
    shown = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    assert "password" not in "".join(shown.format())
    with pytest.raises(RuntimeError, match="closed"):
        await hub.__aexit__(None, None, None)


async def test_processes_agree_on_a_secret(shared_redis: RedisServer, prefix: str) -> None:
    """The first one chooses; who has that among others may replace it by the first of these."""
    async with run_store(patient_store(shared_redis.url, prefix=prefix)) as running:
        store = running.store
        assert await store.claim(["old"])
        assert await store.claim(["old", "new"])
        assert not await store.claim(["new"])
        assert await store.claim(["new", "old"])
        assert await store.claim(["new"])
        assert not await store.claim(["old"])
        left = shared_redis.ask("PTTL", f"{prefix}:secret")
        assert isinstance(left, int)
        assert 0 < left <= 120_000


async def test_a_store_that_does_not_run_is_down(shared_redis: RedisServer) -> None:
    """There is nothing to wait for."""
    with pytest.raises(StoreDown, match="does not run"):
        await RedisStore(shared_redis.url, prefix="p").peek(NAME)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            {"redis": coredis.Redis(max_connections=1)},
            ValueError,
            "max_connections must be at least 2, not 1: one connection hears of changes",
        ),
        (
            {"redis": coredis.RedisCluster("h", 1, max_connections=1)},
            ValueError,
            "max_connections must be at least 2, not 1",
        ),
        ({"redis": None}, TypeError, "redis must be a URL as a str, .* not NoneType"),
        ({"redis": 5}, TypeError, "redis must be a URL as a str, .* not int"),
        ({"redis": b"redis://h"}, TypeError, "redis must be a URL as a str, .* not bytes"),
        ({"prefix": None}, TypeError, "prefix must be a str, not NoneType"),
        ({"prefix": 5}, TypeError, "prefix must be a str, not int"),
        ({"prefix": ""}, ValueError, "prefix must have printable characters"),
        ({"prefix": " "}, ValueError, "prefix must have printable characters"),
        ({"prefix": "a\n"}, ValueError, "prefix must have printable characters"),
        ({"prefix": "{a}"}, ValueError, "prefix must have .* no braces"),
    ],
)
def test_another_argument_is_refused(
    arguments: dict[str, Any], kind: type[Exception], message: str
) -> None:
    """Before anything is opened, with what to pass."""
    with pytest.raises(kind, match=message):
        RedisStore(**{"redis": "redis://h", "prefix": "p"} | arguments)

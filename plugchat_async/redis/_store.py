"""Records in Redis or Valkey, by coredis: each step is one script, so nothing happens inside it."""

from __future__ import annotations

import hashlib
import logging
import secrets
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, cast

import anyio
import coredis
from coredis.exceptions import NoScriptError, ReadOnlyError, RedisError
from coredis.retry import NoRetryPolicy

from ._record import Record, StoreClock
from ._steps import LEASE, LIVE, PRESENCE, Beat, Response, StoreDown, Verdict
from ._url import check_connections, check_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from typing import TypeAlias

    from anyio.abc import TaskStatus

    from ._record import Known

    Client: TypeAlias = (
        coredis.Redis[bytes]
        | coredis.Redis[str]
        | coredis.RedisCluster[bytes]
        | coredis.RedisCluster[str]
    )
    Text: TypeAlias = bytes | str

logger = logging.getLogger("plugchat_async")

# Of 1 s, a thousand sessions that start at the same time on two busy cores lost their leases.
COMMAND_TIMEOUT = 2.0
# Without traffic for so long, the subscription is checked.
_MAX_SILENCE = 5
_RESUBSCRIBE_AFTER = 0.25
_CLAIM = 120.0
_MAX_COMPLAINT = 200
_STEPS = ("beat", "reserve", "write", "leave", "restart", "sync", "peek")
_FAILURES = (
    RedisError,
    OSError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    RuntimeError,  # a user-supplied client was closed
)


_NOT_ENTERED = (
    "the client of coredis is not open: enter it with `async with` before the hub,"
    " and leave it after the hub"
)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _read_scripts() -> dict[str, str]:
    folder = files("plugchat_async.redis") / "_scripts"
    texts = {
        name: (folder / f"{name}.lua").read_text("utf-8") for name in ("head", "claim", *_STEPS)
    }
    lease, presence, live = map(_milliseconds, (LEASE, PRESENCE, LIVE))
    durations = f"local LEASE, PRESENCE, LIVE = {lease}, {presence}, {live}\n"
    steps = {name: durations + texts["head"] + texts[name] for name in _STEPS}
    return {"claim": texts["claim"], **steps}


SCRIPTS = _read_scripts()


def check_prefix(prefix: str) -> str:
    """Refuse what would garble keys, or a cluster's choice of the slot.

    Raises:
        TypeError: It is not a string.
        ValueError: It is blank, or has braces or control characters.
    """
    if not isinstance(prefix, str):
        raise TypeError(f"prefix must be a str, not {type(prefix).__name__}")
    if not prefix.strip() or not prefix.isprintable() or not {"{", "}"}.isdisjoint(prefix):
        raise ValueError(
            "prefix must have printable characters and no braces,"
            " between which Redis Cluster finds the part of a key that decides on its slot"
        )
    return prefix


class RedisStore:
    """Records in Redis: an implementation of `Store`.

    Args:
        redis: A URL, or a client of coredis, which stays open.
        prefix: What all keys and the channel begin with.
        timeout: Seconds for a command.
    """

    def __init__(
        self,
        redis: str | Client,
        *,
        prefix: str,
        timeout: float = COMMAND_TIMEOUT,
    ) -> None:
        if not isinstance(redis, str | coredis.Redis | coredis.RedisCluster):
            raise TypeError(
                "redis must be a URL as a str, such as redis://localhost:6379/0, or a client of"
                f" coredis, not {type(redis).__name__}"
            )
        if isinstance(redis, str):
            redis = check_url(redis)
        else:
            check_connections(redis.connection_pool.max_connections)
        self._redis = redis
        self._prefix = check_prefix(prefix)
        self._channel = f"{prefix}:changes"
        self._timeout = timeout
        self._scripts = {
            name: (hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), text)
            for name, text in SCRIPTS.items()
        }
        self._client: Client | None = None
        self._complaints: set[str] = set()
        self._is_deaf = False
        self.process = ""
        self.clock = StoreClock()

    async def run(
        self,
        on_record: Callable[[str, Record], None],
        on_subscribed: Callable[[], None],
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Keep the connections open until cancelled.

        It needs a separate task: coredis wraps exceptions of the block that holds its client in
        groups.

        Raises:
            RuntimeError: A user-supplied client was not entered.
        """
        self.process, self.clock = secrets.token_hex(8), StoreClock()
        async with self._open() as client:
            self._client = client
            try:
                task_status.started()
                while True:
                    await self._listen(client, on_record, on_subscribed)
            finally:
                self._client = None

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Client]:
        if isinstance(self._redis, str):
            async with coredis.Redis.from_url(
                self._redis,
                decode_components=True,
                client_name="plugchat-hub",
                stream_timeout=self._timeout,
                connect_timeout=self._timeout,
                retry_policy=NoRetryPolicy(),
            ) as client:
                yield client
        else:
            try:
                _ = self._redis.connection_pool.task_group
            except RuntimeError:
                raise RuntimeError(_NOT_ENTERED) from None
            yield self._redis

    async def _listen(
        self,
        client: Client,
        on_record: Callable[[str, Record], None],
        on_subscribed: Callable[[], None],
    ) -> None:
        """Subscribe, and hear until that fails."""
        has_subscribed = False
        try:
            async with client.pubsub(
                channels=[self._channel],
                ignore_subscribe_messages=True,
                retry_policy=NoRetryPolicy(),
                max_idle_seconds=_MAX_SILENCE,
            ) as subscription:
                self._is_deaf, has_subscribed = False, True
                on_subscribed()
                while True:
                    if message := await subscription.get_message():
                        self._hear(cast("Text", message["data"]), on_record)
        except* _FAILURES as group:
            failure = first_of(group)
        # When it is cancelled, coredis fails as well, which is nothing to complain about, akin to
        # https://github.com/alisaifee/coredis/issues/282.
        await anyio.sleep(_RESUBSCRIBE_AFTER)
        if self._is_deaf:
            return
        # coredis 6.9 reports a refused subscription as a time-out: it drops the error, and waits
        # for an acknowledgement since https://github.com/alisaifee/coredis/pull/325. No issue is
        # open.
        if not has_subscribed and await self._responds(client):
            self._is_deaf = True
            logger.warning(
                "changes of the pairing sessions will show up late, within 4 s:"
                " check that Redis permits the user to subscribe to %s (%s)",
                self._channel,
                self._describe(failure),
            )
        else:
            self._complain(failure)

    async def _responds(self, client: Client) -> bool:
        try:
            with anyio.fail_after(self._timeout):
                return bool(await client.ping())
        except _FAILURES:
            return False

    def _hear(self, message: Text, on_record: Callable[[str, Record], None]) -> None:
        if not self.clock.is_set:
            return  # its moments mean nothing yet, and the first response brings the record
        try:
            name, _, packed = _text(message).partition(" ")
            record = Record.unpack(packed, self.clock)
        except ValueError:
            return  # somebody else's, which must not end the subscription
        on_record(name, record)

    async def claim(self, fingerprints: Sequence[str]) -> bool:
        """See `Store`."""
        key = f"{self._prefix}:secret"
        return await self._run("claim", key, _milliseconds(_CLAIM), *fingerprints) == 1

    async def beat(
        self, name: str, *, watchers: int, limit: int | None = None, known: Known = ("", 0)
    ) -> Beat:
        """See `Store`."""
        verdict, record, *numbers = await self._step(
            "beat",
            name,
            *(watchers, limit or 0, *known),
        )
        if verdict is not Verdict.OK:
            return Beat(verdict)
        leads, lease_left, everyone, left_for = numbers
        return Beat(
            verdict,
            record,
            leads=bool(leads),
            lease_left=lease_left / 1000,
            watchers=everyone,
            left_for=None if left_for < 0 else left_for / 1000,
        )

    async def reserve(self, name: str, copy: Record, *, nonce: str) -> Response:
        """See `Store`."""
        return await self._respond(
            "reserve",
            name,
            *(copy.epoch, *copy.known, copy.spent + 1, nonce),
        )

    async def write(self, name: str, wanted: Record) -> Response:
        """See `Store`."""
        return await self._respond(
            "write",
            name,
            *(wanted.epoch, wanted.session, wanted.nonce, int(wanted.stage)),
            *(_ago(wanted.asked_at), _milliseconds(wanted.retention), wanted.state, wanted.ending),
        )

    async def leave(
        self, name: str, *, ending: str = "", asked_at: float | None = None
    ) -> Response:
        """See `Store`."""
        return await self._respond("leave", name, ending, _ago(asked_at))

    async def restart(self, name: str, session: str) -> Response:
        """See `Store`."""
        return await self._respond("restart", name, session)

    async def sync(self, name: str, copy: Record) -> Response:
        """See `Store`."""
        return await self._respond(
            "sync",
            name,
            *(*copy.known, copy.spent, copy.nonce, int(copy.stage), _ago(copy.left_at)),
            *(copy.leader, copy.epoch, _ago(copy.asked_at), _milliseconds(copy.retention)),
            *(copy.state, copy.ending),
        )

    async def peek(self, name: str) -> Response:
        """See `Store`."""
        return await self._respond("peek", name)

    async def _respond(self, step: str, name: str, *arguments: str | int) -> Response:
        verdict, record, *_ = await self._step(step, name, *arguments)
        return Response(verdict, record)

    async def _step(
        self, step: str, name: str, *arguments: str | int
    ) -> tuple[Verdict, Record | None, *tuple[int, ...]]:
        key = f"{self._prefix}:{{{name}}}"  # in braces, so that a cluster has it in one slot
        sent_at = anyio.current_time()
        reply = await self._run(step, key, self._channel, name, self.process, *arguments)
        word, now, *rest = cast("tuple[Text, int, *tuple[Text | int, ...]]", reply)
        self.clock.hear(now / 1000, sent_at=sent_at, received_at=anyio.current_time())
        packed, *numbers = rest or [""]
        text = _text(cast("Text", packed))
        record = Record.unpack(text, self.clock) if text else None
        return Verdict(_text(word)), record, *cast("list[int]", numbers)

    async def _run(self, step: str, key: str, *arguments: str | int) -> object:
        client, (digest, text) = self._client, self._scripts[step]
        if client is None:
            raise StoreDown("the store does not run")
        try:
            with anyio.fail_after(self._timeout):
                try:
                    reply = await client.evalsha(digest, [key], arguments)
                except NoScriptError:
                    reply = await client.eval(text, [key], arguments)
        except _FAILURES as error:
            self._complain(error)
            raise StoreDown(type(error).__name__) from error
        self._complaints.clear()
        return reply

    def _complain(self, error: BaseException) -> None:
        """Log each cause once, until a command succeeds again."""
        cause = self._describe(error)
        # Redis 6 reports it inside the text of the script's error.
        if isinstance(error, ReadOnlyError) or "READONLY" in cause:
            self._reconnect()
        if cause not in self._complaints:
            self._complaints.add(cause)
            logger.warning("the pairing sessions in Redis can't be reached: %s", cause)

    def _describe(self, error: BaseException) -> str:
        text = str(error)
        if not text and isinstance(error, TimeoutError):
            text = f"no response within {self._timeout:g} s"
            if isinstance(self._redis, str) and self._redis.startswith("rediss:"):
                text += ": check that the server speaks TLS on this port"
        return f"{type(error).__name__}: {text or 'the connection was closed'}"[:_MAX_COMPLAINT]

    def _reconnect(self) -> None:
        """Resolve the server's name anew: by now it may be that of another primary.

        A server that becomes a replica keeps its clients' connections.
        """
        if isinstance(self._redis, str) and self._client is not None:
            self._client.connection_pool.disconnect()


def _ago(moment: float | None) -> str | int:
    return "" if moment is None else max(0, _milliseconds(anyio.current_time() - moment))


def _text(value: Text) -> str:
    return value if isinstance(value, str) else value.decode("utf-8")


def first_of(group: BaseExceptionGroup[Exception]) -> BaseException:
    """Return the first exception that is not a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

"""Records in Redis or Valkey, by coredis: each step is one script, so nothing happens inside it."""

from __future__ import annotations

import hashlib
import logging
import secrets
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, cast

import anyio
import coredis
from coredis.exceptions import NoScriptError, ReadOnlyError
from coredis.retry import NoRetryPolicy

from ._outages import FAILURES, OutageLog
from ._record import Record, StoreClock
from ._steps import LEASE, LIVE, PRESENCE, Beat, Response, StoreDown, Verdict
from ._subscription import Subscription
from ._url import check_connections, check_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from anyio.abc import TaskStatus

    from ._record import Known
    from ._subscription import Client, Text


logger = logging.getLogger("plugchat_async")

# Of 1 s, a thousand sessions that start at the same time on two busy cores lost their leases.
COMMAND_TIMEOUT = 2.0
_CLAIM = 120.0
_STEPS = ("beat", "reserve", "write", "leave", "restart", "sync", "peek")

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
        is_encrypted = isinstance(redis, str) and redis.startswith("rediss:")
        self._outages = OutageLog(timeout, is_encrypted=is_encrypted)
        self._subscription = Subscription(self._channel, timeout, self._outages)
        self._unreadable: set[str] = set()
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
                    await self._subscription.listen(
                        client, partial(self._hear, on_record), on_subscribed
                    )
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

    def _hear(self, on_record: Callable[[str, Record], None], message: Text) -> None:
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
        record = self._read(key, cast("Text", packed)) if packed else None
        return Verdict(_text(word)), record, *cast("list[int]", numbers)

    def _read(self, key: str, packed: Text) -> Record:
        try:
            record = Record.unpack(_text(packed), self.clock)
        except ValueError as error:
            # Commands succeed meanwhile, each of which ends an outage.
            if key not in self._unreadable:
                self._unreadable.add(key)
                logger.warning(
                    "the record %s in Redis can't be read: was it changed by another app,"
                    " or by a later release?",
                    key,
                )
            raise StoreDown("the record can't be read") from error
        self._unreadable.discard(key)
        return record

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
        except FAILURES as error:
            self._complain(error)
            raise StoreDown(type(error).__name__) from error
        self._outages.end()
        return reply

    def _complain(self, error: BaseException) -> None:
        cause = self._outages.cause_of(error)
        # Redis 6 reports it inside the text of the script's error.
        if isinstance(error, ReadOnlyError) or "READONLY" in cause:
            self._reconnect()
        self._outages.write(cause)

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

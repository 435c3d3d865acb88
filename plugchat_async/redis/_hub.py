"""One session per instance, whichever process and host asks."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Self

import anyio

from plugchat_async._arguments import seal_secrets
from plugchat_async._background import BackgroundTasks
from plugchat_async._client import identity_of
from plugchat_async._hub import PairingHub
from plugchat_async._pairing_state import Failed, ShowingCode, Starting
from plugchat_async._schedule import DEFAULT_INTERVAL, DEFAULT_MAX_ROUNDS, DEFAULT_STATUS_INTERVAL

from ._follower import Follower
from ._outages import first_of
from ._record import Record, Stage
from ._seal import Keyring, Seal
from ._states import UNREACHABLE, open_state
from ._steps import LEASE, Store, StoreDown
from ._store import RedisStore

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from types import TracebackType

    from pydantic import SecretStr

    from plugchat_async import AsyncPlugChat, PairingState
    from plugchat_async._end_hook import OnEnd
    from plugchat_async._hub import Watched

    from ._subscription import Client

logger = logging.getLogger("plugchat_async")

# A third of the time for which a fingerprint is kept.
_CLAIM_EVERY = 40.0
# While the store can't be reached, which may be so from the start.
_CLAIM_AGAIN_AFTER = 1.0
_CLOSING_TIME = 2.0

_REFUSED = (
    "another secret is in use with this prefix, which would mean two sessions for one instance:"
    " use the same one in all processes, and to replace it, list both"
)


class RedisPairingHub(PairingHub):
    """Hub whose sessions are shared by all processes and hosts, over Redis or Valkey.

    It has the interface of `PairingHub`.

    Args:
        redis: The URL, as `redis://`, `rediss://` or `unix://`; or a client of coredis, which is
            shared and not closed.
        secret: At least 32 characters, the same in all processes; or several, the first of which
            is for new sessions, so that it can be replaced.
        prefix: What all keys and the channel begin with.
        interval: Seconds from one code to the next, more than 0 and at most 20.
        max_rounds: The most codes that a session requests, at least 1, in all processes.
        status_interval: Seconds from one request of `/status` to the next; None for none.
        linger: Seconds for which a process stays with a session after its last watcher has left.
        max_watchers: How many watchers one instance may have in all processes, at least 1; None
            for no limit.
        on_end: Called with the client and a `PairingEnd`, before a watcher is told: once for each
            session, by the process that leads; once more if that process dies meanwhile, or can't
            reach Redis for longer than 5 s.
        on_end_timeout: Seconds for one call of `on_end`, more than 0.

    Raises:
        ValueError: An argument is out of range; on entering, other processes use another secret.
        TypeError: An argument is of the wrong type.
        RuntimeError: On entering, the client of coredis was not entered.
    """

    def __init__(
        self,
        redis: str | Client,
        *,
        secret: str | SecretStr | Sequence[str | SecretStr],
        prefix: str = "plugchat",
        interval: float = DEFAULT_INTERVAL,
        max_rounds: int = DEFAULT_MAX_ROUNDS,
        status_interval: float | None = DEFAULT_STATUS_INTERVAL,
        linger: float = 2.0,
        max_watchers: int | None = None,
        on_end: OnEnd | None = None,
        on_end_timeout: float = 10.0,
    ) -> None:
        # Wrapped first, so that no traceback that renders locals can show it.
        secret = seal_secrets(secret)
        self._keyring = Keyring(secret)
        super().__init__(
            interval=interval,
            max_rounds=max_rounds,
            status_interval=status_interval,
            linger=linger,
            max_watchers=max_watchers,
            on_end=on_end,
            on_end_timeout=on_end_timeout,
        )
        self._store: Store = RedisStore(redis, prefix=prefix)
        self._followers: dict[bytes, Follower] = {}
        self._by_name: dict[str, Follower] = {}

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._followers, self._by_name = {}, {}
        self._serving, self._served = BackgroundTasks(), anyio.CancelScope()
        self._data_lost = anyio.Event()
        try:
            await self._serving.open()
            is_ready, failures = anyio.Event(), list[BaseException]()
            self._serving.start_soon(partial(self._serve, is_ready, failures))
            await is_ready.wait()
            if failures:
                raise failures[0].with_traceback(None)  # whose frames have the URL
            if await self._claim() is False:
                raise ValueError(_REFUSED)
        except BaseException:  # a cancellation, too, must leave nothing running
            with anyio.CancelScope(shield=True):
                await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_open:
            for follower in self._followers.values():
                follower.close(patience=min(LEASE, self._on_end_timeout / 2))
        self._followers.clear()
        # The followers hand over by the connections that are closed after that.
        await super().__aexit__(exc_type, exc, traceback)
        self._served.cancel()
        await self._serving.close(within=_CLOSING_TIME)

    async def state(self, client: AsyncPlugChat) -> PairingState | None:
        """Return the current state without watching: it starts nothing, and does not count.

        Args:
            client: A client for the instance.

        Returns:
            What a watcher who comes now would see; None if there is no session.

        Raises:
            RuntimeError: The hub is closed.
            TypeError: `client` is not an AsyncPlugChat.
        """
        self._tasks_for(client)
        follower = self._follower_of(client)
        if follower is not None and (follower.version or follower.clients):
            return follower.present
        try:
            seal, record = await self._peek(client)
        except StoreDown:
            return UNREACHABLE
        if not record.session or (record.stage is Stage.OVER and not record.state):
            return None
        state = _open(seal, record)
        is_outdated = isinstance(state, ShowingCode) and state.qr.is_expired
        return Starting() if is_outdated and record.left_at is not None else state

    async def restart(self, client: AsyncPlugChat) -> None:
        """Start another session after one has ended; before that, do nothing.

        It does nothing before the `retry_at` of a `Failed` session, either.

        Args:
            client: A client for the instance, which may be closed afterwards.

        Raises:
            RuntimeError: The hub is closed.
            TypeError: `client` is not an AsyncPlugChat.
        """
        self._tasks_for(client)
        try:
            seal, record = await self._peek(client)
            if record.stage is not Stage.OVER:
                return
            state = _open(seal, record)
            retry_at = state.retry_at if isinstance(state, Failed) else None
            if retry_at is None or retry_at <= datetime.now(UTC):
                follower = self._follower_of(client)
                if follower is None:
                    await self._store.restart(seal.name, record.session)
                else:
                    await follower.restart(record.session)
        except StoreDown:
            logger.warning("a session was not restarted: Redis can't be reached")

    async def _join(self, client: AsyncPlugChat) -> Follower:
        tasks, key = self._tasks_for(client), client.instance_key
        follower = self._follower_of(client)
        if follower is None:
            seals = self._seals(client)
            follower = Follower(
                self._store,
                seals,
                self._schedule,
                self._linger,
                self._hook,
                on_lost=self._claim_soon,
            )
            self._followers[key] = follower
            self._by_name |= {seal.name: follower for seal in seals}
            follower.join(client)
            tasks.start_soon(partial(self._follow, key, follower))
        else:
            follower.join(client)
        if self._max_watchers is None:
            return follower
        is_within = False
        try:
            is_within = await follower.count(self._max_watchers)
        finally:
            if not is_within:
                follower.leave(client)
        if not is_within:
            raise self._too_many_watchers()
        return follower

    async def _follow(self, key: bytes, follower: Follower) -> None:
        try:
            await follower.run()
        except Exception:  # one instance's fault must not end the sessions of all others
            logger.exception("a pairing session broke: the next watcher goes on with it")
            follower.close(patience=0.0)
        if self._followers.get(key) is follower:
            del self._followers[key]
            for name in follower.names:
                del self._by_name[name]

    def _watched(self) -> Collection[Watched]:
        return self._followers.values()

    def _follower_of(self, client: AsyncPlugChat) -> Follower | None:
        follower = self._followers.get(client.instance_key)
        return None if follower is None or follower.is_over else follower

    def _seals(self, client: AsyncPlugChat) -> list[Seal]:
        return self._keyring.seals(*identity_of(client))

    async def _peek(self, client: AsyncPlugChat) -> tuple[Seal, Record]:
        """Return the record under the first secret that has one."""
        seals = self._seals(client)
        for seal in seals:
            response = await self._store.peek(seal.name)
            if response.record is not None:
                return seal, response.record
        return seals[0], Record()

    async def _serve(self, is_ready: anyio.Event, failures: list[BaseException]) -> None:
        try:
            with self._served:
                await self._run_store(is_ready)
        except* Exception as group:
            failures.append(first_of(group))
            if is_ready.is_set():
                logger.exception("the pairing sessions in Redis are lost until the hub is reopened")
        finally:
            is_ready.set()

    async def _run_store(self, is_ready: anyio.Event) -> None:
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._store.run, self._hear, self._catch_up)
            is_ready.set()
            await anyio.sleep(_CLAIM_AGAIN_AFTER)  # entering has claimed by itself
            while True:
                self._data_lost = anyio.Event()
                is_agreed = await self._claim()
                if is_agreed is False:
                    logger.error(_REFUSED)
                with anyio.move_on_after(_CLAIM_AGAIN_AFTER if is_agreed is None else _CLAIM_EVERY):
                    await self._data_lost.wait()

    async def _claim(self) -> bool | None:
        """Return whether the processes use one secret; None if the store can't be reached."""
        try:
            return await self._store.claim(self._keyring.fingerprints)
        except StoreDown:
            return None

    def _claim_soon(self) -> None:
        """Claim again, since the store may have lost the fingerprint."""
        self._data_lost.set()

    def _hear(self, name: str, record: Record) -> None:
        if (follower := self._by_name.get(name)) is not None:
            try:
                follower.hear(name, record)
            except Exception:  # nor the subscription; the next beat finds the same
                logger.exception("a change of a pairing session could not be heard")

    def _catch_up(self) -> None:
        """Ask for what may have been missed, and for what may have been lost."""
        self._claim_soon()
        for follower in self._followers.values():
            follower.poke()


def _open(seal: Seal, record: Record) -> PairingState | None:
    now = anyio.current_time()
    return open_state(seal, record, loop_time=now, wall_time=datetime.now(UTC))

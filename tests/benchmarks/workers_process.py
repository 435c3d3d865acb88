"""One process of an app with several workers: its hub over Redis, and its watchers."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import coredis
import httpx
from coredis.retry import NoRetryPolicy

from plugchat_async import AsyncPlugChat, ShowingCode
from plugchat_async.redis import RedisPairingHub

if TYPE_CHECKING:
    from collections.abc import Generator
    from multiprocessing.connection import Connection

_SECRET = "a secret of more than 32 characters"
_CHANNEL = "bare"
_PAYLOAD = "2@" + "nBk7/sQ0xT+4Zr9L" * 14
# Of the message that the hub publishes when a code is shown.
_MESSAGE = 770


class Worker:
    """The process, seen from the one that measures: each method is called there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self, name: str, *arguments: object) -> None:
        """Call a method of `_Process`, and do not wait for it."""
        self._connection.send((name, arguments))

    def result(self) -> Any:
        """Wait for what the method returned."""
        return self._connection.recv()

    def call(self, name: str, *arguments: object) -> Any:
        """Call a method, and wait for what it returns."""
        self.begin(name, *arguments)
        return self.result()


@contextmanager
def worker(url: str, **settings: Any) -> Generator[Worker]:
    """Run a process with a hub until the block ends.

    Args:
        url: That of the Redis.
        settings: Those of the hub.
    """
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe()
    process = spawning.Process(target=_serve, args=(there, url, settings))
    process.start()
    try:
        yield Worker(here)
        here.send(None)
        process.join(30)
    finally:
        process.kill()
        process.join()


def _serve(connection: Connection, url: str, settings: dict[str, Any]) -> None:
    asyncio.run(_Process(connection, url, settings).run())


class _Process:
    def __init__(self, connection: Connection, url: str, settings: dict[str, Any]) -> None:
        self._connection = connection
        self._hub = RedisPairingHub(url, secret=_SECRET, **settings)
        self._redis = coredis.Redis.from_url(
            url, decode_components=True, retry_policy=NoRetryPolicy()
        )
        self._watchers: list[asyncio.Task[None]] = []
        self._reached: set[str] = set()
        self._are_all_there = asyncio.Event()
        self.written: dict[int, float] = {}
        self.seen: dict[int, float] = {}
        self.published: dict[int, float] = {}
        self.heard: dict[int, float] = {}

    async def run(self) -> None:
        """Do what the other process says, until it says no more."""
        http_client = httpx.AsyncClient(transport=httpx.MockTransport(_respond))
        self._client = AsyncPlugChat("token", http_client=http_client)
        async with http_client, self._redis, self._hub, AsyncExitStack() as self._stack:
            while order := await asyncio.to_thread(self._connection.recv):
                name, arguments = order
                self._connection.send(await getattr(self, name)(*arguments))
            await self.leave()

    async def cpu_seconds(self) -> float:
        """Return the CPU time used so far."""
        return time.process_time()

    # Many instances.

    async def watch(self, instances: int, kind: str) -> None:
        """Watch so many instances until each of them has been in a state."""
        self._watchers = [
            asyncio.create_task(self._watch(f"tenant {number}", kind, instances))
            for number in range(instances)
        ]
        await self._are_all_there.wait()

    async def leave(self) -> None:
        """Watch no more."""
        for task in self._watchers:
            task.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        self._watchers = []

    async def _watch(self, tenant: str, kind: str, instances: int) -> None:
        async with self._hub.watch(self._client.for_token(tenant)) as states:
            async for state in states:
                if state.kind == kind:
                    self._reached.add(tenant)
                if len(self._reached) == instances:
                    self._are_all_there.set()

    # The time that a change takes, from process to process.

    async def lead(self, rounds: int) -> None:
        """Show so many codes, and publish a message between two of them; return at the end."""
        write = self._hub._store.write

        async def timed_write(name: str, wanted: Any) -> Any:
            moment = time.monotonic()
            response = await write(name, wanted)
            self.written.setdefault(wanted.spent, moment)
            return response

        self._hub._store.write = timed_write  # type: ignore[method-assign] # to see the moment
        async with self._hub.watch(self._client.for_token("tenant")) as states:
            async for state in states:
                if isinstance(state, ShowingCode):
                    await asyncio.sleep(self._hub.interval / 2)
                    self.published[state.qr.round] = time.monotonic()
                    message = str(state.qr.round).ljust(_MESSAGE, "=")
                    await self._redis.publish(_CHANNEL, message)
                    if state.qr.round == rounds:
                        return

    async def follow(self) -> None:
        """Note when codes and messages come."""
        subscription = await self._stack.enter_async_context(
            self._redis.pubsub(channels=[_CHANNEL], ignore_subscribe_messages=True)
        )
        self._watchers = [
            asyncio.create_task(self._note_codes()),
            asyncio.create_task(self._note_messages(subscription)),
        ]

    async def _note_codes(self) -> None:
        async with self._hub.watch(self._client.for_token("tenant")) as states:
            async for state in states:
                if isinstance(state, ShowingCode):
                    self.seen[state.qr.round] = time.monotonic()

    async def _note_messages(self, subscription: Any) -> None:
        while True:
            if message := await subscription.get_message():
                self.heard[int(message["data"].rstrip(b"="))] = time.monotonic()

    async def moments(self, *names: str) -> list[dict[int, float]]:
        """Return what was noted."""
        return [getattr(self, name) for name in names]


def _respond(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("/qr-code"):
        return httpx.Response(200, json={"value": f"{_PAYLOAD}{time.monotonic_ns()}"})
    return httpx.Response(200, json={"connected": False})

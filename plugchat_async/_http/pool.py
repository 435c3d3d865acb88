"""Our own connections: whose turn it is, and which connection is used.

Each connection is an httpx client with one connection in it. A single client with many scans all of
them on every request, and requests that wait inside it can't be cancelled cheaply.
"""

from __future__ import annotations

import math
import os
from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Final

import anyio
import httpx
from anyio.lowlevel import current_token

from plugchat_async._threads import run_reading
from plugchat_async._version import __version__

from . import quirks
from .closing import close
from .connection import CLOSED, UNWATCHED, WATCHED, Connection
from .environment import check_certificates, check_proxies, environment_failure
from .imports import import_for_connections

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Mapping

# Load balancers close idle connections after 60 s or more: ours is given up before theirs is.
_MAX_IDLE_SECONDS = 55.0


class Pool:
    """Up to `max_connections` connections, of each event loop by itself.

    Connections are of use only on the event loop, and in the process, that opened them. They are
    closed when their loop ends; a forked process drops those of its parent.

    Args:
        max_connections: How many, on one event loop.
        uses_proxies: Whether the environment's proxies are used.
    """

    def __init__(self, max_connections: int, *, uses_proxies: bool = True) -> None:
        self.is_closed = False
        self._max_connections = max_connections
        self._clients = _Clients(uses_proxies=uses_proxies)
        self._by_loop: dict[tuple[int, object], _LoopConnections] = {}
        import_for_connections()

    def turn(self, *, fresh: bool = False) -> _Turn:
        """Wait for a turn, first come, first served, and lend a connection for it.

        Args:
            fresh: Lend a connection over which nothing was sent yet.

        Returns:
            A context manager, which raises a RuntimeError if the pool is closed.
        """
        return _Turn(self, fresh=fresh)

    async def aclose(self) -> None:
        """Close what is idle on this event loop; a connection in use is closed after its turn."""
        self.is_closed = True
        connections = self._by_loop.get(_this_loop())
        if connections is not None:
            await connections.until_the_loop_ends.aclose()

    async def of_this_loop(self) -> _LoopConnections:
        """Return the connections of the running event loop."""
        loop = _this_loop()
        connections = self._by_loop.get(loop)
        if connections is None:
            for other in [*self._by_loop]:
                if _is_gone(*other):
                    self._by_loop.pop(other, None)
            connections = _LoopConnections(self._max_connections, self._clients)
            self._by_loop[loop] = connections
            connections.until_the_loop_ends = self._keep(connections, loop)
            await anext(connections.until_the_loop_ends)
        return connections

    async def _keep(
        self, connections: _LoopConnections, loop: tuple[int, object]
    ) -> AsyncGenerator[None]:
        """Close connections when their event loop ends, which closes async generators then.

        asyncio does by `loop.shutdown_asyncgens()`, part of `asyncio.run()`, and trio by itself.
        """
        try:
            yield
        finally:
            self._by_loop.pop(loop, None)
            await connections.aclose()


class _Turn:
    """One connection, lent until the block ends."""

    __slots__ = ("_connection", "_fresh", "_mine", "_pool")

    def __init__(self, pool: Pool, *, fresh: bool) -> None:
        self._pool = pool
        self._fresh = fresh

    async def __aenter__(self) -> Connection:
        self._mine = await self._pool.of_this_loop()
        await self._mine.turns.acquire()
        try:
            if self._pool.is_closed:
                raise RuntimeError(CLOSED)
            self._connection = await self._mine.take(fresh=self._fresh)
        except BaseException:  # a cancellation, too, must not lose a turn
            self._mine.turns.release()
            raise
        return self._connection

    async def __aexit__(self, *exception: object) -> None:
        try:
            await self._mine.give_back(self._connection, may_be_kept=not self._pool.is_closed)
        finally:  # until it is closed, a failed connection counts
            self._mine.turns.release()


class _LoopConnections:
    """The connections of one event loop."""

    until_the_loop_ends: AsyncGenerator[None]

    def __init__(self, max_connections: int, clients: _Clients) -> None:
        self.turns: Final = anyio.Semaphore(max_connections, fast_acquire=True)
        self._clients = clients
        self._idle: deque[_PooledConnection] = deque()

    async def take(self, *, fresh: bool) -> _PooledConnection:
        """Take the connection that was used last, so that the others can expire."""
        if not fresh and self._idle:
            return self._idle.pop()
        if self._idle:  # a further one would exceed the maximum
            await self._idle.popleft().aclose()
        return _PooledConnection(self._clients)

    async def give_back(self, connection: _PooledConnection, *, may_be_kept: bool) -> None:
        """Keep a connection for later, unless it failed."""
        if connection.has_failed:
            # A relay that drops connections which were idle has dropped those idle for longer.
            await self._close_idle_since(connection.idle_since)
        if may_be_kept and connection.is_usable:
            connection.idle_since = connection.ended
            self._idle.append(connection)
            await self._close_idle_since(connection.ended - _MAX_IDLE_SECONDS)
        else:
            await connection.aclose()

    async def aclose(self) -> None:
        """Close what is idle."""
        await self._close_idle_since(math.inf)

    async def _close_idle_since(self, latest: float) -> None:
        # Closing one lets other calls run, which must not take the rest.
        expired: list[_PooledConnection] = []
        while self._idle and self._idle[0].idle_since <= latest:
            expired.append(self._idle.popleft())
        for connection in expired:
            await connection.aclose()


class _PooledConnection(Connection):
    """An httpx client with one connection.

    Attributes:
        idle_since: When it was last given back, by the event loop's clock; before its first use,
            minus infinity.
    """

    def __init__(self, clients: _Clients) -> None:
        super().__init__(httpx)
        self.idle_since = -math.inf
        self._clients = clients
        self._client: httpx.AsyncClient | None = None

    async def aclose(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await close(self._client)

    async def _send(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        if self._client is None:
            self.has_sent = False
            self._client = await self._clients.open(url)
            self.has_sent = True
        request = self._clients.build_request(url, headers)
        response = await self._client.send(request, stream=True)
        quirks.put_location_back(response)
        return response


class _Clients:
    """How the httpx clients of a pool are made, and their requests."""

    def __init__(self, *, uses_proxies: bool) -> None:
        self._uses_proxies = uses_proxies
        self._templates: dict[str, httpx.Request] = {}

    async def open(self, url: str) -> httpx.AsyncClient:
        """Make a client with one connection, for all URLs of the same scheme.

        Raises:
            NetworkError: The environment allows none.
        """
        try:
            if self._uses_proxies:
                check_proxies()
            is_encrypted = url.startswith("https:")
            # The connections serve many tenants: a cookie of one must not reach another.
            return quirks.ClientWithoutCookies(
                verify=await run_reading(_read_ca_bundle) if is_encrypted else _trust_nobody(),
                limits=httpx.Limits(max_connections=1, keepalive_expiry=_MAX_IDLE_SECONDS),
                event_hooks={"response": [quirks.set_location_aside]},
                trust_env=self._uses_proxies,
            )
        except (httpx.InvalidURL, OSError, ValueError, ImportError) as error:
            reason = error
        raise environment_failure(reason)

    def build_request(self, url: str, headers: Mapping[str, str]) -> httpx.Request:
        """Build a request out of the first one to its address: a whole one is a tenth of a call."""
        template = self._templates.get(url)
        if template is None:
            is_watched = self._uses_proxies or url.startswith("https:")
            template = self._templates[url] = httpx.Request(
                "GET",
                url,
                headers={
                    "Accept": "*/*",
                    # What is small is not worth compressing, and a bomb is not to be invited.
                    "Accept-Encoding": "identity",
                    "Connection": "keep-alive",
                    "User-Agent": f"plugchat-async/{__version__}",
                },
                extensions=WATCHED if is_watched else UNWATCHED,
            )
        request = httpx.Request(
            template.method,
            template.url,
            headers=template.headers,
            stream=template.stream,
            extensions=template.extensions,
        )
        for name, value in headers.items():
            request.headers[name] = value
        return request


@cache
def _read_ca_bundle() -> ssl.SSLContext:
    """Read the CA bundle, once a process: it takes tens of milliseconds and 800 KiB."""
    check_certificates()
    return httpx.create_ssl_context()


def _trust_nobody() -> ssl.SSLContext:
    """Return what stands in for the CA bundle if nothing is encrypted."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _this_loop() -> tuple[int, object]:
    return os.getpid(), current_token().native_token


def _is_gone(process: int, loop: object) -> bool:
    """Return whether connections are those of a parent process, or of a loop that was closed."""
    is_closed = getattr(loop, "is_closed", bool)
    return process != os.getpid() or is_closed()

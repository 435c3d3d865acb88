"""A user's own httpx client, with the pool, hooks, proxies and transports that it has."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, cast
from weakref import WeakKeyDictionary, ref

from anyio.lowlevel import current_token

from . import quirks
from .connection import CLOSED, WATCHED, Connection

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    import httpx

    from .connection import Library


class AsyncHTTPClient(Protocol):
    """Interface that the clients of httpx and httpx2 share, for type checkers."""

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        ...

    async def aclose(self) -> None:
        """Close it."""
        ...


class BorrowedClient:
    """An HTTP client that somebody else owns, shared and never closed."""

    def __init__(self, client: AsyncHTTPClient) -> None:
        self.is_closed = False
        self._library = _library_of(client)
        # httpx2 kept httpx's interface, so that one name fits both.
        self._client = cast("httpx.AsyncClient", client)
        self._urls: dict[str, httpx.URL] = {}
        self._user = _users.setdefault(self._client, _User())

    @asynccontextmanager
    async def turn(
        self,
        *,
        fresh: bool = False,  # noqa: ARG002 - which connection is used is up to the client's pool
    ) -> AsyncGenerator[Connection]:
        """Lend the client immediately: its own pool makes calls wait.

        Args:
            fresh: Ignored, since httpx has no public way to demand a fresh connection of a pool.

        Raises:
            RuntimeError: It was closed, a parent process has used it, or another event loop uses
                it and still runs.
        """
        if self.is_closed:
            raise RuntimeError(CLOSED)
        if self._client.is_closed:
            raise RuntimeError("this http_client was closed by its owner: pass one that is open")
        self._user.check()
        yield _BorrowedConnection(self._library, self._client, self._urls)

    async def aclose(self) -> None:
        """Lend the client no more, and leave it open for its owner."""
        self.is_closed = True


class _User:
    """Process and event loop that the connections of an HTTP client belong to."""

    def __init__(self) -> None:
        self._process: int | None = None
        self._loop: Callable[[], object] = bool  # there was none yet
        self._changing: Final = threading.Lock()

    def check(self) -> None:
        """Note the running event loop, if no other one uses the connections.

        Raises:
            RuntimeError: A parent process or another running event loop does.
        """
        if self._process is None:
            self._process = os.getpid()
        # Before the lock, which another thread may have had when this process was forked.
        if self._process != os.getpid():
            raise RuntimeError(
                "this http_client was used before the process was forked, and its connections are"
                " the parent's: make it, and the client, in each process"
            )
        loop = current_token().native_token
        if self._loop() is loop:
            return
        with self._changing:
            other = self._loop()
            if other is not loop and _is_running(other):
                raise RuntimeError(
                    "this http_client is used by another event loop that still runs, and its"
                    " connections are of use there alone: make one http_client, and one client"
                    " over it, for each event loop"
                )
            self._loop = ref(loop)


# By the HTTP client, since several clients of ours may share it.
_users: WeakKeyDictionary[httpx.AsyncClient, _User] = WeakKeyDictionary()


def _is_running(loop: Any) -> bool:  # noqa: ANN401 - a loop of asyncio, a token of trio, or neither
    if hasattr(loop, "is_running"):
        return bool(loop.is_running())
    try:
        loop.run_sync_soon(bool)
    except (AttributeError, RuntimeError):  # there is none, or it has ended
        return False
    return True


class _BorrowedConnection(Connection):
    def __init__(
        self, library: Library, client: httpx.AsyncClient, urls: dict[str, httpx.URL]
    ) -> None:
        super().__init__(library)
        self._client = client
        self._urls = urls

    def sends_twice(self, url: str) -> bool:
        return quirks.sends_twice(self._client, self._url(url))

    async def _send(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        request = self._build_request(url, headers)
        client = quirks.without_cookies(self._client)
        quirks.forget_cookies_of_aiohttp(client, request.url)
        try:
            # The token alone identifies the caller: no `auth` of the client's goes along.
            return await client.send(request, auth=None, stream=True, follow_redirects=False)
        except self._library.HTTPStatusError as error:
            # httpx documents raise_for_status() in a hook: a response arrived, all the same.
            if error.request is not request:
                raise
            return error.response
        finally:
            quirks.forget_cookies_of_aiohttp(client, request.url)
            quirks.discard(client)

    def _build_request(self, url: str, headers: Mapping[str, str]) -> httpx.Request:
        all_headers = self._client.headers.copy()
        for name in ("Authorization", "Cookie"):
            all_headers.pop(name, None)
        all_headers.update(headers)
        all_headers["Accept-Encoding"] = "identity"
        # Not by the client, which would add its cookies and parameters.
        return self._library.Request(
            "GET", self._url(url), headers=all_headers, extensions=dict(WATCHED)
        )

    def _url(self, url: str) -> httpx.URL:
        if url not in self._urls:
            self._urls[url] = self._library.URL(url)
        return self._urls[url]


def _library_of(client: AsyncHTTPClient) -> Library:
    for cls in type(client).__mro__:
        package, _, _ = cls.__module__.partition(".")
        if package in {"httpx", "httpx2"} and cls.__name__ == "AsyncClient":
            return cast("Library", sys.modules[package])
    raise TypeError(
        "http_client must be an AsyncClient of httpx or httpx2,"
        f" not {type(client).__module__}.{type(client).__qualname__}"
    )

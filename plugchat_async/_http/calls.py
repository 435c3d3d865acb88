"""How often a call is made: attempts, the pauses between them, and a line in the log for each."""

from __future__ import annotations

import logging
import math
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

import anyio

from plugchat_async._errors import (
    TRANSIENT,
    NetworkError,
    PlugChatError,
    RateLimited,
    RequestTimeout,
)

from .imports import import_for_calls

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from typing import TypeAlias

    from tenacity import RetryCallState

    from plugchat_async._wire import Endpoint, Redact, Response

    from .connection import Connection
    from .credentials import Credentials

    Permit: TypeAlias = Callable[[], Awaitable[None]]

logger = logging.getLogger("plugchat_async")

T = TypeVar("T")

# A code is valid for 20 s: a server that asks for a longer pause has refused this round.
_MAX_PAUSE = 20.0

_TOO_SLOW = (
    "{path} took longer to respond than a code is valid, which is {within:g} s: the gateway is too"
    " slow for now, so ask again later"
)
_MAY_HAVE_HAPPENED = "PlugChat may have done it all the same: ask status()"
_SENDS_TWICE = (
    "aiohttp sends a GET again when its connection breaks, and this one must not be sent twice:"
    " use a client without http_client=, or with one that does not run on aiohttp"
)


class Connections(Protocol):
    """The source of connections: our own pool, or a user's client."""

    @property
    def is_closed(self) -> bool:
        """Whether none is lent any more."""
        ...

    def turn(self, *, fresh: bool = False) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection for one request."""
        ...

    async def aclose(self) -> None:
        """Close the connections that are ours, and lend no more."""
        ...


class PermittedConnections:
    """Connections that are lent with a permit, asked for directly before each request."""

    def __init__(self, connections: Connections, permit: Permit) -> None:
        self._connections = connections
        self._permit = permit

    @property
    def is_closed(self) -> bool:
        """Whether none is lent any more."""
        return self._connections.is_closed

    @asynccontextmanager
    async def turn(self, *, fresh: bool = False) -> AsyncGenerator[Connection]:
        """Lend a connection for one request, if that is permitted."""
        async with self._connections.turn(fresh=fresh) as connection:
            await self._permit()
            yield connection

    async def aclose(self) -> None:
        """Close the connections that are ours, and lend no more."""
        await self._connections.aclose()


class Call(NamedTuple, Generic[T]):
    """A request: of which endpoint, for which instance, and how its response is read."""

    endpoint: Endpoint
    base_url: str | None
    credentials: Credentials
    read: Callable[[Response, Redact], T | PlugChatError]
    name: str | None = None

    @property
    def url(self) -> str:
        """The address, below the base URL or the documented host."""
        return self.endpoint.url(self.base_url)


class Result(NamedTuple, Generic[T]):
    """The value of a response, and when the attempt that brought it began and ended.

    Attributes:
        value: What was read.
        asked_at: When it was requested, in UTC.
        began: The same by the event loop's clock, in seconds.
        ended: When it had arrived, by that clock.
    """

    value: T
    asked_at: datetime
    began: float
    ended: float


class Calls:
    """Calls over shared connections.

    Args:
        connections: Where they go.
        timeout: Seconds for one attempt.
        retries: Further attempts after a transient failure.
    """

    def __init__(self, connections: Connections, *, timeout: float, retries: int) -> None:
        self.connections = connections
        self._timeout = timeout
        self._retries = retries
        import_for_calls()

    def with_permit(self, permit: Permit) -> Calls:
        """Return calls over the same connections, each attempt of which needs a permit."""
        connections = PermittedConnections(self.connections, permit)
        return Calls(connections, timeout=self._timeout, retries=self._retries)

    async def make(self, call: Call[T], *, within: float = math.inf) -> Result[T]:
        """Make a call, and again after a transient failure, over a fresh connection of our pool.

        Args:
            call: What to ask.
            within: Seconds after which what an attempt has brought is worth nothing.

        Raises:
            PlugChatError: The last attempt did not bring what was asked for.
        """
        import tenacity

        async for attempt in tenacity.AsyncRetrying(**_policy(self._retries)):
            number = attempt.retry_state.attempt_number
            with attempt:
                async with self.connections.turn(fresh=number > 1) as connection:
                    return await self._attempt(call, connection, number, within)
        raise AssertionError("tenacity raises what the last attempt did")

    async def make_once(self, call: Call[T]) -> Result[T]:
        """Make a single attempt at a call that is made again soon.

        Raises:
            PlugChatError: It did not bring what was asked for.
        """
        async with self.connections.turn() as connection:
            return await self._attempt(call, connection, 1)

    async def send_once(self, call: Call[T]) -> Result[T]:
        """Make a call that changes something: it is sent once, whatever happens.

        Raises:
            PlugChatError: It did not bring what was asked for.
            RuntimeError: The HTTP client would send it again by itself.
        """
        async with self.connections.turn(fresh=True) as connection:
            if connection.sends_twice(call.url):
                raise RuntimeError(_SENDS_TWICE)
            try:
                return await self._attempt(call, connection, 1)
            except NetworkError as error:
                if not connection.has_sent:
                    raise
                unconfirmed = type(error)(f"{error}. {_MAY_HAVE_HAPPENED}")
                unconfirmed.may_have_happened = True
                raise unconfirmed from error.__cause__

    async def _attempt(
        self, call: Call[T], connection: Connection, number: int, within: float = math.inf
    ) -> Result[T]:
        try:
            response = await connection.get(call.url, call.credentials, timeout=self._timeout)
        except PlugChatError as error:
            _log(call, error.code, connection, number)
            if isinstance(error, RequestTimeout) and self._timeout >= within:
                raise _too_slow(call, within) from error.__cause__
            raise
        _log(call, str(response.status_code), connection, number)
        value = call.read(response, call.credentials.redact)
        if isinstance(value, PlugChatError):
            raise value
        if connection.ended >= connection.began + within:
            raise _too_slow(call, within)
        return Result(value, response.asked_at, connection.began, connection.ended)


@cache
def _policy(retries: int) -> dict[str, Any]:
    """Make what the calls of all clients with so many retries share."""
    import tenacity

    backoff = tenacity.wait_exponential(multiplier=0.5, max=4) + tenacity.wait_random(0, 0.5)

    def pause(state: RetryCallState) -> float:
        asked_for = getattr(state.outcome and state.outcome.exception(), "retry_after", None)
        return backoff(state) if asked_for is None else asked_for

    return {
        "sleep": anyio.sleep,
        "before": None,  # tenacity's own does nothing, and is wrapped for each call
        "stop": tenacity.stop_after_attempt(1 + retries),
        "wait": pause,
        "retry": tenacity.retry_if_exception(_may_pass),
        "reraise": True,
    }


def _may_pass(error: BaseException) -> bool:
    """Return whether a further attempt is worth making."""
    if isinstance(error, NetworkError):
        return not error.is_local
    pause: float | None = getattr(error, "retry_after", None)
    if isinstance(error, RateLimited) and pause is None:
        return False  # WhatsApp's limit lasts for minutes, and every request prolongs it
    return isinstance(error, TRANSIENT) and (pause is None or pause <= _MAX_PAUSE)


def _too_slow(call: Call[T], within: float) -> RequestTimeout:
    return RequestTimeout(_TOO_SLOW.format(path=call.endpoint.path, within=within))


def _log(call: Call[T], result: str, connection: Connection, number: int) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        milliseconds = (anyio.current_time() - connection.began) * 1000
        name = "" if call.name is None else f", {call.name}"
        logger.debug(
            "GET %s: %s in %.0f ms, attempt %d%s",
            call.endpoint.path,
            result,
            milliseconds,
            number,
            name,
        )

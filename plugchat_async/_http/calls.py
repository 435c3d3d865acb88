"""How one call is made: an exchange with its deadline and its cap, and further attempts."""

from __future__ import annotations

import itertools
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import anyio

from plugchat_async._errors import (
    TRANSIENT,
    NetworkError,
    PlugChatError,
    RequestTimeout,
    ResponseError,
)
from plugchat_async._wire import Answer

from .body import UnreadableBody, read_body
from .pool import close, location
from .quirks import close_after_surplus

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from plugchat_async._wire import Endpoint, Redact

    from .credentials import Credentials
    from .pool import Connections

logger = logging.getLogger("plugchat_async")

T = TypeVar("T")

# A code lives 20 s: a server that asks for a longer pause has refused this round.
_LONGEST_PAUSE = 20.0


class Call(NamedTuple, Generic[T]):
    """What to ask, of which instance, and how to read the answer."""

    endpoint: Endpoint
    base_url: str | None
    credentials: Credentials
    read: Callable[[Answer, Redact], T | ResponseError]


class Result(NamedTuple, Generic[T]):
    """What a call brought, and when the attempt that brought it began."""

    value: T
    asked_at: datetime
    asked_at_clock: float


class Exchange:
    """Make calls over shared connections."""

    def __init__(self, connections: Connections, *, timeout: float, retries: int) -> None:
        self.connections = connections
        self._timeout = timeout
        self._retries = retries

    async def make(self, call: Call[T]) -> Result[T]:
        """Make a call, and again after a transient failure.

        Raises:
            PlugChatError: No attempt brought what was asked for.
        """
        try:
            return await self.make_once(call)
        except TRANSIENT as error:
            if self._retries == 0 or not _may_pass(error):
                raise
            first_failure = error
        return await self._retry(call, first_failure)

    async def make_once(self, call: Call[T]) -> Result[T]:
        """Make a call that is worth no further attempt, since another one comes anyway.

        Raises:
            PlugChatError: It did not bring what was asked for.
        """
        return await self._attempt(call, 1)

    async def _retry(self, call: Call[T], first_failure: PlugChatError) -> Result[T]:
        import tenacity

        backoff = tenacity.wait_exponential(multiplier=0.5, max=4) + tenacity.wait_random(0, 0.5)

        def pause(state: tenacity.RetryCallState) -> float:
            asked_for = getattr(state.outcome and state.outcome.exception(), "retry_after", None)
            return backoff(state) if asked_for is None else asked_for

        retrying = tenacity.AsyncRetrying(
            sleep=anyio.sleep,
            stop=tenacity.stop_after_attempt(1 + self._retries),
            wait=pause,
            retry=tenacity.retry_if_exception(_may_pass),
            reraise=True,
        )
        numbers = itertools.count(1)

        async def attempt() -> Result[T]:
            number = next(numbers)
            if number == 1:
                # Made above: a call that succeeds at once never enters the retry library.
                raise first_failure
            return await self._attempt(call, number)

        result: Result[T] = await retrying(attempt)
        return result

    async def _attempt(self, call: Call[T], number: int) -> Result[T]:
        client = await self.connections.acquire()
        asked_at, began = datetime.now(UTC), anyio.current_time()
        is_usable = False
        try:
            answer = await self._exchange(client, call, asked_at)
            is_usable = True
        except PlugChatError as error:
            _log(call, error.code, began, number)
            raise
        finally:
            await self.connections.release(client, is_usable=is_usable)
        _log(call, str(answer.status_code), began, number)
        value = call.read(answer, call.credentials.redact)
        if isinstance(value, ResponseError):
            raise value
        return Result(value, asked_at, began)

    async def _exchange(
        self, client: httpx.AsyncClient, call: Call[T], asked_at: datetime
    ) -> Answer:
        failures = self.connections.failures
        # What the caller is handling at this moment becomes a context of ours, and stays whole.
        handled = sys.exception()
        unmapped: Exception | None = None
        try:
            with anyio.move_on_after(self._timeout):
                url = call.endpoint.url(call.base_url)
                request = self.connections.build_request(client, url, call.credentials.headers())
                try:
                    response = await client.send(request, stream=True, follow_redirects=False)
                except failures.status as error:
                    # httpx documents raise_for_status() in a hook: an answer it is, all the same.
                    response = error.response
                try:
                    content, unreadable = await read_body(response), None
                except UnreadableBody as error:
                    content, unreadable = b"", str(error)
                finally:
                    if not response.is_closed:  # it is, where it was read to the end
                        await close(response)
                await close_after_surplus(response)
                return Answer(
                    status_code=response.status_code,
                    content=content,
                    asked_at=asked_at,
                    retry_after=response.headers.get("Retry-After"),
                    location=location(response),
                    unreadable=unreadable,
                )
        except (TimeoutError, failures.timeout) as error:
            _hide_secrets(error, call.credentials.redact, but=handled)
            raise self._timed_out(call) from error
        except failures.other as error:
            _hide_secrets(error, call.credentials.redact, but=handled)
            raise _no_answer(call, error) from error
        except failures.unmapped as error:
            # It has the request's headers for attributes: httpx's own stands for it.
            unmapped = failures.protocol(type(error).__name__)
        except anyio.get_cancelled_exc_class() as error:
            _hide_secrets(error, call.credentials.redact, but=handled)
            raise
        if unmapped is not None:
            raise _no_answer(call, unmapped) from unmapped
        raise self._timed_out(call)

    def _timed_out(self, call: Call[T]) -> RequestTimeout:
        return RequestTimeout(
            f"no complete answer from {call.endpoint.path} within {self._timeout:g} s: check the"
            " network, or give a longer timeout"
        )


def _no_answer(call: Call[T], error: Exception) -> NetworkError:
    return NetworkError(
        f"no answer from {call.endpoint.path}, {type(error).__name__}: check the network"
        " and base_url"
    )


def _may_pass(error: BaseException) -> bool:
    """Tell whether a further attempt is worth making."""
    pause = getattr(error, "retry_after", None)
    return isinstance(error, TRANSIENT) and (pause is None or pause <= _LONGEST_PAUSE)


def _log(call: Call[T], result: str, began: float, number: int) -> None:
    if not logger.isEnabledFor(logging.DEBUG):
        return
    logger.debug(
        "GET %s: %s in %.0f ms, attempt %d",
        call.endpoint.path,
        result,
        (anyio.current_time() - began) * 1000,
        number,
    )


def _hide_secrets(error: BaseException, redact: Redact, *, but: BaseException | None) -> None:
    """Drop the frames of an http library, which hold headers and body, and redact its words."""
    seen = {id(but)}
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            link.__traceback__ = None
            if isinstance(link, Exception):  # by its words a cancellation is told from another
                link.args = tuple(redact(a) if isinstance(a, str) else a for a in link.args)
            links += [link.__cause__, link.__context__]

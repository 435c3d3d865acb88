"""How one request is sent, once: its deadline, its body, and what any failure becomes."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

import anyio

from plugchat_async._errors import NetworkError, PlugChatError, RequestTimeout
from plugchat_async._wire import Response

from . import quirks
from .body import UnreadableBody, read_body
from .closing import close

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from .credentials import Credentials


CLOSED = "this client was closed by aclose(); make a new one"

_ANOTHER_LOGIN = (
    "nothing was sent to {place}, since aiohttp has another login for that host and refuses the"
    " token beside it: remove the host from .netrc, or make the aiohttp session without auth= and"
    " trust_env=True"
)

_MAX_REASON = 200

# Extensions of a request: the deadline is ours, and a handshake needs to be watched.
_NO_TIMEOUTS = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"))}
UNWATCHED: Mapping[str, Any] = _NO_TIMEOUTS
WATCHED: Mapping[str, Any] = {**_NO_TIMEOUTS, "trace": quirks.close_after_failed_handshake}


class Library(Protocol):
    """The names that httpx and httpx2 share."""

    URL: type[httpx.URL]
    Request: type[httpx.Request]
    ConnectError: type[httpx.ConnectError]
    ConnectTimeout: type[httpx.ConnectTimeout]
    HTTPStatusError: type[httpx.HTTPStatusError]
    PoolTimeout: type[httpx.PoolTimeout]
    ProxyError: type[httpx.ProxyError]
    TimeoutException: type[httpx.TimeoutException]
    UnsupportedProtocol: type[httpx.UnsupportedProtocol]


class Connection(ABC):
    """A way to the API, lent for one turn.

    Attributes:
        is_usable: Whether another request can follow.
        has_failed: Whether a request over it brought no response.
        has_sent: Whether the last request may have reached PlugChat.
        began: When the last request was made, by the event loop's clock.
        ended: When its response had arrived, by the same clock.
    """

    is_usable = True
    has_failed = False
    has_sent = True
    began = 0.0
    ended = 0.0

    def __init__(self, library: Library) -> None:
        self._library = library

    def sends_twice(self, url: str) -> bool:  # noqa: ARG002 - depends on it over a user's client
        """Return whether the HTTP client below sends a request again by itself."""
        return False

    @abstractmethod
    async def _send(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        """Send one request, without following a redirect, and leave the body unread."""

    async def get(
        self,
        url: str,
        credentials: Credentials,
        *,
        timeout: float,  # noqa: ASYNC109 - its end is an error of ours
    ) -> Response:
        """Request a URL and read the whole response.

        Args:
            url: The endpoint's address.
            credentials: What identifies the instance.
            timeout: Seconds from now to the last byte.

        Raises:
            RequestTimeout: No complete response arrived in time.
            NetworkError: No response arrived, for whatever reason the HTTP client gives.
            PlugChatError: A hook or a transport of a user-supplied client raised it.
        """
        # The exception that the caller handles now becomes a context of ours; it stays unchanged.
        handled = sys.exception()
        self.is_usable = False
        self.began = anyio.current_time()
        try:
            with anyio.CancelScope(deadline=self.began + timeout):
                response = await self._exchange(url, credentials.headers())
                self.ended = anyio.current_time()
                self.is_usable = True
                return response
            failure: PlugChatError = _timed_out(url, timeout)
        except PlugChatError as error:
            failure = _without_secrets(error, url, credentials, but=handled)
        except Exception as error:  # noqa: BLE001 - transports are free to raise anything, and do
            is_late = isinstance(error, TimeoutError | self._library.TimeoutException)
            self.has_sent = not self._comes_before_sending(error, url)
            cause = credentials.clean(error, but=handled)
            words = _words_of_the_system(cause, but=handled)
            failure = _timed_out(url, timeout) if is_late else _failed(url, error, words)
            failure.__cause__ = cause
        except BaseException as error:  # a cancellation, or Ctrl-C on trio
            credentials.clean(error, but=handled)
            raise
        self.has_failed = True
        # Outside of the handler, so that what can't be cleaned is not the context.
        raise failure

    def _comes_before_sending(self, error: Exception, url: str) -> bool:
        library = self._library
        before = (
            library.ConnectError,  # also if TLS fails
            library.ConnectTimeout,
            library.PoolTimeout,
            library.ProxyError,
            library.UnsupportedProtocol,
        )
        if not isinstance(error, before):
            return False
        try:
            return error.request.url == library.URL(url)  # or it is of a hook's own request
        except RuntimeError:  # it is of none
            return False

    async def _exchange(self, url: str, headers: Mapping[str, str]) -> Response:
        asked_at = datetime.now(UTC)
        response = await self._send(url, headers)
        try:
            content, unreadable = await read_body(response), None
        except UnreadableBody as error:
            content, unreadable = b"", str(error)
        finally:
            if not response.is_closed:  # it is after a body that was read to the end
                await close(response)
        await quirks.close_after_trailing_data(response)
        return Response(
            status_code=response.status_code,
            content=content,
            asked_at=asked_at,
            headers=response.headers,
            unreadable=unreadable,
        )


def _without_secrets(
    error: PlugChatError, url: str, credentials: Credentials, *, but: BaseException | None
) -> PlugChatError:
    """Return an error about the environment, or of a hook that makes calls itself."""
    if isinstance(error, NetworkError) and error.is_local:
        return error.with_traceback(None)  # a long path in it is not a secret
    cleaned = credentials.clean(error, but=but)
    if isinstance(cleaned, PlugChatError):
        return cleaned
    failure = _failed(url, error)
    failure.__cause__ = cleaned
    return failure


def _timed_out(url: str, timeout: float) -> RequestTimeout:
    return RequestTimeout(
        f"no complete response from {_place(url)} within {timeout:g} s: check the network, or give"
        " a longer timeout"
    )


def _failed(url: str, error: Exception, words: str = "") -> NetworkError:
    if quirks.is_of_another_login(error):
        failure = NetworkError(_ANOTHER_LOGIN.format(place=_place(url)))
        failure.is_local = True
        return failure
    return NetworkError(
        f"no response from {_place(url)}, {type(error).__name__}{f' ({words})' if words else ''}:"
        " check the network, the proxy if there is one, and base_url"
    )


def _words_of_the_system(error: BaseException, *, but: BaseException | None) -> str:
    """Return what the operating system or OpenSSL says of a failure; libraries drop their words.

    What others say stays in the chain alone: it may quote what was received, and so a code.
    """
    words = ""
    looked_at = {id(but)}
    following: BaseException | None = error
    while following is not None and id(following) not in looked_at:
        looked_at.add(id(following))
        if isinstance(following, OSError) and following.strerror:
            words = f"{type(following).__name__}: {following.strerror}"
        if isinstance(following, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", following)
            following = group.exceptions[0]
        else:
            following = following.__cause__ or following.__context__
    return words[:_MAX_REASON]


def _place(url: str) -> str:
    """Return the endpoint and its host, so that a forgotten base URL shows."""
    parts = urlsplit(url)
    return f"/{parts.path.rpartition('/api/whatsapp/')[2].lstrip('/')} at {parts.netloc}"

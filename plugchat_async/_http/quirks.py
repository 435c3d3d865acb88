"""Workarounds for faults of the HTTP libraries, each by itself.

Each says what happens without it, the version in which that was seen, and where it is reported.
Those that read private names do nothing if the names change; `tests/http` has a test
for each, which also fails when it is needed no more.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextvars import ContextVar
from copy import copy
from http.cookiejar import CookieJar
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

import httpx

from .closing import close

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .closing import Closable

# The response to an earlier request is taken for that to the next one (httpcore 1.0.9).
#
# httpcore closes an idle connection on which something arrived, but looks at the socket alone: what
# it has read already stays in h11's buffer, to which no public name leads
# (https://github.com/encode/httpcore/issues/872). The reuse itself is not reported.

_connection_of = attrgetter("stream._stream._httpcore_stream._stream._connection")
_trailing_data_of = attrgetter("_h11_state.trailing_data")


async def close_after_trailing_data(response: httpx.Response) -> None:
    """Close the connection if more than the response arrived (RFC 9112, section 9.2).

    On connections that work otherwise, HTTP/2 and aiohttp's among them, it does nothing.
    """
    try:
        connection = _connection_of(response)
        trailing_data, _ = _trailing_data_of(connection)
    except AttributeError:
        return
    if trailing_data:
        await close(connection)


# A TLS handshake that is cancelled leaves its socket open, and so does a SOCKS handshake that fails
# or is cancelled (httpcore 1.0.9).
#
# For TLS: https://github.com/encode/httpcore/pull/475. For SOCKS nothing is reported.

_FAILED_HANDSHAKES = {
    "connection.start_tls.failed",
    "proxy.start_tls.failed",
    "socks.setup_socks5_connection.failed",
    "socks.start_tls.failed",
}
_in_handshake: ContextVar[Closable | None] = ContextVar("_in_handshake", default=None)


async def close_after_failed_handshake(event: str, info: Mapping[str, Closable]) -> None:
    """Close the socket of a handshake that failed or was cancelled.

    This is the request's extension `trace`, which httpcore calls before and after each step.
    """
    if event in {"connection.connect_tcp.complete", "socks.connect_tcp.complete"}:
        _in_handshake.set(info["return_value"])
    elif event in {"connection.start_tls.complete", "socks.start_tls.complete"}:
        _in_handshake.set(None)
    elif event in _FAILED_HANDSHAKES and (stream := _in_handshake.get()):
        await close(stream)


# A redirect to what is not a URL raises, although redirects are not followed (httpx 0.28.1).
#
# https://github.com/encode/httpx/pull/3706, https://github.com/pydantic/httpx2/pull/1064


async def set_location_aside(response: httpx.Response) -> None:
    """Hide `Location` from httpx, as an event hook."""
    if response.has_redirect_location:
        response.extensions["location"] = response.headers.pop("Location")


def put_location_back(response: httpx.Response) -> None:
    """Undo `set_location_aside`, once httpx has handed the response over."""
    if "location" in response.extensions:
        response.headers["Location"] = response.extensions.pop("location")


# A cookie that is set by PlugChat reaches other calls, or breaks them (httpx 0.28.1, aiohttp 3.14).
#
# httpx extracts cookies from every response into the client's jar, where one that is not ASCII
# makes each later request fail, and a redirect that has it; aiohttp's session adds its own jar to
# every request. Both are documented, and neither can be switched off for a request. Not reported.


class ClientWithoutCookies(httpx.AsyncClient):
    """An httpx client that takes and sends no cookie.

    An empty jar would do as well, but httpx translates each response for it, 4 % of a call.
    """

    @property
    def cookies(self) -> httpx.Cookies:
        """No cookies."""
        return _no_cookies

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        """Take no cookies."""


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Take no cookie."""


_no_cookies = _NoCookies()


def without_cookies(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Copy a client, with all that it has but its jar: the copy's takes and gives no cookie."""
    client = copy(client)
    client.cookies = _EmptyJar()
    return client


class _EmptyJar(CookieJar):
    """A jar that stays empty."""

    def extract_cookies(self, response: object, request: object) -> None:
        """Take no cookie."""


# A class that closes its transport when it is collected closes the one that the copy shares.
#
# https://github.com/openai/openai-python/blob/main/src/openai/_base_client.py has such a class.


def discard(client: httpx.AsyncClient) -> None:
    """Let a copy that was used seem closed, so that nobody closes what it shares."""
    states = cast("Any", type(getattr(client, "_state", None)))
    if hasattr(states, "CLOSED"):
        client._state = states.CLOSED  # pyright: ignore[reportPrivateUsage]


def forget_cookies_of_aiohttp(client: httpx.AsyncClient, url: httpx.URL) -> None:
    """Remove from the jar of aiohttp's session what it would send to a URL."""

    def is_sent(cookie: Mapping[str, str]) -> bool:
        return f".{url.host}".endswith(f".{cookie['domain'].lstrip('.')}")

    for transport in _aiohttp_transports(client, url):
        session = getattr(transport, "client", None)
        jar = getattr(session, "cookie_jar", None)
        if jar is not None:
            jar.clear(is_sent)


# A .netrc that names the host makes each call fail if the session has trust_env (aiohttp 3.14).
#
# aiohttp takes no `Authorization` header beside a login, and reads .netrc if the session may read
# proxies from the environment: https://github.com/aio-libs/aiohttp/pull/7131. Not reported.


def is_of_another_login(error: Exception) -> bool:
    """Return whether aiohttp refused the token because of a login for the same host."""
    words = error.args if type(error) is ValueError else ()
    return any(isinstance(each, str) and "combine AUTHORIZATION header" in each for each in words)


# A GET is sent twice when the connection breaks, and no public name prevents it (aiohttp 3.14).
#
# https://github.com/aio-libs/aiohttp/issues/10790


def sends_twice(client: httpx.AsyncClient, url: httpx.URL) -> bool:
    """Return whether a client sends a request again by itself."""
    return any(_aiohttp_transports(client, url))


# How deep aiohttp's transport may be inside others, which log, trace, cache or choose.
_MAX_DEPTH = 5
_LEADS_FURTHER = ("handle_async_request", "_transport_for_url")


def _aiohttp_transports(client: httpx.AsyncClient, url: httpx.URL) -> Iterator[object]:
    """Yield the transports for a URL that are aiohttp's; httpx has no public name for them."""
    aiohttp: Any = sys.modules.get("httpx_aiohttp")
    find_transport = getattr(client, "_transport_for_url", None)
    if aiohttp is None or find_transport is None:
        return
    seen: set[int] = set()
    transports: list[object] = [find_transport(url)]
    for _ in range(1 + _MAX_DEPTH):
        yield from (each for each in transports if isinstance(each, aiohttp.AiohttpTransport))
        seen.update(map(id, transports))
        inner = (each for transport in transports for each in _attributes(transport))
        transports = [
            each
            for each in inner
            if id(each) not in seen and any(hasattr(type(each), name) for name in _LEADS_FURTHER)
        ]


def _attributes(wrapper: object) -> Iterator[object]:
    """Yield what an object has as attributes, and what is in the lists and mappings among them."""
    names = [*getattr(wrapper, "__dict__", ())]
    names += [name for cls in type(wrapper).__mro__ for name in getattr(cls, "__slots__", ())]
    for name in names:
        value: object = getattr(wrapper, name, None)
        if isinstance(value, Mapping):
            yield from cast("Mapping[object, object]", value).values()
        elif isinstance(value, list | tuple):
            yield from cast("Iterable[object]", value)
        else:
            yield value

"""Where connections come from: a pool of our own, or a client that was brought along.

Our own pool hands out httpx clients of one connection each. A single client with many connections
scans all of them on every request, and requests that wait inside it can't be cancelled cheaply.
"""

from __future__ import annotations

import sys
from collections import deque
from contextvars import ContextVar
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import anyio
import httpx

from plugchat_async._errors import NetworkError
from plugchat_async._version import __version__

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

# Load balancers close idle connections after 60 s or more: ours is given up before theirs is.
_IDLE_SECONDS = 55.0


class AsyncHTTPClient(Protocol):
    """Describe what tells the AsyncClient of httpx, and of httpx2, to a type checker."""

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        ...

    async def aclose(self) -> None:
        """Close it."""
        ...


class Failures(NamedTuple):
    """The exceptions of one family of clients: by `status` an answer came, by the others none."""

    status: type[httpx.HTTPStatusError]
    timeout: type[Exception]
    other: tuple[type[Exception], ...]
    unmapped: tuple[type[Exception], ...]
    protocol: type[Exception]


class Connections(Protocol):
    """Lend a client for one request at a time."""

    failures: Failures
    is_closed: bool

    def build_request(
        self, client: httpx.AsyncClient, url: str, headers: Mapping[str, str]
    ) -> httpx.Request:
        """Build the request of one call, to be sent with the client that was lent for it."""
        ...

    async def acquire(self) -> httpx.AsyncClient:
        """Wait for a turn, first come, first served."""
        ...

    async def release(self, client: httpx.AsyncClient, *, is_usable: bool) -> None:
        """Take the client back, which is of no more use where its exchange failed."""
        ...

    async def aclose(self) -> None:
        """Close what is ours to close, and lend no more."""
        ...


class _Idle(NamedTuple):
    client: httpx.AsyncClient
    since: float


class Pool:
    """Own up to `max_connections` connections, and reuse the one that was used last.

    Args:
        max_connections: How many.
        uses_proxies: Whether the environment's proxies are used.
    """

    def __init__(self, max_connections: int, *, uses_proxies: bool = True) -> None:
        self.failures = _HTTPX_FAILURES
        self.is_closed = False
        self._uses_proxies = uses_proxies
        self._templates: dict[str, httpx.Request] = {}
        self._turns = anyio.Semaphore(max_connections, fast_acquire=True)
        self._idle: deque[_Idle] = deque()
        # One, or all first calls would read the CA bundle; of its own, as an app's may be busy.
        self._reader = anyio.CapacityLimiter(1)

    def build_request(
        self, client: httpx.AsyncClient, url: str, headers: Mapping[str, str]
    ) -> httpx.Request:
        """Build it out of the first one to this address: a whole one is a tenth of a call."""
        template = self._templates.get(url)
        if template is None:
            template = self._templates[url] = _build_request(client, url, url, {})
        all_headers = httpx.Headers(template.headers)
        for name, value in headers.items():
            all_headers[name] = value
        return httpx.Request(
            template.method,
            template.url,
            headers=all_headers,
            stream=template.stream,
            extensions=template.extensions,
        )

    async def acquire(self) -> httpx.AsyncClient:
        """Wait for a turn, first come, first served."""
        await self._turns.acquire()
        try:
            if self.is_closed:
                raise RuntimeError(CLOSED)
            return self._idle.pop().client if self._idle else await self._open()
        except BaseException:  # cancellation, too, must not lose a turn
            self._turns.release()
            raise

    async def release(self, client: httpx.AsyncClient, *, is_usable: bool) -> None:
        """Take the client back, its connection kept alive."""
        self._turns.release()
        # httpcore 1.0.9 keeps the place of a connection whose handshake behind a proxy failed, and
        # each later call would wait for it.
        if self.is_closed or not is_usable:
            await close(client)
            return
        now = anyio.current_time()
        self._idle.append(_Idle(client, now))
        # The one used last is used again, so that nothing else notices the end of the others.
        if self._idle[0].since < now - _IDLE_SECONDS:
            await close(self._idle.popleft().client)

    async def aclose(self) -> None:
        """Close what is idle; a connection in use is closed when its call gives it back."""
        self.is_closed = True
        while self._idle:
            await close(self._idle.pop().client)

    async def _open(self) -> httpx.AsyncClient:
        try:
            return httpx.AsyncClient(
                verify=await anyio.to_thread.run_sync(_tls_context, limiter=self._reader),
                limits=httpx.Limits(max_connections=1, keepalive_expiry=_IDLE_SECONDS),
                # The connections serve many tenants: a cookie of one must not reach another.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                headers={"User-Agent": f"plugchat-async/{__version__}"},
                event_hooks={"response": [_set_location_aside]},
                trust_env=self._uses_proxies,
            )
        except httpx.InvalidURL:
            reason: Exception = ValueError("a proxy's URL is not valid")  # httpx may quote its user
        except (OSError, ValueError, ImportError) as error:
            reason = error
        raise NetworkError(
            f"no connection can be made, {reason}: check the environment variables SSL_CERT_FILE,"
            " HTTPS_PROXY and ALL_PROXY"
        ) from reason


class BorrowedClient:
    """Share a client that somebody else owns, with the pool, hooks and limits it has."""

    def __init__(self, client: AsyncHTTPClient) -> None:
        family = _family(client)
        self.failures = _failures(family)
        self.is_closed = False
        # httpx2 kept httpx's interface, so that one name stands for both.
        self._client = cast("httpx.AsyncClient", client)
        self._urls: dict[str, httpx.URL] = {}

    def build_request(
        self, client: httpx.AsyncClient, url: str, headers: Mapping[str, str]
    ) -> httpx.Request:
        """Build it with what the client adds now: headers, cookies, parameters."""
        request = _build_request(client, url, self._urls.get(url, url), headers)
        if url not in self._urls:
            self._urls[url] = type(request.url)(url)
        return request

    async def acquire(self) -> httpx.AsyncClient:
        """Lend the client at once: its own pool makes calls wait."""
        if self.is_closed:
            raise RuntimeError(CLOSED)
        return self._client

    async def release(self, client: httpx.AsyncClient, *, is_usable: bool) -> None:
        """Do nothing: the client was never taken."""

    async def aclose(self) -> None:
        """Lend no more, and leave the client open for its owner."""
        self.is_closed = True


class Closable(Protocol):
    """Describe what holds a connection."""

    async def aclose(self) -> None:
        """Give it up."""
        ...


async def close(resource: Closable) -> None:
    """Close what holds a connection, whatever is being cancelled, in a second at most."""
    with anyio.move_on_after(1, shield=True):
        await resource.aclose()


_FAILED_HANDSHAKES = {
    "connection.start_tls.failed",
    "socks.setup_socks5_connection.failed",
    "socks.start_tls.failed",
}
_in_handshake: ContextVar[Closable | None] = ContextVar("_in_handshake", default=None)


async def close_after_failed_handshake(event: str, info: Mapping[str, Closable]) -> None:
    """Close the socket that httpcore leaves open when a handshake fails, be it TLS's or SOCKS's.

    It is a request's extension `trace`, which httpcore calls before and after each of its steps.
    """
    if event in {"connection.connect_tcp.complete", "socks.connect_tcp.complete"}:
        _in_handshake.set(info["return_value"])
    elif event in {"connection.start_tls.complete", "socks.start_tls.complete"}:
        _in_handshake.set(None)
    elif event in _FAILED_HANDSHAKES and (stream := _in_handshake.get()):
        await close(stream)


def _build_request(
    client: httpx.AsyncClient, url: str, parsed: httpx.URL | str, headers: Mapping[str, str]
) -> httpx.Request:
    return client.build_request(
        "GET",
        parsed,
        # What is small is not worth compressing, and a bomb is not to be invited.
        headers={**headers, "Accept-Encoding": "identity"},
        timeout=None,
        extensions={"trace": close_after_failed_handshake} if url.startswith("https:") else {},
    )


@cache
def _tls_context() -> ssl.SSLContext:
    """Read the CA bundle once a process: it takes tens of milliseconds and 800 KiB."""
    return httpx.create_ssl_context()


async def _set_location_aside(response: httpx.Response) -> None:
    """Keep httpx from building the redirect's request, which fails where Location is no URL."""
    if "Location" in response.headers:
        response.extensions["location"] = response.headers.pop("Location")


def location(response: httpx.Response) -> str | None:
    """Tell where a redirect points to."""
    aside: str | None = response.extensions.get("location")
    return aside or response.headers.get("Location")


def _family(client: AsyncHTTPClient) -> str:
    for cls in type(client).__mro__:
        package, _, _ = cls.__module__.partition(".")
        if package in {"httpx", "httpx2"} and cls.__name__ == "AsyncClient":
            return package
    raise TypeError(
        "http_client must be an AsyncClient of httpx or httpx2,"
        f" not {type(client).__module__}.{type(client).__qualname__}"
    )


# httpx-aiohttp hands on what aiohttp's parser raises, and httpcore what a SOCKS proxy's answers do.
_NOT_MAPPED = {"aiohttp": "ClientError", "socksio": "SOCKSError"}


def _failures(family: str) -> Failures:
    module = sys.modules[family]
    return Failures(
        status=module.HTTPStatusError,
        timeout=module.TimeoutException,
        # A cookie that is not ASCII, kept by a client brought along, breaks its next request.
        other=(module.HTTPError, module.InvalidURL, OSError, UnicodeError),
        unmapped=tuple(
            getattr(sys.modules[package], name)
            for package, name in _NOT_MAPPED.items()
            if package in sys.modules
        ),
        protocol=module.RemoteProtocolError,
    )


_HTTPX_FAILURES = _failures("httpx")
CLOSED = "this client was closed by aclose(); make a new one"

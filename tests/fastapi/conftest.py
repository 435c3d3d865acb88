"""Fixtures of the page: an app over a socket, its events, and a phone that sees symbols."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest

from plugchat_async.sandbox import Sandbox
from tests.app_server import serve_app
from tests.server_sent_events import data_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from contextlib import AbstractContextManager
    from typing import Unpack

    from starlette.types import ASGIApp

    from tests.app_server import ServerSettings


@pytest.fixture
def sandbox() -> Sandbox:
    """Give a PlugChat."""
    return Sandbox()


class Serving(Protocol):
    """Serve an app over a socket until the block ends; give the URL."""

    def __call__(
        self, app: ASGIApp, **settings: Unpack[ServerSettings]
    ) -> AbstractContextManager[str]: ...


class Serve(Protocol):
    """Serve an app over a socket until the end of the test; return the URL."""

    def __call__(self, app: ASGIApp, **settings: Unpack[ServerSettings]) -> str: ...


class Listen(Protocol):
    """Open a stream of events, as a browser does."""

    def __call__(self, url: str, *, headers: Mapping[str, str] | None = None) -> Events: ...


@pytest.fixture
def serving() -> Serving:
    """Give a way to serve an app for a while."""
    return _serving


@contextmanager
def _serving(app: ASGIApp, **settings: Unpack[ServerSettings]) -> Generator[str]:
    # Over a socket: httpx reads an app's response to its end, which events lack.
    with serve_app(app, **settings) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def serve() -> Generator[Serve]:
    """Give a way to serve apps until the end of the test."""

    def serve(app: ASGIApp, **settings: Unpack[ServerSettings]) -> str:
        return stack.enter_context(_serving(app, **settings))

    with ExitStack() as stack:
        yield serve


class Events:
    """Read the events of one stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def until(self, name: str) -> dict[str, Any]:
        """Read on to the next event of a name, and give its data."""
        return data_of(name, self._lines)

    def id_of(self, name: str) -> str:
        """Read on to the next event of a name, and return its identifier."""
        self.until(name)
        return next(self._lines).removeprefix("id: ")

    def rest(self) -> str:
        """Read on to the end of the stream, and return what came."""
        return "\n".join(self._lines)


@pytest.fixture
def listen() -> Generator[Listen]:
    """Give a way to open streams of events."""
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(limits=httpx.Limits(), timeout=60))
        listening = []  # what is dropped closes its connection

        def listen(url: str, *, headers: Mapping[str, str] | None = None) -> Events:
            response = stack.enter_context(client.stream("GET", url, headers=headers))
            listening.append(Events(response))
            return listening[-1]

        yield listen

"""What the page's tests share: an app over a socket, its events, and a phone that sees symbols."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from plugchat_async.sandbox import Sandbox
from tests.app_server import serve_app
from tests.server_sent_events import data_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from fastapi import FastAPI


@pytest.fixture
def sandbox() -> Sandbox:
    """Give a PlugChat."""
    return Sandbox()


@pytest.fixture
def serving() -> Callable[..., AbstractContextManager[str]]:
    """Give a way to serve an app over a socket; it is a context manager that gives the URL."""
    return _serving


@contextmanager
def _serving(app: FastAPI, **settings: Any) -> Generator[str]:
    # Over a socket: httpx reads an app's answer to its end, which events lack.
    with serve_app(app, **settings) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def serve() -> Generator[Callable[..., str]]:
    """Give a way to serve apps until the end of the test; it returns the URL."""
    with ExitStack() as stack:
        yield lambda app, **settings: stack.enter_context(_serving(app, **settings))


class Events:
    """Read the events of one stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def until(self, name: str) -> dict[str, Any]:
        """Read on to the next event of a name, and give its data."""
        return data_of(name, self._lines)


@pytest.fixture
def listen() -> Generator[Callable[..., Events]]:
    """Give a way to open streams of events, as a browser does."""
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(limits=httpx.Limits(), timeout=10))
        listening = []  # what is dropped closes its connection

        def listen(url: str, **options: Any) -> Events:
            response = stack.enter_context(client.stream("GET", url, **options))
            listening.append(Events(response))
            return listening[-1]

        yield listen

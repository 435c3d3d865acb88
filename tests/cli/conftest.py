"""Fixtures of the command's tests: runs in this process, a served sandbox, and terminals."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol
from unittest.mock import patch

import anyio
import pytest

from plugchat_async import cli
from plugchat_async.sandbox import Sandbox
from tests.app_server import serve_plugchat

from .keyboard import Keyboard
from .threads import in_a_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    MakeOpener = Callable[[str], None]


@pytest.fixture(autouse=True)
def _a_plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LC_MESSAGES", "LANG", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    monkeypatch.setenv("TERM", "xterm-256color")
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers.copy())


@pytest.fixture(autouse=True)
def _plain_process() -> Iterator[None]:
    # The command catches signals; and to the tests they may have come ignored, as with nohup.
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    collections = gc.get_threshold()
    yield
    gc.set_threshold(*collections)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@dataclass(frozen=True, slots=True)
class Ran:
    """Result of a command."""

    exit_code: int
    bytes: bytes
    err: str
    variables: frozenset[str]

    @property
    def out(self) -> str:
        """Standard output as text."""
        return self.bytes.decode()


class Run(Protocol):
    """Function that runs the command.

    `window` makes standard output a terminal of that size, `()` one of unknown size.
    """

    def __call__(
        self, *arguments: str, window: tuple[int, int] | tuple[()] | None = None
    ) -> Ran: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run the command in this process."""

    def run(*arguments: str, window: tuple[int, int] | tuple[()] | None = None) -> Ran:
        monkeypatch.setattr(sys, "argv", ["plugchat", *arguments])
        monkeypatch.setattr(sys.stdout, "isatty", lambda: window is not None)
        for variable, value in zip(("COLUMNS", "LINES"), window or (), strict=False):
            monkeypatch.setenv(variable, str(value))
        with (
            patch.dict(os.environ),  # a process has a separate one
            patch.object(anyio, "run", partial(in_a_thread, anyio.run)),
            pytest.raises(SystemExit) as ended,
        ):
            try:
                in_a_thread(cli.main)
            finally:
                variables = frozenset(os.environ)
        out, err = capsysbinary.readouterr()
        return Ran(int(ended.value.code or 0), out, err.decode(), variables)

    return run


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyboard]:
    """Make standard input a terminal."""
    with closing(Keyboard()) as keyboard:
        monkeypatch.setattr(sys, "stdin", keyboard)
        yield keyboard


@pytest.fixture
def token() -> str:
    """Return the token that the served sandbox lets in."""
    return "F3A9-the-token-of-a-tenant-7C21"


class SandboxServer:
    """An ASGI application that hands requests on to the sandbox of the current test.

    Attributes:
        sandbox: The sandbox of the current test, or an application around it.
        base_url: The base URL of all of them.
    """

    sandbox: ASGIApp
    base_url: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.sandbox(scope, receive, send)


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    """Serve once for all tests: a server needs longer to stop than most commands to run."""
    server = SandboxServer()
    with serve_plugchat(server) as server.base_url:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer, token: str, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Return a sandbox, and point commands to it, in this process and in others."""
    sandbox_server.sandbox = sandbox = Sandbox(tokens=[token])
    monkeypatch.setenv("PLUGCHAT_BASE_URL", sandbox_server.base_url)
    monkeypatch.setenv("PLUGCHAT_TOKEN", token)
    return sandbox


@pytest.fixture
def make_opener(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> MakeOpener:
    """Make a shell script the desktop's program for files and addresses; it is given one."""

    def make_opener(script: str) -> None:
        opener = tmp_path_factory.mktemp("programs") / "xdg-open"
        opener.write_text(f"#!/bin/sh\n{script}\n")
        opener.chmod(0o755)
        monkeypatch.setenv("PATH", f"{opener.parent}{os.pathsep}{os.environ['PATH']}")

    return make_opener

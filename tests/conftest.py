"""Fixtures of many tests: both event loops, in real and in virtual time."""

from __future__ import annotations

import inspect
import shutil
import signal
import sys
from typing import TYPE_CHECKING, Any

import httpx
import looptime
import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings
from trio.testing import MockClock

from tests.redis.redis_server import PROGRAM

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

pytest_plugins = ["plugchat_async.testing"]

_NEED_REDIS = ["redis/test_processes.py", "redis/test_store.py", "redis/test_twin.py"]
collect_ignore = [] if shutil.which(PROGRAM) else _NEED_REDIS


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let asyncio's variants run on uvloop, where time is real."""
    parser.addoption("--uvloop", action="store_true", help="run asyncio's variants on uvloop")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report which tests were left out."""
    for file in collect_ignore:
        terminalreporter.write_line(f"left out: tests/{file}, which needs {PROGRAM}")


# The same examples in each run, however slow the machine is: `nox -s fuzz`, `nox -s soak` and the
# profile "thorough" look for new ones.
settings.register_profile(
    "quick", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("quick")


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    # Of a shell's background jobs, and so of their children, Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)


# By default, httpx waits for 5 s: a busy machine takes longer now and then. What the package sends
# has time-outs by itself.
_default = inspect.signature(httpx.get).parameters["timeout"].default
_default.connect = _default.read = _default.write = _default.pool = 60.0


_MAY_BLOCK = (
    # What an extra brings is imported at its first use, once a process.
    ("<frozen importlib._bootstrap>", "_find_and_load"),
    ("<frozen importlib._bootstrap>", "_lock_unlock_module"),
    # It writes a file of some kilobytes for the one person at the terminal, alone in its loop.
    ("plugchat_async/cli/_output/files.py", "show"),
    # It reads some kilobytes once, before there is a loop when the command runs.
    ("plugchat_async/cli/_texts/__init__.py", "read_texts"),
    # It reads the page's files once, when a router is made: before there is anybody to wait.
    ("plugchat_async/fastapi/_page.py", "__init__"),
)


@pytest.fixture(scope="session", autouse=True)
def _guarded_loop() -> Iterator[None]:
    """Let every call by which the package would hold up asyncio's loop raise a BlockingError."""
    with blockbuster_ctx("plugchat_async") as guard:
        for blocking in guard.functions.values():
            for module, function in _MAY_BLOCK:
                blocking.can_block_in(module, function)
        if "coverage" in sys.modules:
            # Its tracer takes a lock within whatever function it meets for the first time.
            guard.functions["threading.Lock.acquire"].deactivate()
        yield


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run a test on both event loops."""
    if request.param == "asyncio":
        return "asyncio", {"use_uvloop": request.config.getoption("--uvloop")}
    return request.param, {}


def _loop_in_virtual_time() -> asyncio.AbstractEventLoop:
    return looptime.new_event_loop(start=0, idle_timeout=30)


@pytest.fixture(params=["asyncio", "trio"])
def virtual_time(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run a test on both event loops with clocks that jump; a module makes it its backend."""
    if request.param == "trio":
        return "trio", {"clock": MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": _loop_in_virtual_time}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PLUGCHAT_TOKEN", "PLUGCHAT_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)

"""Run what is measured in a separate process, free of the memory and garbage of another's."""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
T = TypeVar("T")


def in_fresh_process(measure: Callable[P, T], *arguments: P.args, **named_arguments: P.kwargs) -> T:
    """Call a function of a module in a new process, and wait for what it returns."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(measure, *arguments, **named_arguments).result()


@contextmanager
def running(module: str, *arguments: str) -> Iterator[tuple[IO[str], IO[str]]]:
    """Run a module in a separate process until the block ends, and give its standard streams."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdin, process.stdout
        finally:
            process.kill()  # a server would wait for its open streams


def resident_kibibytes() -> float:
    """Return the most memory that this process has had so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 if sys.platform == "darwin" else most


def raise_file_limit() -> None:
    """Let this process open as many files and sockets as the system lets it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

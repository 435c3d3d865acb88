"""Calls in a separate thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def in_a_thread(call: Callable[..., T], *arguments: object, **options: object) -> T:
    """Call a function in a thread, and wait for it, which keeps coverage complete.

    On CPython 3.11 a cancelled coroutine, such as each new connection leaves behind, confuses
    coverage about the frames below it (https://github.com/coveragepy/coveragepy/issues/2124).
    """
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(call, *arguments, **options).result()

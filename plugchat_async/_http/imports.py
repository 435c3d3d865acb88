"""Imports of a call, made before the first one.

A fork in the middle of another thread's import leaves a locked module to the child, whose import of
it would wait forever: no deadline ends that, since it blocks the event loop.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

import anyio

# Imported when they are first used: by this package, and by asyncio and httpx.
_OF_ANY_CALL = ("segno", "tenacity", "concurrent.futures.thread")
_OF_OUR_CONNECTIONS = ("certifi", "httpcore")


@cache
def import_for_calls() -> None:
    """Import what a call needs over any HTTP client, on asyncio and, if it is installed, trio."""
    anyio.get_available_backends()
    for name in _OF_ANY_CALL:
        import_module(name)


@cache
def import_for_connections() -> None:
    """Import what httpx needs to make a connection of ours."""
    for name in _OF_OUR_CONNECTIONS:
        import_module(name)

"""Waiting for what happens in another thread, process or task."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def eventually(find: Callable[[], T], complaint: str = "") -> T:
    """Look until it is there, and give it; a minute is enough for a busy machine."""
    found = find()
    with anyio.move_on_after(60):
        while not found:
            await anyio.sleep(0.01)
            found = find()
    assert found, complaint
    return found

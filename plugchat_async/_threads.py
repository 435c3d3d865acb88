"""Worker threads of our own: those that anyio shares out may all be busy with an app's work."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# A limiter that two event loops share can wait forever: each loop has its own.
_drawing: RunVar[CapacityLimiter] = RunVar("plugchat_async drawing")
_decoding: RunVar[CapacityLimiter] = RunVar("plugchat_async decoding")
_reading: RunVar[CapacityLimiter] = RunVar("plugchat_async reading")

_MAX_DRAWINGS = 4
# Each may take 16 MiB.
_MAX_DECODINGS = 2


async def run_drawing(draw: Callable[[], T]) -> T:
    """Draw a code in a thread, at most four at a time."""
    return await to_thread.run_sync(draw, limiter=_limiter(_drawing, _MAX_DRAWINGS))


async def run_decoding(decode: Callable[[], T]) -> T:
    """Read an image in a thread, at most two at a time."""
    return await to_thread.run_sync(decode, limiter=_limiter(_decoding, _MAX_DECODINGS))


async def run_reading(read: Callable[[], T]) -> T:
    """Read files in a thread, one reader at a time; a caller that gives up does not wait for it."""
    limiter = _limiter(_reading, 1)
    return await to_thread.run_sync(read, abandon_on_cancel=True, limiter=limiter)


def _limiter(variable: RunVar[CapacityLimiter], tokens: int) -> CapacityLimiter:
    try:
        return variable.get()
    except LookupError:
        limiter = CapacityLimiter(tokens)
        variable.set(limiter)
        return limiter

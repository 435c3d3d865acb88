"""How the machines are played: on both event loops, in virtual time.

Each run draws the same few examples. For others, and many more of them:
`pytest tests/model --hypothesis-profile=thorough`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio
import looptime
import trio
from hypothesis import settings
from trio.testing import MockClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    T = TypeVar("T")


IS_THOROUGH = settings.get_current_profile_name() == "thorough"
SETTINGS = settings(
    deadline=None,
    derandomize=not IS_THOROUGH,
    max_examples=5000 if IS_THOROUGH else 60,
    stateful_step_count=30,
)


def on_both_loops(function: Callable[[], Awaitable[T]]) -> Iterator[tuple[str, T]]:
    """Run a coroutine function on each loop, and give what it returned there."""
    yield (
        "asyncio",
        anyio.run(
            function,
            backend="asyncio",
            backend_options={"loop_factory": lambda: looptime.new_event_loop(start=0)},
        ),
    )
    # Not by anyio.run(), which in older versions hands no clock on to trio.
    yield "trio", trio.run(function, clock=MockClock(autojump_threshold=0))

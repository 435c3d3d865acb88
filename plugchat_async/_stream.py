"""The stream of codes; how a code is fetched is told from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ._errors import AlreadyConnected

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from ._models import QRCode
    from ._schedule import Fetched, Schedule

_SCANNED = "a phone has scanned a code of this stream and is linked now: no further code is needed"


async def rounds(
    fetch: Callable[[int, int], Awaitable[Fetched]], schedule: Schedule
) -> AsyncGenerator[QRCode, None]:
    """Fetch a code for each round, and wait until the last one is over.

    Args:
        fetch: Returns the code of a round, given its number and how many there are.
        schedule: When the rounds begin, and how many there are.

    Yields:
        The codes, as they come.

    Raises:
        AlreadyConnected: There is no code since the instance is connected; `after_scan` tells
            whether a code of this stream did it.
    """
    number = 1
    while number <= schedule.max_rounds:  # each idle stream would keep the iterator of a range()
        code, shown_until = await _fetch_round(fetch, number, schedule)
        yield code
        # A consumer that held the code for longer finds this time past, and the next code's clock
        # starts when it is requested: never a burst.
        await anyio.sleep_until(shown_until)
        number += 1


async def _fetch_round(
    fetch: Callable[[int, int], Awaitable[Fetched]], number: int, schedule: Schedule
) -> tuple[QRCode, float]:
    """Return the code of a round, and until when it is shown: all that an idle stream keeps."""
    try:
        fetched = await fetch(number, schedule.max_rounds)
    except AlreadyConnected as error:
        error.round, error.after_scan = number, number > 1
        if error.after_scan:
            error.args = (_SCANNED,)
        raise
    return fetched.code, schedule.shown_until(fetched)

"""When the next code is due. What a code is, and how it is fetched, is told from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ._errors import AlreadyConnected

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from ._models import QRCode


async def rounds(
    fetch: Callable[[int, int], Awaitable[tuple[QRCode, float]]],
    *,
    interval: float,
    max_rounds: int,
) -> AsyncGenerator[QRCode, None]:
    """Fetch a code each `interval` seconds, at most `max_rounds`, and let the last one live.

    Args:
        fetch: Brings the code of a round, given its number and how many there are, and the moment
            on the event loop's clock at which it was asked for.
        interval: Seconds from asking for one code to asking for the next.
        max_rounds: How many codes to ask for at most.

    Yields:
        The codes, as they come.

    Raises:
        AlreadyConnected: There is no code since the instance is connected; `after_scan` tells
            whether a code of this stream did it.
    """
    for number in range(1, max_rounds + 1):
        try:
            code, asked_at = await fetch(number, max_rounds)
        except AlreadyConnected as error:
            error.round, error.after_scan = number, number > 1
            raise
        yield code
        # A consumer that held the code for longer finds this moment past, and the next code's
        # clock starts when it is asked for: never a burst.
        await anyio.sleep_until(asked_at + interval)

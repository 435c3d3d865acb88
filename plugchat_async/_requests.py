"""The requests that a session makes, whoever runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ._errors import PlugChatError
from ._rounds import Do

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._models import InstanceStatus
    from ._schedule import Fetched


class Requests(NamedTuple):
    """The requests of one instance.

    Attributes:
        fetch_code: Returns the code of a round, given its number and how many there are.
        status_once: Returns the status, in one attempt.
        status: Returns the status; transient failures are retried.
    """

    fetch_code: Callable[[int, int], Awaitable[Fetched]]
    status_once: Callable[[], Awaitable[InstanceStatus]]
    status: Callable[[], Awaitable[InstanceStatus]]

    async def is_connected(self, do: Do) -> bool:
        """Return whether a phone is linked; some deployments lack `/status`: there, False."""
        request = self.status if do is Do.REQUEST_LAST_STATUS else self.status_once
        try:
            return (await request()).connected
        except PlugChatError:
            return False

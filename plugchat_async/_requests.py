"""The requests that a session makes, whoever runs it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import anyio

from ._errors import PlugChatError, RateLimited, ServerError
from ._rounds import Do

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._models import InstanceStatus
    from ._rounds import Rounds, Step
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

    async def is_connected(self) -> bool:
        """Return whether a phone is linked; some deployments lack `/status`: there, False."""
        connected, _ = await self._request_status(self.status_once)
        return connected

    async def sees_scan(self, step: Step, rounds: Rounds) -> bool:
        """Take a step that requests the status, and return whether a phone is linked.

        Args:
            step: The step.
            rounds: The progress of the session, which is told.
        """
        is_last = step.do is Do.REQUEST_LAST_STATUS
        connected, pause = False, 0.0
        # A slow response must not make the next code late, nor count beyond it.
        with anyio.CancelScope(deadline=step.until):
            connected, pause = await self._request_status(
                self.status if is_last else self.status_once
            )
        rounds.status_requested(step, not_before=anyio.current_time() + pause)
        return connected

    async def _request_status(
        self, request: Callable[[], Awaitable[InstanceStatus]]
    ) -> tuple[bool, float]:
        try:
            return (await request()).connected, 0.0
        except RateLimited as error:
            # Without a time, every request would prolong the limit.
            return False, math.inf if error.retry_after is None else error.retry_after
        except ServerError as error:
            return False, error.retry_after or 0.0
        except PlugChatError:
            return False, 0.0

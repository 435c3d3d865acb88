"""Next request of a session, and its time. Pure: times come from outside."""

from __future__ import annotations

import math
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ._schedule import Fetched, Schedule


class Do(Enum):
    """Next action of whoever runs a session."""

    REQUEST_CODE = auto()
    REQUEST_STATUS = auto()
    """Request `/status` once: a later request makes up for one that fails."""
    REQUEST_LAST_STATUS = auto()
    """Request `/status`, with retries: nothing that follows would show a scan."""
    END = auto()
    """End without a scan."""
    REPORT = auto()
    """Tell the app how it ended."""
    STOP_LINGERING = auto()
    """Request no further code, unless somebody watches in another process."""
    PASS_TIME = auto()
    """Move on from a phase whose time is over."""


class Step(NamedTuple):
    """Next action, from when on and until when, by the event loop's clock in seconds."""

    do: Do
    at: float
    until: float = math.inf


class Rounds:
    """Progress of a session through its rounds.

    Args:
        schedule: When the rounds begin, and how many there are.

    Attributes:
        fetched: The current code; None before the first.
        spent: How many rounds have begun.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.fetched: Fetched | None = None
        self.spent: int = 0
        self._schedule = schedule
        interval = schedule.status_interval
        self._status_interval = math.inf if interval is None else interval
        self._shown_until = -math.inf
        self._status_at = math.inf
        self._status_not_before = 0.0
        self._is_last_status_known = interval is None

    @property
    def next_round(self) -> int:
        """The 1-based number of the next round."""
        return self.spent + 1

    def resume(self, spent: int, fetched: Fetched | None) -> None:
        """Go on where another process was, whose last round may never have had a code."""
        if fetched is not None:
            self.show(fetched)
        self.spent = spent

    def begin(self) -> None:
        """Begin a round, whether its code comes or not."""
        self.spent += 1

    def show(self, fetched: Fetched) -> None:
        """Show the code of a round, which it begins unless it has begun."""
        self.fetched, self.spent = fetched, fetched.code.round
        self._shown_until = self._schedule.shown_until(fetched)
        self._status_at = fetched.began + self._status_interval
        self._is_last_status_known = math.isinf(self._status_interval)
        if math.isinf(self._status_not_before):  # the API permits requests again
            self._status_not_before = 0.0

    def keep_showing(self) -> None:
        """Show the current code for as long as it is valid."""
        if self.fetched is not None:
            self._shown_until = max(self._shown_until, self.fetched.expires)

    def status_requested(self, step: Step, *, not_before: float = 0.0) -> None:
        """Note that `/status` was requested.

        Args:
            step: The step that was taken.
            not_before: When the API permits the next regular one; infinity for not before the
                next code.
        """
        self._status_at = step.at + self._status_interval
        self._status_not_before = not_before
        self._is_last_status_known |= step.do is Do.REQUEST_LAST_STATUS

    def next(self, now: float) -> Step:
        """Return the next step of a session that goes from round to round."""
        if self.next_round > self._schedule.max_rounds:
            return self.next_status(now, until=self._shown_until)
        if self.fetched is None:
            return Step(Do.REQUEST_CODE, now)
        status = self._next_regular_status(now, until=self._shown_until)
        return status or Step(Do.REQUEST_CODE, self._shown_until)

    def next_status(self, now: float, *, until: float) -> Step:
        """Return the next step of a session that requests no code any more, and ends then."""
        if self._is_last_status_known:
            return Step(Do.END, until)
        last = Step(Do.REQUEST_LAST_STATUS, until, max(until, now) + self._schedule.interval)
        return self._next_regular_status(now, until=until) or last

    def _next_regular_status(self, now: float, *, until: float) -> Step | None:
        # A slow response, or a consumer that held the code for long, has let that time pass.
        at = max(self._status_at, self._status_not_before, now)
        return Step(Do.REQUEST_STATUS, at, until) if at < until else None

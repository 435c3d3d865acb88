"""When codes are requested, and how long each is shown. Pure: times come from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from . import _arguments
from ._models import CODE_LIFETIME

if TYPE_CHECKING:
    from ._models import QRCode

DEFAULT_INTERVAL = 15.0
DEFAULT_MAX_ROUNDS = 3
DEFAULT_STATUS_INTERVAL = 2.0


class Fetched(NamedTuple):
    """A code, and when its request began and ended, by the event loop's clock in seconds."""

    code: QRCode
    began: float
    ended: float

    @property
    def expires(self) -> float:
        """When the code expires, by the same clock."""
        return self.began + CODE_LIFETIME.total_seconds()


@dataclass(frozen=True, slots=True)
class Schedule:
    """The pace of a session.

    Args:
        interval: Seconds from one code to the next, more than 0 and at most 20.
        max_rounds: The most codes to request, at least 1.
        status_interval: Seconds from one request of `/status` to the next, more than 0; None for
            none.

    Raises:
        ValueError: An argument is out of range.
        TypeError: An argument is of the wrong type.
    """

    interval: float = DEFAULT_INTERVAL
    max_rounds: int = DEFAULT_MAX_ROUNDS
    status_interval: float | None = DEFAULT_STATUS_INTERVAL

    def __post_init__(self) -> None:
        _arguments.check_interval(self.interval)
        _arguments.check_count("max_rounds", self.max_rounds, at_least=1)
        if self.status_interval is not None:
            _arguments.check_seconds("status_interval", self.status_interval)

    def shown_until(self, fetched: Fetched) -> float:
        """Return when a code gives way to the next one, or when the last one ends the session.

        Rounds begin `interval` seconds apart, whatever a request takes. If it took most of the
        interval, the next code would follow too soon: then, and after the last code, a code is
        shown for `interval` seconds from its arrival, or for as long as it is valid.
        """
        code, began, ended = fetched
        is_slow = ended - began > self.interval / 2
        if not is_slow and code.round < self.max_rounds:
            return began + self.interval
        return min(ended + self.interval, fetched.expires)

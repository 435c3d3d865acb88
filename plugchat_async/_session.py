"""The life of a session for many watchers: its phases, and what moves it from one to the next.

Pure: no I/O, and times come from outside. A driver says what has happened, and does what is next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ._pairing import PairingOutcome
from ._pairing_state import Expired
from ._rounds import Do, Rounds, Step

if TYPE_CHECKING:
    from ._pairing_state import Connected, Failed
    from ._schedule import Schedule


_CONNECTED = {PairingOutcome.CONNECTED, PairingOutcome.ALREADY_CONNECTED}

# A scan in the last second of a code is reported by `/status` some seconds later.
GRACE_AFTER_EXPIRY = 10.0
ENDING_KEPT_FOR = 3600.0


class Phase(StrEnum):
    """Phase in the life of a session."""

    WATCHED = "watched"
    """Somebody watches; codes are requested."""
    LINGERING = "lingering"
    """Nobody watches; codes are still requested, since a page that reloads is back in a moment."""
    GRACE = "grace"
    """Nobody watches; only `/status` is requested, since the current code may be scanned."""
    REPORTING = "reporting"
    """It has ended; `on_end` is told, watchers are not yet."""
    ENDED = "ended"
    """Watchers see the ending."""
    KEPT = "kept"
    """Nobody watches; the next watcher sees the ending."""
    FORGOTTEN = "forgotten"
    """The next watcher begins another session."""


_RUNNING = {Phase.WATCHED, Phase.LINGERING, Phase.GRACE}


class Event(StrEnum):
    """Event that moves a session from one phase to another."""

    JOINED = "a watcher joins"
    LEFT = "the last watcher leaves"
    LINGERED = "linger is over"
    ENDED = "it ends"
    REPORTED = "on_end has returned"
    DROPPED = "on_end has returned, and it ended as left"
    OUTLIVED = "its time is over"
    RESTARTED = "restart()"


MOVES = {
    (Phase.WATCHED, Event.LEFT): Phase.LINGERING,
    (Phase.WATCHED, Event.ENDED): Phase.REPORTING,
    (Phase.LINGERING, Event.JOINED): Phase.WATCHED,
    (Phase.LINGERING, Event.LINGERED): Phase.GRACE,
    (Phase.LINGERING, Event.ENDED): Phase.REPORTING,
    (Phase.GRACE, Event.JOINED): Phase.WATCHED,
    (Phase.GRACE, Event.ENDED): Phase.REPORTING,
    (Phase.REPORTING, Event.REPORTED): Phase.ENDED,
    (Phase.REPORTING, Event.DROPPED): Phase.FORGOTTEN,
    (Phase.ENDED, Event.LEFT): Phase.KEPT,
    (Phase.ENDED, Event.RESTARTED): Phase.FORGOTTEN,
    (Phase.KEPT, Event.JOINED): Phase.ENDED,
    (Phase.KEPT, Event.OUTLIVED): Phase.FORGOTTEN,
    (Phase.KEPT, Event.RESTARTED): Phase.FORGOTTEN,
}
"""Every move there is: an event that a phase does not list changes nothing in it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """End of a session.

    Attributes:
        outcome: How it ended; None if it failed.
        state: What watchers are told; None if it ended as left, which nobody waits to hear.
        restart_at: From when on it can be restarted, by the event loop's clock in seconds.
    """

    outcome: PairingOutcome | None
    state: Connected | Expired | Failed | None
    restart_at: float = -math.inf


LEFT = Ending(PairingOutcome.CANCELLED, None)
EXPIRED = Ending(PairingOutcome.EXPIRED, Expired())


class Session:
    """One session of an instance, watched from its beginning.

    Args:
        schedule: When codes and `/status` are requested.
        linger: Seconds from the last watcher's leaving until no more code is requested.
        is_shared: Whether somebody may watch in another process.

    Attributes:
        phase: The current phase.
        rounds: The progress through the rounds.
        ending: How it ended; while it runs, how it ends if it is given up.
    """

    def __init__(self, schedule: Schedule, linger: float, *, is_shared: bool = False) -> None:
        self.phase = Phase.WATCHED
        self.rounds = Rounds(schedule)
        self.ending = LEFT
        self._schedule = schedule
        self._linger = linger
        self._is_shared = is_shared
        self._is_watched = True
        self._until = math.inf

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.phase in _RUNNING

    @property
    def is_told(self) -> bool:
        """Whether the app was told how it ended."""
        return not self.is_running and self.phase is not Phase.REPORTING

    @property
    def give_up_at(self) -> float:
        """Until when to wait for the first code: before it there is nothing to be scanned."""
        if not self.is_running:
            return -math.inf
        return math.inf if self._can_be_scanned or self._is_shared else self._until

    def is_code_expired(self, now: float) -> bool:
        """Return whether the last code has expired, and no other came since."""
        return self.rounds.fetched is not None and self.rounds.fetched.expires <= now

    def join(self, now: float) -> None:
        """Note that somebody watches."""
        self._is_watched = True
        self._move(Event.JOINED, now)

    def leave(self, now: float) -> None:
        """Note that nobody watches any more."""
        self._is_watched = False
        self._move(Event.LEFT, now)

    def end(self, ending: Ending, now: float) -> None:
        """End it, unless it has ended."""
        if self.is_running:
            self.ending = ending
            self._move(Event.ENDED, now)

    def end_unscanned(self, now: float) -> None:
        """End it after its last request."""
        self.end(LEFT if self.phase is Phase.GRACE else EXPIRED, now)

    def report(self, now: float) -> None:
        """Note that the app was told the ending."""
        if self.ending is LEFT:
            return self._move(Event.DROPPED, now)
        self._move(Event.REPORTED, now)
        if not self._is_watched:
            self._move(Event.LEFT, now)
        return None

    def restart(self, now: float) -> None:
        """Forget it, if it has ended and the API allows the next request by now."""
        if now >= self.ending.restart_at:
            self._move(Event.RESTARTED, now)

    def stop_lingering(self, now: float) -> None:
        """Note that nobody watches anywhere, and that nobody has come back."""
        if self.phase is Phase.LINGERING and not self._can_be_scanned:
            return self.end(LEFT, now)
        return self._move(Event.LINGERED, now)

    def pass_time(self, now: float) -> None:
        """Move on from a phase whose time is over."""
        self._move(Event.OUTLIVED, now)

    def next(self, now: float) -> Step:
        """Return what to do next, and when."""
        match self.phase:
            case Phase.WATCHED:
                return self.rounds.next(now)
            case Phase.LINGERING:
                step = self.rounds.next(now)
                # The last code may be scanned as long as it is valid, and nobody waits for an end.
                is_last = step.do in {Do.REQUEST_LAST_STATUS, Do.END} and self._can_be_scanned
                if is_last or step.at >= self._until:
                    return Step(Do.STOP_LINGERING, min(step.at, self._until))
                return step
            case Phase.GRACE:
                return self.rounds.next_status(now, until=self._until)
            case Phase.REPORTING:
                return Step(Do.REPORT, now)
            case _:
                return Step(Do.PASS_TIME, self._until)

    @property
    def _can_be_scanned(self) -> bool:
        is_seen = self._schedule.status_interval is not None
        return is_seen and self.rounds.fetched is not None

    def _move(self, event: Event, now: float) -> None:
        phase = MOVES.get((self.phase, event))
        if phase is None:
            return
        self.phase, self._until = phase, math.inf
        match phase:
            case Phase.LINGERING:
                self._until = now + self._linger
            case Phase.GRACE if self.rounds.fetched is not None:
                self._until = self.rounds.fetched.expires + GRACE_AFTER_EXPIRY
                self.rounds.keep_showing()
            case Phase.KEPT:
                self._until = now + self._kept_for
            case _:
                pass

    @property
    def _kept_for(self) -> float:
        # Whether the phone is still linked is the API's to say; that nobody scanned stays true.
        return self._linger if self.ending.outcome in _CONNECTED else ENDING_KEPT_FOR

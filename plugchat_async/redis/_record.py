"""Knowledge of a process about a session, updated by the store's responses. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    Known: TypeAlias = tuple[str, int]

# Scripts count exactly up to here.
_MAX_NUMBER = 2**53
# A clock of quartz is wrong by less than a tenth of this.
_DRIFT = 0.001


class Stage(IntEnum):
    """Stage of a session."""

    RUNNING = 0
    ENDING = 1
    OVER = 2


@dataclass(frozen=True, slots=True)
class Record:
    """A process's copy of a session's record.

    Attributes:
        session: When it began, in microseconds of the store's clock; "" before the store was heard.
        version: Counts every change.
        spent: How many rounds are reserved.
        nonce: Of the last reservation.
        stage: Running, ending while its hook is told, or over.
        left_at: Since when nobody watches, on the clock of this process's event loop.
        leader: The process that polls; "" for none.
        epoch: Counts leaders.
        asked_at: When the current code was requested, on the clock of this process's event loop.
        retention: Seconds for which an ending outlives its last watcher.
        state: The current state, sealed; "" before the first.
        ending: What the hook is told, sealed; "" unless the session is ending.
    """

    session: str = ""
    version: int = 0
    spent: int = 0
    nonce: str = ""
    stage: Stage = Stage.RUNNING
    left_at: float | None = None
    leader: str = ""
    epoch: int = 0
    asked_at: float | None = None
    retention: float = 0.0
    state: str = ""
    ending: str = ""

    @property
    def known(self) -> Known:
        """Session and version, by which copies are compared."""
        return self.session, self.version

    @classmethod
    def unpack(cls, packed: str, clock: StoreClock) -> Record:
        """Read a record as the scripts write it.

        Raises:
            ValueError: It is not one.
        """
        session, *words = packed.split(" ")
        version, spent, nonce, stage, left, leader, epoch, asked, retention, state, ending = words
        if not session.isdecimal() or _number(session) == 0:
            raise ValueError("a session is a positive number")
        return cls(
            session=session,
            version=_number(version),
            spent=_number(spent),
            nonce=nonce,
            stage=Stage(_number(stage)),
            left_at=clock.to_loop(_number(left)),
            leader=leader,
            epoch=_number(epoch),
            asked_at=clock.to_loop(_number(asked)),
            retention=_number(retention) / 1000,
            state=state,
            ending=ending,
        )


def _number(word: str) -> int:
    number = int(word)
    if abs(number) > _MAX_NUMBER:
        raise ValueError("a number is larger than any that a script writes")
    return number


class StoreClock:
    """The store's clock, as far as responses tell it.

    A response says when it was made, so the difference of the clocks is known to half of the time
    that it took: quick responses count.
    """

    def __init__(self) -> None:
        self._offset = 0.0
        self._error = math.inf
        self._heard_at = 0.0

    @property
    def is_set(self) -> bool:
        """Whether there was a response."""
        return self._error < math.inf

    def hear(self, said: float, *, sent_at: float, received_at: float) -> None:
        """Take a response.

        Args:
            said: What the store's clock showed, in seconds.
            sent_at: When the command was sent, on the event loop's clock.
            received_at: When its response arrived.
        """
        offset, error = said - (sent_at + received_at) / 2, (received_at - sent_at) / 2
        aged = self._error + (received_at - self._heard_at) * _DRIFT
        # Further away than both errors allow: another server, or a clock that was set.
        if error <= aged or abs(offset - self._offset) > error + aged:
            self._offset, self._error, self._heard_at = offset, error, received_at

    def to_loop(self, milliseconds: int) -> float | None:
        """Convert a moment of the store's clock to the event loop's; 0 is none."""
        return milliseconds / 1000 - self._offset if milliseconds else None


class Then(Enum):
    """Consequence of a response."""

    KEEP = auto()
    ADOPT = auto()
    REPAIR = auto()


def after_response(mine: Record, theirs: Record | None, *, known: Known) -> Then:
    """Return what to do with the record in a response.

    Args:
        mine: The copy of this process.
        theirs: The store's record; None if it was not sent again, being known.
        known: What was known when the command was sent; messages may have arrived since.

    Returns:
        KEEP the copy, which overtook the response; ADOPT the record; or REPAIR the store, which
        lost changes that the copy has.
    """
    if theirs is None or theirs.known == mine.known:
        return Then.KEEP
    if theirs.known > mine.known:
        return Then.ADOPT
    if known != mine.known:
        return Then.KEEP
    return Then.REPAIR if _is_ahead(mine, theirs) else Then.ADOPT


def _is_ahead(mine: Record, theirs: Record) -> bool:
    """Return whether a sync would be accepted: no other round was begun since, nor an ending."""
    if mine.session != theirs.session:
        return True
    if theirs.stage is Stage.OVER:
        return False
    return mine.spent > theirs.spent or (mine.spent, mine.nonce) == (theirs.spent, theirs.nonce)


def after_message(mine: Record, theirs: Record) -> bool:
    """Return whether a published record is newer: it may arrive late, or twice."""
    return theirs.known > mine.known

"""States as they stand in a record: sealed, and dated by the process that reads them. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ValidationError

from plugchat_async._pairing_state import (
    Connected,
    Expired,
    Failed,
    PairingEnd,
    PairingState,
    ShowingCode,
    Starting,
)

if TYPE_CHECKING:
    from ._record import Record
    from ._seal import Seal

# The part of a seal that no other has, in base64.
_NONCE = 16

UNREACHABLE = Failed(
    code="hub_unreachable",
    message="the store of the pairing sessions can't be reached: try again in a moment",
)


class Report(BaseModel, frozen=True):
    """Ending of a session that is on its way to the app and to watchers.

    Attributes:
        end: What the app is told.
        state: What watchers are told after that; None if the session ended as left.
    """

    end: PairingEnd
    state: Connected | Expired | Failed | None


def version_of(record: Record) -> str:
    """Return the identifier of a record's state, the same in each process."""
    return f"{record.session}-{record.state[:_NONCE]}"


class _Dated(BaseModel, frozen=True):
    """State, and what the writer's clock showed at the moment that the record is dated with."""

    state: PairingState
    dated: AwareDatetime


def seal_state(seal: Seal, session: str, state: PairingState, *, dated: datetime) -> str:
    """Return a state as text for a record.

    Args:
        seal: The instance's seal.
        session: The session.
        state: The state.
        dated: What this process's clock showed at the record's `asked_at`.
    """
    content = _Dated(state=state, dated=dated).model_dump_json().encode()
    return seal.seal(content, session=session, field="state")


def open_state(
    seal: Seal, record: Record, *, loop_time: float, wall_time: datetime
) -> PairingState | None:
    """Return a record's state, or None if it was not sealed by this app for this session.

    Nor can one be read that a later release has sealed, or whose age is out of range.

    What it holds of moments is dated by its age: the clocks of two hosts differ.
    """
    if not record.state:
        return Starting()
    content = seal.open(record.state, session=record.session, field="state")
    if content is None or record.asked_at is None:
        return None
    try:
        sealed = _Dated.model_validate_json(content)
        age = timedelta(seconds=max(0.0, loop_time - record.asked_at))
        if isinstance(sealed.state, ShowingCode) and sealed.state.qr.round > record.spent:
            return None
        return _redate(sealed.state, wall_time - age - sealed.dated)
    except (ValidationError, OverflowError):
        return None


def _redate(state: PairingState, ahead: timedelta) -> PairingState:
    """Change a state's moments from the writer's clock to the reader's, which is ahead."""
    match state:
        case ShowingCode(qr=code):
            moments = {
                "fetched_at": code.fetched_at + ahead,
                "expires_at": code.expires_at + ahead,
            }
            return ShowingCode(qr=code.model_copy(update=moments))
        case Failed(retry_at=datetime() as retry_at):
            return state.model_copy(update={"retry_at": retry_at + ahead})
        case _:
            return state


def seal_report(seal: Seal, session: str, report: Report) -> str:
    """Return a report as text for a record."""
    return seal.seal(report.model_dump_json().encode(), session=session, field="ending")


def open_report(seal: Seal, record: Record) -> Report | None:
    """Return a record's report, or None if it was not sealed by this app for this session."""
    content = seal.open(record.ending, session=record.session, field="ending")
    try:
        return None if content is None else Report.model_validate_json(content)
    except ValidationError:  # of a later release
        return None

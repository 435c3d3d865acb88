"""States of a session, as its watchers see them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, Field

from ._models import QRCode
from ._pairing import PairingOutcome


class _State(BaseModel, frozen=True, hide_input_in_errors=True):
    pass


class Starting(_State, frozen=True):
    """State before the first code."""

    kind: Literal["starting"] = "starting"


class ShowingCode(_State, frozen=True):
    """State with a code to scan.

    Attributes:
        qr: The code; its `expires_in` says for how long it is still valid.
    """

    kind: Literal["showing_code"] = "showing_code"
    qr: QRCode


class Connected(_State, frozen=True):
    """Final state of a session: a phone is linked.

    Attributes:
        already: Whether it was linked before the first code.
    """

    kind: Literal["connected"] = "connected"
    already: bool


class Expired(_State, frozen=True):
    """Final state of a session: no code was scanned."""

    kind: Literal["expired"] = "expired"


class Failed(_State, frozen=True):
    """Final state of a session: an error ended it.

    Attributes:
        code: The stable error code, as `PlugChatError.code`.
        message: What happened and what to do, in English.
        retry_at: From when on the API accepts the next request, in UTC; None if it did not say.
    """

    kind: Literal["failed"] = "failed"
    code: str
    message: str
    retry_at: AwareDatetime | None = None


PairingState: TypeAlias = Annotated[
    Starting | ShowingCode | Connected | Expired | Failed, Field(discriminator="kind")
]


class PairingEnd(BaseModel, frozen=True, hide_input_in_errors=True):
    """End of a session, as `on_end` is told.

    Attributes:
        name: The name of the client; None if it has none.
        outcome: How the session ended; None if it failed.
        error_code: The stable error code of a failure, as `PlugChatError.code`; None without one.
        codes: How many codes it showed.
        started_at: When it began, in UTC.
        ended_at: When it ended, in UTC.
    """

    name: str | None
    outcome: PairingOutcome | None
    error_code: str | None
    codes: int
    started_at: AwareDatetime
    ended_at: AwareDatetime

"""What a viewer of a session sees at a moment."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field

from ._models import QRCode


class _State(BaseModel, frozen=True, hide_input_in_errors=True):
    pass


class Starting(_State, frozen=True):
    """Say that the first code is on its way."""

    kind: Literal["starting"] = "starting"


class ShowingCode(_State, frozen=True):
    """Show a code.

    Attributes:
        qr: The code; its `expires_in` is what is left of its life.
    """

    kind: Literal["showing_code"] = "showing_code"
    qr: QRCode


class Connected(_State, frozen=True):
    """Say that the phone is linked; the session is over.

    Attributes:
        already: True when it was linked before the first code.
    """

    kind: Literal["connected"] = "connected"
    already: bool


class Expired(_State, frozen=True):
    """Say that all rounds went by unscanned; the session is over."""

    kind: Literal["expired"] = "expired"


class Failed(_State, frozen=True):
    """Say that the session ended by an error.

    Attributes:
        code: The stable word of the error, as `PlugChatError.code`.
        message: What happened and what to do, in English.
    """

    kind: Literal["failed"] = "failed"
    code: str
    message: str


PairingState: TypeAlias = Annotated[
    Starting | ShowingCode | Connected | Expired | Failed, Field(discriminator="kind")
]

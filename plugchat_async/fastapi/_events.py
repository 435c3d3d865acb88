"""The states of a session as server-sent events, and as the app's OpenAPI document describes them.

The events are public: their names, fields and types change only as the Python names do.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, assert_never
from weakref import WeakKeyDictionary

import anyio
from pydantic import BaseModel, Field

from plugchat_async import Connected, Expired, Failed, ShowingCode, Starting
from plugchat_async._threads import run_drawing

if TYPE_CHECKING:
    from plugchat_async import PairingState, QRCode

# Left to themselves, browsers wait for 3 to 5 s, of the 20 s for which a code is valid.
_RECONNECT_AFTER_MS = 1000

_ENDING_PREFIX = "ended:"


class PairingCode(BaseModel):
    """The current QR code."""

    svg: str = Field(description="The QR code as an SVG document, with its quiet zone.")
    round: int = Field(description="1-based number of the code in its session.")
    rounds: int = Field(description="How many codes the session requests at most.")
    expires_in: float = Field(description="Seconds for which the code is still valid when sent.")
    next_in: float = Field(
        description="Seconds when sent until, at the earliest, the next code is requested or, after"
        " the last one, the session ends: this code may be shown for as long as it is valid."
    )
    valid_for: float = Field(description="Seconds for which the code is valid in all.")


class PairingResult(BaseModel):
    """The linked phone."""

    already: bool = Field(description="Whether it was linked before the first code.")


class PairingFailure(BaseModel):
    """The error that ended the session."""

    code: str = Field(description="The stable error code.")
    message: str = Field(description="What happened and what to do, in English.")
    retry_at: datetime | None = Field(
        description="When the session may be restarted, by the server's clock; null: at any time."
    )
    retry_in: float | None = Field(
        description="Seconds until `retry_at` when sent, for a countdown, since a phone's clock may"
        " be wrong; null without it."
    )


class PairingNothing(BaseModel):
    """No data."""


class _Event(BaseModel, json_schema_serialization_defaults_required=True):
    id: str = Field(description="Identifier of the state; it never comes again.")
    retry: Annotated[int, Field(description="Milliseconds after which a browser reconnects.")] = (
        _RECONNECT_AFTER_MS
    )


class PairingStartingEvent(_Event):
    """The first code has been requested."""

    event: Literal["starting"] = "starting"
    data: PairingNothing = PairingNothing()


class PairingCodeEvent(_Event):
    """There is a code to scan."""

    event: Literal["code"] = "code"
    data: PairingCode


class PairingConnectedEvent(_Event):
    """A phone is linked; the stream ends."""

    event: Literal["connected"] = "connected"
    data: PairingResult


class PairingExpiredEvent(_Event):
    """No code was scanned; the stream ends."""

    event: Literal["expired"] = "expired"
    data: PairingNothing = PairingNothing()


class PairingFailedEvent(_Event):
    """The session failed; the stream ends."""

    event: Literal["failed"] = "failed"
    data: PairingFailure


PairingEvent: TypeAlias = Annotated[
    PairingStartingEvent
    | PairingCodeEvent
    | PairingConnectedEvent
    | PairingExpiredEvent
    | PairingFailedEvent,
    Field(discriminator="event"),
]


class Drawings:
    """Drawings of codes: each code is drawn once, however many watchers there are."""

    def __init__(self) -> None:
        # A code that no session shows any more takes its drawing with it.
        self._drawings: WeakKeyDictionary[QRCode, _Drawing] = WeakKeyDictionary()

    async def svg(self, code: QRCode) -> str:
        """Return the drawing of a code."""
        drawing = self._drawings.get(code)
        if drawing is None:
            drawing = self._drawings[code] = _Drawing()
        return await drawing.svg(code)


class _Drawing:
    def __init__(self) -> None:
        self._turn = anyio.Lock()
        self._svg: str | None = None

    async def svg(self, code: QRCode) -> str:
        async with self._turn:
            if self._svg is None:
                self._svg = await run_drawing(code.svg)
            return self._svg


async def event(
    state: PairingState, version: str, drawings: Drawings, *, interval: float
) -> PairingEvent:
    """Return the event that tells a state to a page.

    Args:
        state: The state.
        version: Identifier of the state, as `Watcher.version`.
        drawings: The drawings to take that of a code from.
        interval: Seconds from one code to the next, as `PairingHub.interval`.
    """
    return await _describe(state, event_id(state, version), drawings, interval)


def event_id(state: PairingState, version: str) -> str:
    """Return the identifier of a state's event, from which an ending can be recognized."""
    return ending_id(version) if is_ending(state) else version


def ending_id(version: str) -> str:
    """Return the identifier of an ending's event."""
    return _ENDING_PREFIX + version


def is_ending(state: PairingState) -> bool:
    """Return whether a session is over."""
    return not isinstance(state, (Starting, ShowingCode))


async def _describe(
    state: PairingState, identifier: str, drawings: Drawings, interval: float
) -> PairingEvent:
    match state:
        case Starting():
            return PairingStartingEvent(id=identifier)
        case ShowingCode(qr=code):
            described = await _describe_code(code, drawings, interval)
            return PairingCodeEvent(id=identifier, data=described)
        case Connected(already=already):
            return PairingConnectedEvent(id=identifier, data=PairingResult(already=already))
        case Expired():
            return PairingExpiredEvent(id=identifier)
        case Failed(code=code, message=message, retry_at=retry_at):
            failure = PairingFailure(
                code=code, message=message, retry_at=retry_at, retry_in=_seconds_until(retry_at)
            )
            return PairingFailedEvent(id=identifier, data=failure)
        case _:
            assert_never(state)


def _seconds_until(time: datetime | None) -> float | None:
    return None if time is None else max(0.0, (time - datetime.now(UTC)).total_seconds())


async def _describe_code(code: QRCode, drawings: Drawings, interval: float) -> PairingCode:
    svg = await drawings.svg(code)
    valid_for = (code.expires_at - code.fetched_at).total_seconds()
    expires_in = code.expires_in
    return PairingCode(
        svg=svg,
        round=code.round,
        rounds=code.rounds,
        expires_in=expires_in,
        next_in=max(0.0, expires_in - (valid_for - interval)),
        valid_for=valid_for,
    )

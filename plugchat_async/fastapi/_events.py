"""What the browser is told: a state as a server-sent event."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import anyio
from fastapi.sse import ServerSentEvent
from pydantic import BaseModel

from plugchat_async import Connected, Failed, ShowingCode
from plugchat_async._threads import run_drawing

if TYPE_CHECKING:
    from plugchat_async import PairingState, QRCode

# What a browser takes when it is not told is 3 to 5 s, of the 20 that a code lives.
_RECONNECT_AFTER_MS = 1000


class Code(BaseModel):
    """Tell a code: its symbol, and never its text.

    Attributes:
        svg: The symbol, with its quiet zone. It is sent along, since a symbol fetched apart may be
            another one by then, or none.
        round: Its 1-based place in the session.
        rounds: How many codes the session shows at most.
        expires_in: Seconds left, at the moment of sending.
        lives_for: Seconds that it lives in all.
    """

    svg: str
    round: int
    rounds: int
    expires_in: float
    lives_for: float


class Drawings:
    """Draw each code once, however many look at it."""

    def __init__(self) -> None:
        # A code that no session shows any more takes its drawing with it.
        self._drawings: WeakKeyDictionary[QRCode, _Drawing] = WeakKeyDictionary()

    async def svg(self, code: QRCode) -> str:
        """Draw a code, or take the drawing that is there."""
        drawing = self._drawings.setdefault(code, _Drawing())
        async with drawing.turn:
            if drawing.svg is None:
                drawing.svg = await run_drawing(code.svg)
            return drawing.svg


class _Drawing:
    def __init__(self) -> None:
        self.turn = anyio.Lock()
        self.svg: str | None = None


async def event(state: PairingState, drawings: Drawings) -> ServerSentEvent:
    """Make the event that tells a state to a page."""
    name, data = await _describe(state, drawings)
    return ServerSentEvent(event=name, data=data, retry=_RECONNECT_AFTER_MS)


async def _describe(state: PairingState, drawings: Drawings) -> tuple[str, object]:
    match state:
        case ShowingCode(qr=code):
            return "code", await _tell(code, drawings)
        case Connected(already=already):
            return "connected", {"already": already}
        case Failed(code=word, message=message):
            return "failed", {"code": word, "message": message}
        case _:
            return state.kind, {}


async def _tell(code: QRCode, drawings: Drawings) -> Code:
    svg = await drawings.svg(code)
    return Code(
        svg=svg,
        round=code.round,
        rounds=code.rounds,
        expires_in=code.expires_in,
        lives_for=(code.expires_at - code.fetched_at).total_seconds(),
    )

"""States that a hub shows, in a word each: for a ledger, and to compare with a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugchat_async import Connected, Failed, ShowingCode

if TYPE_CHECKING:
    from plugchat_async import PairingState


def word(state: PairingState) -> str:
    """Return the words for a state, with the round of its code or the cause of its failure."""
    match state:
        case ShowingCode():
            return f"code {state.qr.round}"
        case Connected():
            return "already_connected" if state.already else "connected"
        case Failed():
            return state.code
        case _:
            return state.kind

"""One instance of the gateway: its codes, their lives, and whether a phone is linked."""

from __future__ import annotations

import itertools
import secrets
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LIFE_OF_A_CODE = 20.0
"""Seconds from issue to death (PlugChat's documentation of GET /api/whatsapp/qr-code)."""


class Instance:
    """Keep the state of the one WhatsApp number that belongs to a token.

    Args:
        token: The token that this instance answers to.
        clock: Seconds on any clock that never runs backwards.
    """

    def __init__(self, token: str, clock: Callable[[], float]) -> None:
        self.token = token
        self.connected = False
        self._clock = clock
        self._forms = itertools.cycle((_link_payload, _legacy_payload))
        self._payload: str | None = None
        self._dies_at = 0.0

    def issue(self) -> str:
        """Issue a code, which kills the former one at once.

        Returns:
            The payload; the two forms that WhatsApp has in use take turns.
        """
        self._payload = next(self._forms)()
        self._dies_at = self._clock() + LIFE_OF_A_CODE
        return self._payload

    def scan(self, payload: str) -> bool:
        """Link the phone that scanned `payload`.

        Returns:
            True when the code was alive and no phone was linked yet.
        """
        if self.connected or payload != self._payload or self._clock() >= self._dies_at:
            return False
        self.connected = True
        return True

    def disconnect(self) -> None:
        """Unlink the phone; a code from before stays dead."""
        self.connected = False
        self._payload = None


def _link_payload() -> str:
    return f"https://wa.me/settings/linked_devices#{_parts(reference_size=48)}"


def _legacy_payload() -> str:
    return f"2@{_parts(reference_size=75)}"


def _parts(reference_size: int) -> str:
    # A reference, then three keys of 32 bytes, as in WhatsApp's own codes.
    sizes = (reference_size, 32, 32, 32)
    return ",".join(b64encode(secrets.token_bytes(size)).decode() for size in sizes)

"""Instance of the simulated gateway: its codes, their validity, and the linked phone."""

from __future__ import annotations

import itertools
import secrets
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LIFE_OF_A_CODE = 20.0
"""Seconds for which a code is valid (PlugChat's documentation of GET /api/whatsapp/qr-code)."""

MIN_PAYLOAD_SIZE = 60
"""Characters of a payload with 132 random bits or more, in either form."""

MAX_PAYLOAD_SIZE = 237
"""Characters of a whole payload, in either form."""


class Instance:
    """State of the one WhatsApp number that belongs to a token.

    Args:
        token: The token of this instance.
        number: Its number in the record.
        clock: Seconds on any clock that never runs backwards.
        payload_size: Characters of each payload, `MIN_PAYLOAD_SIZE` to `MAX_PAYLOAD_SIZE`.

    Attributes:
        phone: The linked phone's number; None without a phone.
        is_session_lost: True while the session has to be restored.
        payload: The payload of the current code; None before the first one, and once it was
            invalidated without a new one.
        issued_at: The time by `clock` when the current code was issued.
    """

    def __init__(
        self,
        token: str,
        number: int,
        clock: Callable[[], float],
        payload_size: int = MAX_PAYLOAD_SIZE,
    ) -> None:
        self.token = token
        self.number = number
        self.phone: str | None = None
        self.is_session_lost = False
        self.payload: str | None = None
        self.issued_at = 0.0
        self._clock = clock
        self._payload_size = payload_size
        self._forms = itertools.cycle((_link_payload, _legacy_payload))

    @property
    def connected(self) -> bool:
        """Whether a phone is linked and its session works."""
        return self.phone is not None and not self.is_session_lost

    def issue(self) -> str:
        """Issue a code, which invalidates the previous one immediately.

        Returns:
            The payload; the two forms that WhatsApp has in use take turns.
        """
        self.payload = next(self._forms)()[: self._payload_size]
        self.issued_at = self._clock()
        return self.payload

    def scan(self, payload: str, phone: str, at: float) -> bool:
        """Link `phone`, which scanned `payload`.

        Args:
            payload: The payload that was scanned.
            phone: The phone's number.
            at: The time of the scan by the instance's clock.

        Returns:
            True when the code was valid then and no phone was connected yet.
        """
        is_expired = at >= self.issued_at + LIFE_OF_A_CODE
        if self.connected or payload != self.payload or is_expired:
            return False
        self.phone = phone
        self.is_session_lost = False
        return True

    def disconnect(self) -> None:
        """Unlink the phone and invalidate the current code."""
        self.phone = None
        self.is_session_lost = False
        self.payload = None

    def lose_session(self) -> None:
        """Lose the session, which then has to be restored, and invalidate the current code."""
        self.is_session_lost = True
        self.payload = None

    def restore_session(self) -> bool:
        """Restore a lost session.

        Returns:
            False without a linked phone: then only a scan helps.
        """
        if self.phone is None:
            return False
        self.is_session_lost = False
        return True

    def restart(self) -> None:
        """Invalidate the current code, and keep the phone linked."""
        self.payload = None


def _link_payload() -> str:
    return f"https://wa.me/settings/linked_devices#{_parts(reference_size=48)}"


def _legacy_payload() -> str:
    return f"2@{_parts(reference_size=75)}"


def _parts(reference_size: int) -> str:
    # A reference, then three keys of 32 bytes, as in WhatsApp's own codes.
    sizes = (reference_size, 32, 32, 32)
    return ",".join(b64encode(secrets.token_bytes(size)).decode() for size in sizes)

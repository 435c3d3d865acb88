"""Names and seals: what the store learns of a token and of a state, which is nothing. Pure.

HKDF (RFC 5869) with the app's secret as its salt makes both from a base URL and a token: without
the secret nobody can check a guessed token, open a state, or forge one.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from plugchat_async._arguments import check_secrets, seal_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Field: TypeAlias = Literal["state", "ending"]

_NAME = 16
_KEY = 32
_NONCE = 12


class Keyring:
    """Secrets of an app: the first one names and seals, each one opens.

    Args:
        secrets: One secret or several, each of at least 32 characters.

    Raises:
        ValueError: There is none, or one is too short or blank, or is not Unicode.
        TypeError: One is not a string.
    """

    def __init__(self, secrets: str | SecretStr | Sequence[str | SecretStr]) -> None:
        # Wrapped first, so that no traceback that renders locals can show one.
        secrets = seal_secrets(secrets)
        check_secrets(secrets)
        self._secrets = secrets

    @property
    def fingerprints(self) -> list[str]:
        """One fingerprint for each secret, to compare secrets without telling them."""
        return [_derive(secret, b"", b"fingerprint", _NAME).hex() for secret in self._secrets]

    def seals(self, base_url: str, token: SecretStr) -> list[Seal]:
        """Return the seals of an instance, one for each secret, in their order."""
        instance = SecretStr(f"{base_url}\n{token.get_secret_value()}")
        return [Seal(secret, instance) for secret in self._secrets]


class Seal:
    """Name of an instance in the store, and the key of its states."""

    __slots__ = ("_cipher", "name")

    def __init__(self, secret: SecretStr, instance: SecretStr) -> None:
        derived = _derive(secret, instance.get_secret_value().encode(), b"hub", _NAME + _KEY)
        self.name = derived[:_NAME].hex()
        self._cipher = AESGCM(derived[_NAME:])

    def seal(self, content: bytes, *, session: str, field: Field) -> str:
        """Encrypt a content for one place: an instance's session, and a field of its record."""
        nonce = os.urandom(_NONCE)
        sealed = self._cipher.encrypt(nonce, content, self._place(session, field))
        return urlsafe_b64encode(nonce + sealed).decode()

    def open(self, sealed: str, *, session: str, field: Field) -> bytes | None:
        """Return the content, or None if it was not sealed for this place with this secret."""
        try:
            raw = urlsafe_b64decode(sealed)
            return self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], self._place(session, field))
        except (ValueError, InvalidTag):
            return None

    def _place(self, session: str, field: Field) -> bytes:
        return f"{self.name} {session} {field}".encode()


def _derive(secret: SecretStr, material: bytes, purpose: bytes, length: int) -> bytes:
    salt = secret.get_secret_value().encode()
    info = b"plugchat-async 1 " + purpose
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(material)

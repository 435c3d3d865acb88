"""The secrets of one instance: what goes into each request's headers, and out of every message."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from hashlib import blake2b
from html import escape
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

from .cleaning import Cleaner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import SecretStr

# A digest of this process tells nothing to another one, nor to who guesses tokens.
_DIGEST_KEY = os.urandom(32)

_REDACTED = "[redacted]"

# Codes and tokens are long unbroken words; in the API's sentences no honest word is.
_MAX_WORD = 40
_MIN_PIECE = 8


class Credentials:
    """A token and the extra headers, out of sight until a request needs them."""

    __slots__ = ("_extra_headers", "token")

    def __init__(self, token: SecretStr, extra_headers: Mapping[str, SecretStr]) -> None:
        self.token = token
        self._extra_headers = extra_headers

    def with_token(self, token: SecretStr) -> Credentials:
        """Keep the extra headers, for another instance."""
        return Credentials(token, self._extra_headers)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client has a token: make a new one instead of pickling or copying it")

    def headers(self) -> dict[str, str]:
        """Write the headers of one request.

        "The raw token, no scheme in front": the API's documentation of `Authorization`.
        """
        return {
            **{name: value.get_secret_value() for name, value in self._extra_headers.items()},
            "Authorization": self.token.get_secret_value(),
        }

    def digest(self, base_url: str) -> bytes:
        """Tell instances apart without keeping a token."""
        token = self.token.get_secret_value()
        return blake2b(f"{base_url}\n{token}".encode(), key=_DIGEST_KEY, digest_size=32).digest()

    def clean(self, error: BaseException, *, but: BaseException | None) -> BaseException:
        """Remove every secret from an exception of an HTTP library, and from those behind it.

        Args:
            error: The exception. The frames of its traceback, which have headers and body among
                their locals, are dropped.
            but: An exception that was being handled before, which stays unchanged.

        Returns:
            The exception, or another one if it can't be changed.
        """
        return Cleaner(self.redact, but=but).clean(error)

    def redact(self, text: str) -> str:
        """Replace each word that holds a secret, or a piece of one, or is long enough to be one."""
        pieces = self._pieces()
        lengths = {len(piece) for piece in pieces}

        def is_secret(word: str) -> bool:
            if len(word) > _MAX_WORD:
                return True
            word = word.casefold()
            # Looked up, not searched for: a long token has thousands of pieces.
            return any(
                word[start : start + length] in pieces
                for length in lengths
                for start in range(len(word) - length + 1)
            )

        return " ".join(_REDACTED if is_secret(word) else word for word in text.split())

    def _pieces(self) -> set[str]:
        words = self.token.get_secret_value().split()
        for value in self._extra_headers.values():
            # A short header, such as a language, is not a secret, and would hide honest words.
            words += [w for w in value.get_secret_value().split() if len(w) >= _MIN_PIECE]
        return {
            spelling[start : start + _MIN_PIECE].casefold()
            for word in words
            for spelling in _spellings(word)
            for start in range(max(1, len(spelling) - _MIN_PIECE + 1))
        }


def _spellings(word: str) -> Iterator[str]:
    """Spell a secret as gateways do that repeat it."""
    yield word
    yield quote(word, safe="")
    if len(word) < _MIN_PIECE:
        return  # encoded, so little is not a secret, and would hide honest words
    yield escape(word)
    yield json.dumps(word)[1:-1]
    yield word.encode().hex()
    for before in range(3):
        encoded = _in_base64(word.encode(), before)
        yield encoded
        yield encoded.replace("+", "-").replace("/", "_")


def _in_base64(raw: bytes, before: int) -> str:
    """Encode what stands after so many other bytes, without the digits that it shares with them."""
    encoded = b64encode(bytes(before) + raw).decode()
    return encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]

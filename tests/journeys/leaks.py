"""Search for a secret, or a piece of one, however it is spelled. Pure.

The package encodes secrets to redact them. This decodes texts to find them, so that no mistake is
shared. Only for base64 the secrets are encoded, bit by bit: digits in one case can't be decoded.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase, digits
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Short enough that a masked or cut secret is found, long enough that nothing else is taken for one.
PIECE = 12

# How often a text may be encoded: a URL in JSON in a repr.
MAX_DEPTH = 3

UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Leak:
    """Secret that was found, and how it was spelled."""

    secret: str
    spelling: str


class Search:
    """Search for pieces of 12 characters of the secrets, in each spelling and in either case."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._plain = _Pieces()
        self._in_base64 = _Pieces()
        for name, secret in secrets.items():
            length = min(PIECE, len(secret))
            self._plain.add(name, secret, length)
            for encoded in _in_base64(secret):
                # Up to 4 bits of a piece are in digits that it shares with what is beside it.
                self._in_base64.add(name, encoded, (8 * length - 4) // 6)
        self._hex = re.compile(f"[0-9a-f]{{{2 * min(self._plain.lengths)},}}", re.IGNORECASE)
        self._base64 = re.compile(f"[\\w+/-]{{{min(self._in_base64.lengths)},}}", re.ASCII)

    def leaks(self, text: str) -> set[Leak]:
        """Return what of the secrets is in a text."""
        return {
            Leak(name, spelling)
            for decoded, how in self._readings(text).items()
            for spelling, names in (
                (how, self._plain.found_in(decoded)),
                *(
                    ("base64", self._in_base64.found_in(run.translate(_STANDARD)))
                    for run in self._base64.findall(decoded)
                ),
            )
            for name in names
        }

    def _readings(self, text: str) -> dict[str, str]:
        """Return a text and each way to decode it, with the name of its outermost encoding."""
        readings = {text: UNCHANGED}
        latest = [text]
        for _ in range(MAX_DEPTH):
            decoded = {
                reading: spelling
                for each in latest
                for spelling, reading in self._decoded(each)
                if reading not in readings
            }
            readings |= decoded
            latest = [*decoded]
        return readings

    def _decoded(self, text: str) -> Iterator[tuple[str, str]]:
        yield "URL-quoted", unquote(text)
        yield "HTML", html.unescape(text)
        yield "JSON or repr", _ESCAPED.sub(_unescape, text)
        yield "hex", self._hex.sub(_from_hex, text)


class _Pieces:
    """Pieces of secrets, by their length and in one case."""

    def __init__(self) -> None:
        self._names: dict[int, dict[str, str]] = {}

    @property
    def lengths(self) -> Iterator[int]:
        return iter(self._names)

    def add(self, name: str, secret: str, length: int) -> None:
        names = self._names.setdefault(length, {})
        names.update(dict.fromkeys(_windows(secret.casefold(), length), name))

    def found_in(self, text: str) -> set[str]:
        """Return the names of the secrets of which a piece is in a text."""
        text = text.casefold()
        return {
            names[piece]
            for length, names in self._names.items()
            for piece in _windows(text, length)
            if piece in names
        }


def _windows(text: str, length: int) -> Iterator[str]:
    return (text[start : start + length] for start in range(len(text) - length + 1))


_ESCAPED = re.compile(r"((?:\\x[0-9a-f]{2})+)|((?:\\u[0-9a-f]{4})+)|\\(.)", re.IGNORECASE)


def _unescape(match: re.Match[str]) -> str:
    in_bytes, in_utf_16, other = match.groups()
    if other is not None:
        return other
    if in_utf_16 is not None:
        return bytes.fromhex(in_utf_16.lower().replace(r"\u", "")).decode("utf-16-be", "replace")
    raw = bytes.fromhex(in_bytes.lower().replace(r"\x", ""))
    try:
        return raw.decode()
    except UnicodeDecodeError:  # the repr of a text has one for each character
        return raw.decode("latin-1")


def _from_hex(match: re.Match[str]) -> str:
    """Decode the digits by twos, once from the first one on and once from the second one on."""
    found = match[0]
    pairs = (found[start : start + 2 * ((len(found) - start) // 2)] for start in (0, 1))
    return "\n".join(bytes.fromhex(each).decode("utf-8", "replace") for each in pairs)


_DIGITS = f"{ascii_uppercase}{ascii_lowercase}{digits}+/"
_STANDARD = str.maketrans("-_", "+/")


def _in_base64(secret: str) -> Iterator[str]:
    """Encode a secret after none, one and two bytes, as far as a digit has bits of it alone."""
    bits = "".join(f"{byte:08b}" for byte in secret.encode())
    for skipped in (0, 4, 2):
        starts = range(skipped, len(bits) - 5, 6)
        yield "".join(_DIGITS[int(bits[start : start + 6], 2)] for start in starts)

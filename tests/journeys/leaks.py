"""Find a secret, or a piece of one, however it is spelled. Pure."""

from __future__ import annotations

import base64
import html
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Short enough that a masked or cut secret is found, long enough that nothing else is taken for one.
PIECE = 12


@dataclass(frozen=True, slots=True)
class Leak:
    """Tell which secret was found, and how it was spelled."""

    secret: str
    spelling: str


class Search:
    """Look for pieces of 12 characters of the secrets, in each spelling and in either case."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._leaks = {
            spelled.casefold(): Leak(name, spelling)
            for name, secret in secrets.items()
            for piece in _pieces(secret)
            for spelling, spelled in spellings(piece)
        }
        # Secrets of many codes are a million spellings: they are looked up by how they begin.
        self._beginning = min(map(len, self._leaks))
        self._by_beginning: dict[str, list[str]] = {}
        for spelled in self._leaks:
            self._by_beginning.setdefault(spelled[: self._beginning], []).append(spelled)

    def leaks(self, text: str) -> set[Leak]:
        """Tell what of the secrets is in a text."""
        text = text.casefold()
        return {
            self._leaks[spelled]
            for start in range(len(text) - self._beginning + 1)
            for spelled in self._by_beginning.get(text[start : start + self._beginning], ())
            if text.startswith(spelled, start)
        }


def _pieces(secret: str) -> Iterator[str]:
    for start in range(max(1, len(secret) - PIECE + 1)):
        yield secret[start : start + PIECE]


def spellings(piece: str) -> Iterator[tuple[str, str]]:
    """Spell a piece in each way that logs, pages and protocols have for it."""
    raw = piece.encode()
    yield "hex", raw.hex()
    for before in range(3):
        encoded = _in_base64(raw, before)
        yield "base64", encoded
        yield "base64 of URLs", encoded.replace("+", "-").replace("/", "_")
    for quote_mark in ("", "'"):
        yield "repr", _escaped(ascii(piece), quote_mark)
        yield "repr", _escaped(repr(piece), quote_mark)
        yield "repr of bytes", _escaped(repr(raw)[1:], quote_mark)
    yield "URL-quoted", quote(piece, safe="")
    yield "URL-quoted", quote(piece)
    yield "HTML", html.escape(piece)
    yield "HTML", html.escape(piece, quote=False)
    yield "HTML", str(escape(piece))
    for ensure_ascii in (True, False):
        in_json = json.dumps(piece, ensure_ascii=ensure_ascii)[1:-1]
        yield "JSON", in_json
        yield "JSON", in_json.replace("/", r"\/")
        yield "JSON in HTML", _safe_in_html(in_json)
    # The last word, where several spellings are one.
    yield "as it is", piece


def _in_base64(raw: bytes, before: int) -> str:
    """Encode it as it is after so many other bytes, without the characters that others share."""
    encoded = base64.b64encode(bytes(before) + raw).decode()
    return encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]


def _escaped(literal: str, quote_mark: str) -> str:
    """Write what a literal holds, as it is in one that stands between these quotation marks."""
    inside = literal[1:-1].replace(r"\'", "'")
    return inside.replace(quote_mark, f"\\{quote_mark}") if quote_mark else inside


def _safe_in_html(in_json: str) -> str:
    for sign in "<>&'":
        in_json = in_json.replace(sign, f"\\u{ord(sign):04x}")
    return in_json

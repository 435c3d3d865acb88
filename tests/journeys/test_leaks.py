"""The search for leaked secrets: each spelling is found, and nothing else is taken for one."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from .leaks import PIECE, Leak, Search
from .spellings import PAYLOAD, SECRETS, SPELLED, TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("spelling", SPELLED)
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_found_however_it_is_spelled(name: str, spelling: str) -> None:
    """Whole or any piece of 12 characters, anywhere in a text, and under its own name."""
    secret, spell = SECRETS[name], SPELLED[spelling]
    search = Search(SECRETS)
    pieces = [secret[start : start + PIECE] for start in range(len(secret) - PIECE + 1)]
    for text in (secret, *pieces):
        assert {leak.secret for leak in search.leaks(f"before {spell(text)} after")} == {name}


@pytest.mark.parametrize("change_case", [str, str.upper, str.lower, str.swapcase])
@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("name", SECRETS)
def test_each_cut_of_a_secret_in_base64_is_found(
    name: str, before: int, change_case: Callable[[str], str]
) -> None:
    """After any number of bytes and in any case: 15 digits are 11 characters and a half."""
    encoded = base64.b64encode(b"?" * before + SECRETS[name].encode() + b"??").decode()
    own = encoded.rstrip("=")[4:-4]
    cuts = [change_case(own[start : start + 15]) for start in range(len(own) - 14)]
    search = Search(SECRETS)
    assert [cut for cut in cuts if search.leaks(cut) != {Leak(name, "base64")}] == []


@pytest.mark.parametrize("before", ["", "0"])
@pytest.mark.parametrize("name", SECRETS)
def test_each_cut_of_a_secret_in_hex_is_found(name: str, before: str) -> None:
    """Cut between the digits of a character, too."""
    encoded = SECRETS[name].encode().hex()
    length = len("é".encode().hex()) * PIECE
    cuts = [before + encoded[start : start + length] for start in range(len(encoded) - length + 1)]
    search = Search(SECRETS)
    assert [cut for cut in cuts if {leak.secret for leak in search.leaks(cut)} != {name}] == []


@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(lambda text: repr(json.dumps(text)), id="JSON in a repr"),
        pytest.param(lambda text: quote(json.dumps(text)), id="JSON in a URL"),
        pytest.param(lambda text: json.dumps({"url": quote(text)}), id="URL in JSON"),
        pytest.param(lambda text: repr(json.dumps(ascii(text))), id="repr in JSON in a repr"),
        pytest.param(lambda text: json.dumps(text).encode().hex(), id="JSON in hex"),
    ],
)
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_is_encoded_twice_is_found(name: str, spell: Callable[[str], str]) -> None:
    """Whole or the last 12 characters, most of which are escaped."""
    search = Search(SECRETS)
    for text in (SECRETS[name], SECRETS[name][-PIECE:]):
        assert {leak.secret for leak in search.leaks(spell(text))} == {name}


def test_eleven_characters_are_not_a_secret() -> None:
    """A masked token that shows so little passes; in base64, padding may look like one more."""
    search = Search(SECRETS)
    assert search.leaks(f"{TOKEN[:11]}***{TOKEN[-11:]} {PAYLOAD[:11]}") == set()
    for spell in SPELLED.values():
        assert search.leaks(f"{spell(TOKEN[:10])} {spell(TOKEN[-10:])}") == set()


def test_ordinary_text_has_no_secret() -> None:
    """Neither has a page of documentation in any spelling, nor an honest message."""
    search = Search(SECRETS)
    page = Path(__file__, "../../../README.md").resolve().read_text("utf-8")
    for spell in SPELLED.values():
        assert search.leaks(spell(page)) == set()
    assert search.leaks("Client-Token [redacted] not allowed") == set()


def test_a_short_secret_is_found_whole() -> None:
    """It has no pieces."""
    search = Search({"the key": "k7-Zq9"})
    assert search.leaks("?key=K7-zq9&x") == {Leak("the key", "unchanged")}
    assert search.leaks("?key=k7-Zq") == set()
    for spell in SPELLED.values():
        assert search.leaks(spell("k7-Zq9"))

"""Which language a browser gets."""

from __future__ import annotations

import pytest

from plugchat_async import _errors
from plugchat_async.fastapi._languages import LANGUAGES, negotiate
from plugchat_async.fastapi._page import read_words


@pytest.mark.parametrize(
    ("accept_language", "language"),
    [
        ("pt-BR,pt;q=0.9,en-US;q=0.8,en;q=0.7", "pt-BR"),
        ("en-US,en;q=0.9,pt;q=0.8", "en"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("PT-br", "pt-BR"),
        ("en;q=0.5, pt;q=0.6", "pt-BR"),
        ("pt;q=0.5,en;q=0.5", "pt-BR"),
        ("de-DE,de;q=0.9,pt;q=0.1", "pt-BR"),
        ("pt;q=0", "en"),
        ("pt; Q=1.0 ,en;q=0.9", "pt-BR"),
        ("fr", "en"),
        ("*", "en"),
        ("", "en"),
        (",,;;=", "en"),
        ("pt;q=a lot", "en"),
        ("pt;q=nan", "en"),
        ("pt;q", "en"),
        ("portuguese", "en"),
    ],
)
def test_the_language_that_the_browser_likes_best(accept_language: str, language: str) -> None:
    """Portuguese or English by weight, then by order; English where neither is asked for."""
    assert negotiate(accept_language) == language


def leaves(words: object, path: str = "") -> dict[str, str]:
    """Give each sentence by its path."""
    if isinstance(words, str):
        return {path: words}
    assert isinstance(words, dict | list)
    pairs = words.items() if isinstance(words, dict) else enumerate(words)
    return {
        place: sentence
        for name, each in pairs
        for place, sentence in leaves(each, f"{path}.{name}").items()
    }


def test_both_languages_say_the_same_things() -> None:
    """Sentence by sentence, with the same names to be filled in."""
    english, portuguese = (leaves(read_words(language)) for language in LANGUAGES)
    assert english.keys() == portuguese.keys()
    for place, sentence in english.items():
        translated = portuguese[place]
        assert {w for w in sentence.split() if "{" in w} == {
            w for w in translated.split() if "{" in w
        }, place
        assert sentence != translated or place == ".seconds", place


def words_of(error: type[_errors.PlugChatError]) -> set[str]:
    """Collect the stable words of an error and all below it."""
    below = set().union(*(words_of(each) for each in error.__subclasses__()))
    return {error.code} | below


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_has_words_in_every_language(language: str) -> None:
    """Whatever a session can fail with; the base classes and a linked phone are no failures."""
    never = {"plugchat_error", "response_error", "already_connected"}
    can_fail = words_of(_errors.PlugChatError) - never
    assert set(read_words(language)["failures"]) == can_fail | {"internal_error"}

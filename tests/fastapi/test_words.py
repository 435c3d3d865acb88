"""Sentences of the page, and those of an app instead."""

from __future__ import annotations

from typing import Any

import pytest

from plugchat_async import _errors
from plugchat_async.fastapi._languages import LANGUAGES
from plugchat_async.fastapi._words import emphasised, read_words, words_with


def leaves(words: object, path: str = "") -> dict[str, str]:
    """Return each sentence by its path."""
    if isinstance(words, str):
        return {path: words}
    assert isinstance(words, dict | list)
    pairs = words.items() if isinstance(words, dict) else enumerate(words)
    return {
        place: sentence
        for name, each in pairs
        for place, sentence in leaves(each, f"{path}.{name}").items()
    }


def names_in(sentence: str) -> set[str]:
    """Return the names in braces."""
    return {word for word in sentence.split() if "{" in word}


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_all_languages_say_the_same_things(language: str) -> None:
    """Sentence by sentence, with the same names to be filled in."""
    english, translated = leaves(read_words("en")), leaves(read_words(language))
    assert english.keys() == translated.keys()
    for place, sentence in english.items():
        assert names_in(sentence) == names_in(translated[place]), place
        assert sentence != translated[place] or place in {".seconds", ".word_of_error"}, place


def codes_of(error: type[_errors.PlugChatError]) -> set[str]:
    """Collect the stable codes of an error and all below it."""
    below = set().union(*(codes_of(each) for each in error.__subclasses__()))
    return {error.code} | below


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_has_words_in_every_language(language: str) -> None:
    """Whatever a session can fail with; the base classes and a linked phone are not failures."""
    never = {"plugchat_error", "response_error", "already_connected"}
    can_fail = codes_of(_errors.PlugChatError) - never
    of_the_hub = {"hub_unreachable", "internal_error"}
    assert set(read_words(language)["failures"]) == can_fail | of_the_hub


def test_an_app_says_some_things_otherwise() -> None:
    """In one language; the rest stays as it was."""
    own = {"pt-BR": {"title": "Conecte sua loja", "failures": {"rate_limited": {"advice": "Já!"}}}}
    words = words_with(own)
    changed = leaves(words["pt-BR"]).items() - leaves(read_words("pt-BR")).items()
    assert changed == {(".title", "Conecte sua loja"), (".failures.rate_limited.advice", "Já!")}
    assert {language: words[language] for language in ("en", "es")} == {
        language: read_words(language) for language in ("en", "es")
    }


def test_an_app_has_other_steps() -> None:
    """As many as it likes."""
    words = words_with({"en": {"steps": {"each": ["Scan"]}, "code": {"headline": "{rounds}"}}})
    assert leaves(words["en"])[".steps.each.0"] == "Scan"
    assert leaves(words["en"])[".code.headline"] == "{rounds}"


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"pt": {}}, r"unknown language 'pt'; the page speaks en, pt-BR, es"),
        ({"en": {"titel": "a"}}, r"words\['en'\]: unknown name 'titel'; it has title, lead"),
        ({"en": {"code": {"heading": "a"}}}, r"words\['en'\]\['code'\]: unknown name 'heading'"),
        ({"en": {"title": "{name}"}}, r"words\['en'\]\['title'\]: \{name\} is unknown .* no names"),
        ({"en": {"code": {"headline": "{code}"}}}, r"it may have \{round\}, \{rounds\}"),
        ({"en": {"steps": {"each": ["{step}"]}}}, r"\{step\} is unknown"),
        ({"en": {"title": " "}}, r"words\['en'\]\['title'\] is empty: leave it out"),
        ({"en": {"steps": {"each": []}}}, r"\['each'\] is empty: leave it out"),
        ({"en": {"title": "\udcff"}}, r"words\['en'\]\['title'\] has half of a surrogate pair"),
    ],
)
def test_words_that_the_page_cannot_use_are_refused(own: dict[str, Any], message: str) -> None:
    """At the start: a word that nobody sees would go unnoticed."""
    with pytest.raises(ValueError, match=message):
        words_with(own)


@pytest.mark.parametrize(
    "own",
    [
        ["en"],
        {"en": "Link"},
        {"en": None},
        {"en": {"title": 1}},
        {"en": {"title": {"headline": "a"}}},
        {"en": {"code": "Scan"}},
        {"en": {"steps": {"each": "Scan"}}},
        {"en": {"steps": {"each": [1]}}},
    ],
)
def test_words_of_another_kind_are_refused(own: Any) -> None:
    """Each is of the kind that the page's own is of."""
    with pytest.raises(TypeError, match="words"):
        words_with(own)


def test_only_emphasis_is_not_escaped() -> None:
    """A sentence may come from a translator."""
    assert emphasised("Tap <b>OK</b>") == "Tap <b>OK</b>"
    assert emphasised("<b onclick=a>x</b> <script>") == ("&lt;b onclick=a&gt;x</b> &lt;script&gt;")

"""The words of the page in each language, and those of an app instead."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TypeAlias, cast

from markupsafe import Markup, escape

from ._languages import LANGUAGES
from ._unicode import check_unicode

# Sentences by their names in page/*.toml, in tables and lists as they stand there.
Sentences: TypeAlias = "str | list[str] | dict[str, Sentences]"
Words: TypeAlias = dict[str, Sentences]
# The same for an app: by language, and only those that it replaces.
OwnWords: TypeAlias = Mapping[str, Mapping[str, object]]

_FOLDER = files("plugchat_async.fastapi").joinpath("page")


def read_words(language: str) -> Words:
    """Read the words of the page in a language."""
    return tomllib.loads(_FOLDER.joinpath(f"{language}.toml").read_text("utf-8"))


def words_with(own: OwnWords | None) -> dict[str, Words]:
    """Return the words of each language, some of them replaced by an app's.

    Args:
        own: By language, sentences under the same names as in `page/*.toml`.

    Raises:
        TypeError: A value is not of the kind of the page's own.
        ValueError: A language or a name is unknown, or a sentence is empty or has other names in
            braces.
    """
    own = {} if own is None else own
    if not isinstance(own, Mapping):
        raise TypeError('words must map languages to words, such as {"en": {"title": "..."}}')
    for language in own:
        if language not in LANGUAGES:
            raise ValueError(
                f"words: unknown language {language!r}; the page speaks {', '.join(LANGUAGES)}"
            )
    return {
        language: _merge(
            read_words(language),
            _check_table(own.get(language, {}), f"words[{language!r}]"),
            f"words[{language!r}]",
        )
        for language in LANGUAGES
    }


def emphasised(sentence: str) -> Markup:
    """Escape a sentence, but for the element <b>."""
    return Markup(re.sub(r"&lt;(/?b)&gt;", r"<\1>", str(escape(sentence))))  # noqa: S704 - escaped


def _merge(words: Words, own: Mapping[str, object], place: str) -> Words:
    merged = dict(words)
    for name, value in own.items():
        if name not in words:
            raise ValueError(f"{place}: unknown name {name!r}; it has {', '.join(words)}")
        merged[name] = _replace(words[name], value, f"{place}[{name!r}]")
    return merged


def _replace(old: Sentences, new: object, place: str) -> Sentences:
    match old:
        case dict():
            return _merge(old, _check_table(new, place), place)
        case list():
            return [_check(each, set(), place) for each in _check_list(new, place)]
        case _:
            return _check(new, _names_in(old), place)


def _check_table(own: object, place: str) -> Mapping[str, object]:
    if not isinstance(own, Mapping):
        raise TypeError(f"{place} must be a dict of words")
    return cast("Mapping[str, object]", own)


def _check_list(own: object, place: str) -> Sequence[object]:
    if not isinstance(own, list | tuple):
        raise TypeError(f"{place} must be a list of str")
    if not own:
        raise ValueError(f"{place} is empty: leave it out, and the page has its own")
    return cast("Sequence[object]", own)


def _check(sentence: object, known: set[str], place: str) -> str:
    if not isinstance(sentence, str):
        raise TypeError(f"{place} must be a str, not {type(sentence).__name__}")
    check_unicode(place, sentence)
    if not sentence.strip():
        raise ValueError(f"{place} is empty: leave it out, and the page has its own")
    if unknown := _names_in(sentence) - known:
        allowed = ", ".join(f"{{{name}}}" for name in sorted(known)) or "no names"
        raise ValueError(f"{place}: {{{min(unknown)}}} is unknown here; it may have {allowed}")
    return sentence


def _names_in(sentence: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", sentence))

"""Two languages that say the same, and how one of them is chosen."""

from __future__ import annotations

import dataclasses
import string
from typing import TYPE_CHECKING

import pytest

import plugchat_async
from plugchat_async import PlugChatError, ResponseError
from plugchat_async.cli._texts import ENGLISH, PORTUGUESE, Sentences, texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def names_in(text: object) -> Iterator[str | None]:
    """Find what is filled in, in the order of the alphabet."""
    if isinstance(text, str):
        yield from sorted(name or "" for _, name, _, _ in string.Formatter().parse(text) if name)
    else:
        assert isinstance(text, tuple)
        for part in text:
            yield from names_in(part)


def fields(language: object) -> dict[str, object]:
    """List the texts by name, those of failures by code."""
    assert dataclasses.is_dataclass(language)
    texts = {field.name: getattr(language, field.name) for field in dataclasses.fields(language)}
    failures: Mapping[str, Sentences] = texts.pop("failures")
    return {**texts, **{f"failures.{code}": failures[code] for code in failures}}


def test_both_languages_fill_in_the_same_names() -> None:
    """No sentence lacks in one language what it tells in the other."""
    english, portuguese = fields(ENGLISH), fields(PORTUGUESE)
    assert english.keys() == portuguese.keys()
    for name, text in english.items():
        assert list(names_in(text)) == list(names_in(portuguese[name])), name


def test_every_error_has_its_sentences() -> None:
    """The codes are those of the errors that can be raised."""
    errors = [getattr(plugchat_async, name) for name in plugchat_async.__all__]
    codes = {
        error.code
        for error in errors
        if isinstance(error, type) and issubclass(error, PlugChatError)
    }
    raised = codes - {PlugChatError.code, ResponseError.code}
    assert ENGLISH.failures.keys() == PORTUGUESE.failures.keys() == raised


@pytest.mark.parametrize(
    ("environment", "is_portuguese"),
    [
        ({}, False),
        ({"LANG": "pt_BR.UTF-8"}, True),
        ({"LANG": "pt"}, True),
        ({"LANG": "PT_PT@euro"}, True),
        ({"LANG": "C.UTF-8"}, False),
        ({"LC_MESSAGES": "pt_BR", "LANG": "en_US"}, True),
        ({"LC_MESSAGES": "en_US", "LANG": "pt_BR"}, False),
        ({"LC_ALL": "C", "LC_MESSAGES": "pt_BR", "LANG": "pt_BR"}, False),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": "pt_BR"}, True),
    ],
)
def test_the_first_variable_that_is_set_chooses(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], *, is_portuguese: bool
) -> None:
    """`LC_ALL`, then `LC_MESSAGES`, then `LANG`; an empty one is none."""
    monkeypatch.delenv("LC_ALL")
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert texts() is (PORTUGUESE if is_portuguese else ENGLISH)

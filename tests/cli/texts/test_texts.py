"""Two languages that say the same, how one of them is chosen, and that nothing said is missing."""

from __future__ import annotations

import ast
import re
import string
from importlib.metadata import requires
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import plugchat_async
from plugchat_async import PlugChatError, ResponseError, cli
from plugchat_async.cli._texts import language, read_texts, text, translated

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(cli.__file__).parent


def texts(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Return each text with its name; those that translate Typer's own have none."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from texts(value, f"{prefix}{key}.")
        elif isinstance(value, str):
            yield prefix + key, value


def names_in(template: str) -> list[str]:
    """Return what is filled in, in the order of the alphabet."""
    return sorted(name for _, name, _, _ in string.Formatter().parse(template) if name)


ENGLISH, PORTUGUESE = (dict(texts(read_texts(each))) for each in ("en", "pt-BR"))


def test_both_languages_have_the_same_texts() -> None:
    """With the same names in braces."""
    assert ENGLISH.keys() == PORTUGUESE.keys()
    for name, english in ENGLISH.items():
        assert names_in(english) == names_in(PORTUGUESE[name]), name


def test_every_error_has_its_sentences() -> None:
    """For each error that can be raised."""
    errors = [getattr(plugchat_async, name) for name in plugchat_async.__all__]
    codes = {
        error.code
        for error in errors
        if isinstance(error, type) and issubclass(error, PlugChatError)
    }
    for code in codes - {PlugChatError.code, ResponseError.code}:
        assert {f"failures.{code}.happened", f"failures.{code}.to_do"} <= ENGLISH.keys()


def test_every_text_that_the_source_names_exists_and_every_text_is_used() -> None:
    """A text's name is a literal, or it begins with one."""
    strings = {
        node.value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    sections = {name.partition(".")[0] for name in ENGLISH if "." in name}
    named = {each for each in strings if "." in each and each.partition(".")[0] in sections}
    beginnings = tuple(each for each in named if each.endswith("."))
    failures = {f"failures.{each}.{part}" for each in strings for part in ("happened", "to_do")}
    missing = [each for each in named - set(beginnings) if each not in ENGLISH]
    assert missing == []
    unused = [
        name
        for name in ENGLISH
        if name not in strings | failures and not name.startswith(beginnings)
    ]
    assert {name.partition(".")[0] for name in unused} <= {"failures"}
    assert all(name.split(".")[1] in _ERROR_CODES for name in unused)


_ERROR_CODES = {
    getattr(plugchat_async, name).code
    for name in plugchat_async.__all__
    if hasattr(getattr(plugchat_async, name), "code")
} | {"expired", "internal_error"}


@pytest.mark.parametrize("name", sorted(n for n in ENGLISH if "(extra [" in ENGLISH[n]))
def test_a_text_about_an_extra_names_all_its_packages(name: str) -> None:
    """As the metadata of the distribution lists them."""
    for said in (ENGLISH[name], PORTUGUESE[name]):
        [extra] = re.findall(r"\(extra \[(\w+)\]\)", said)
        packages = [
            requirement
            for requirement in requires("plugchat-async") or []
            if requirement.endswith(f"extra == '{extra}'")
        ]
        assert packages
        for package in packages:
            distribution = re.split(r"[<>=;\[ ]", package)[0]
            assert distribution.lower() in said.lower() or "{packages}" in said


def test_a_text_that_does_not_exist() -> None:
    """It is a mistake, and not silently empty."""
    with pytest.raises(KeyError):
        text("pair.nothing")


def test_names_in_braces_are_filled_in() -> None:
    """By their names."""
    assert text("pair.no_viewer", path="code.png") == "No viewer was found. Open code.png yourself."


@pytest.mark.parametrize(
    ("typers", "ours"),
    [
        ("Option '--output' requires an argument.", "A opção '--output' precisa de um valor."),
        ("Option '--json' does not take a value.", "A opção '--json' não recebe valor."),
        ("Invalid value for '--port': x", "Valor inválido para '--port': x"),
        ("Invalid value: --port needs --web", "Valor inválido: --port needs --web"),
        ("Usage: plugchat [OPTIONS] COMMAND [ARGS]...", "plugchat [OPÇÕES] COMANDO [ARGUMENTOS]"),
    ],
)
def test_typers_own_words_are_translated(
    monkeypatch: pytest.MonkeyPatch, typers: str, ours: str
) -> None:
    """In English they stay."""
    assert translated(typers) == typers
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")
    assert ours in translated(typers)


@pytest.mark.parametrize(
    ("typers", "english", "portuguese"),
    [
        (
            "No such command 'a.token'. Did you mean 'pair'?",
            "There is no such command. Did you mean 'pair'?",
            "Este comando não existe. Você quis dizer 'pair'?",
        ),
        (
            "No such command 'a token.\nnext'.",
            "There is no such command.",
            "Este comando não existe.",
        ),
        (
            "No such option: --a.token (Possible options: --help)",
            "There is no such option (Possible options: --help)",
            "Esta opção não existe (parecidas: --help)",
        ),
        ("No such option: --a.token\n2", "There is no such option", "Esta opção não existe"),
        ("Got unexpected extra argument (a.token)", "If it is your token", "Se for o token"),
        ("Got unexpected extra arguments (a token)", "If it is your token", "Se for o token"),
        ("Got unexpected extra argument(s) (a\ntoken)", "If it is your token", "Se for o token"),
    ],
)
def test_an_argument_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, typers: str, english: str, portuguese: str
) -> None:
    """Typed as an argument, it would be shown, and be in the logs of a script."""
    for locale, ours in (("en_US.UTF-8", english), ("pt_BR.UTF-8", portuguese)):
        monkeypatch.setenv("LC_ALL", locale)
        assert ours in translated(typers)
        assert "token." not in translated(typers)
        assert "token)" not in translated(typers)


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
    """`LC_ALL`, then `LC_MESSAGES`, then `LANG`; an empty one is ignored."""
    monkeypatch.delenv("LC_ALL")
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert language() == ("pt-BR" if is_portuguese else "en")

"""Texts of the command, in `en.toml` and `pt-BR.toml`, as those of the page."""

from __future__ import annotations

import os
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any


def language() -> str:
    """Return the language that the first of `LC_ALL`, `LC_MESSAGES` and `LANG` names."""
    names = (os.environ.get(variable) for variable in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next((name for name in names if name), "")
    return "pt-BR" if locale.lower().startswith("pt") else "en"


@cache
def read_texts(language: str) -> dict[str, Any]:
    """Read all texts in a language."""
    return tomllib.loads(Path(__file__).with_name(f"{language}.toml").read_text("utf-8"))


def text(name: str, /, **fields: object) -> str:
    """Return a text in the user's language.

    Args:
        name: The keys that lead to it, joined by dots.
        fields: The values for the names in its braces.

    Raises:
        KeyError: There is no such text.
    """
    found: Any = read_texts(language())
    for key in name.split("."):
        found = found[key]
    return str(found).format(**fields)


def translated(words: str) -> str:
    """Translate Typer's words, which are English, into the user's language."""
    for pattern, replacement in read_texts(language())["typer"]:
        words = re.sub(pattern, replacement, words, flags=re.MULTILINE)
    return words

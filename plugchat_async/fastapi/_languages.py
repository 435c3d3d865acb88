"""The language that a browser asks for. The page's words in it are in `page/*.toml`."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

Language: TypeAlias = Literal["en", "pt-BR", "es"]

LANGUAGES: Final[tuple[Language, ...]] = ("en", "pt-BR", "es")


def negotiate(accept_language: str) -> Language:
    """Choose what the browser likes best, and English if it likes none of them.

    Args:
        accept_language: The header `Accept-Language`; empty if there was none.
    """
    best: Language = LANGUAGES[0]
    best_weight = 0.0
    for entry in accept_language.split(","):
        tag, _, parameter = entry.partition(";")
        language = _speak(tag)
        weight = _weigh(parameter)
        if language is not None and weight > best_weight:
            best, best_weight = language, weight
    return best


def _speak(tag: str) -> Language | None:
    # Readers of European Portuguese read that of Brazil as well.
    asked_for = _primary(tag.strip())
    return next((language for language in LANGUAGES if _primary(language) == asked_for), None)


def _primary(tag: str) -> str:
    return tag.partition("-")[0].lower()


def _weigh(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0

"""Which language a browser gets."""

from __future__ import annotations

import pytest

from plugchat_async.fastapi._languages import negotiate


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
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("es-419", "es"),
        ("en;q=0.7,es;q=0.8", "es"),
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
    """Portuguese, Spanish or English by weight, then by order; English if none is asked for."""
    assert negotiate(accept_language) == language

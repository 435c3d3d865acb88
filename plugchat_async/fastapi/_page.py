"""The page: one document, with all that it needs inside, that runs and loads nothing else."""

from __future__ import annotations

import secrets
import tomllib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from ._languages import LANGUAGES, negotiate

if TYPE_CHECKING:
    from collections.abc import Mapping

_ASSETS = files("plugchat_async.fastapi").joinpath("page")

_CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'nonce-{nonce}'",
        "style-src 'nonce-{nonce}'",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    ]
)


class PairingPage:
    """Hold the template and what goes into it, read once."""

    def __init__(self) -> None:
        environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(_read),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._template = environment.get_template("page.html")
        # These two are ours, and are code: escaped, they would be none. Hence the S704.
        self._code = {name: Markup(_read(f"page.{name}")) for name in ("css", "js")}  # noqa: S704
        self._words = {language: read_words(language) for language in LANGUAGES}

    def response(self, accept_language: str, headers: Mapping[str, str]) -> HTMLResponse:
        """Write the page in the language that the browser likes best.

        Args:
            accept_language: The header `Accept-Language`; empty where there was none.
            headers: Further headers of the response.
        """
        language = negotiate(accept_language)
        nonce = secrets.token_urlsafe(16)
        return HTMLResponse(
            self._template.render(
                **self._code, language=language, nonce=nonce, words=self._words[language]
            ),
            headers={
                **headers,
                "Content-Language": language,
                "Content-Security-Policy": _CONTENT_SECURITY_POLICY.format(nonce=nonce),
                "Vary": "Accept-Language",
            },
        )


def read_words(language: str) -> dict[str, Any]:
    """Read what the page says in a language."""
    return tomllib.loads(_read(f"{language}.toml"))


def _read(name: str) -> str:
    return _ASSETS.joinpath(name).read_text("utf-8")

"""The page: one document, with all that it needs inside, that runs and loads nothing else."""

from __future__ import annotations

import secrets
from importlib.resources import files
from typing import TYPE_CHECKING

import jinja2
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from ._embedding import check_origins
from ._languages import negotiate
from ._theme import PairingTheme
from ._words import emphasised, words_with

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._words import OwnWords

_ASSETS = files("plugchat_async.fastapi").joinpath("page")
_TEMPLATES = ("page.html", "notice.html", "head.html", "header.html")

_CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'nonce-{nonce}'",
        "style-src 'nonce-{nonce}'",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors {ancestors}",
    ]
)


class PairingPage:
    """Template of the page, and what goes into it.

    Args:
        theme: The product's name and colours; None for the page's own.
        words: Sentences by language and name, instead of the page's own.
        embed_in: Origins whose pages may frame it, beside its own.
        begins_with_button: Whether it shows a button before it asks for a code.

    Raises:
        ValueError: A word or an origin is not one that the page can use.
        TypeError: An argument is of the wrong type.
    """

    def __init__(
        self,
        *,
        theme: PairingTheme | None = None,
        words: OwnWords | None = None,
        embed_in: Sequence[str] = (),
        begins_with_button: bool = False,
    ) -> None:
        if theme is not None and not isinstance(theme, PairingTheme):
            raise TypeError(f"theme must be a PairingTheme or None, not {type(theme).__name__}")
        self._words = words_with(words)
        self._origins = check_origins(embed_in)
        self._begins_with_button = begins_with_button
        environment = jinja2.Environment(
            # Read now: a request waits for no file.
            loader=jinja2.DictLoader({name: _read(name) for name in _TEMPLATES}),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["emphasised"] = emphasised
        theme = PairingTheme() if theme is None else theme
        css = _read("page.css").replace("(prefers-color-scheme: dark)", theme.dark_if)
        # These are the package's own code, which escaping would break. Hence the S704.
        self._everywhere: dict[str, object] = {
            "css": Markup(css),  # noqa: S704
            "frame_js": Markup(_read("frame.js")),  # noqa: S704
            "page_js": Markup(_read("page.js")),  # noqa: S704
            "theme": theme,
        }
        self._page = environment.get_template("page.html")
        self._notice = environment.get_template("notice.html")

    def response(
        self, accept_language: str, headers: Mapping[str, str], *, return_url: str | None = None
    ) -> HTMLResponse:
        """Return the page in the language that the browser likes best.

        Args:
            accept_language: The header `Accept-Language`; empty if there was none.
            headers: Further headers of the response.
            return_url: The checked address to go on to after a scan.
        """
        language = negotiate(accept_language)
        settings = {
            "words": self._words[language],
            "return_url": return_url,
            "embed_in": self._origins,
            "begins_with_button": self._begins_with_button,
        }
        return self._respond(self._page, language, headers, settings=settings)

    def notice(
        self, name: str, accept_language: str, headers: Mapping[str, str], *, status_code: int
    ) -> HTMLResponse:
        """Return a page that says why there is nothing to scan, and needs no script for it.

        Args:
            name: The table of its headline and advice among the words, and the code that a page
                which frames it is told.
            accept_language: The header `Accept-Language`; empty if there was none.
            headers: Further headers of the response.
            status_code: The status of the response.
        """
        language = negotiate(accept_language)
        return self._respond(
            self._notice,
            language,
            headers,
            status_code,
            notice=self._words[language][name],
            settings={"code": name, "embed_in": self._origins},
        )

    def _respond(
        self,
        template: jinja2.Template,
        language: str,
        headers: Mapping[str, str],
        status_code: int = 200,
        **values: object,
    ) -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        policy = _CONTENT_SECURITY_POLICY.format(
            nonce=nonce, ancestors=" ".join(["'self'", *self._origins])
        )
        return HTMLResponse(
            template.render(
                **self._everywhere,
                language=language,
                nonce=nonce,
                words=self._words[language],
                **values,
            ),
            status_code,
            headers={
                **headers,
                "Content-Language": language,
                "Content-Security-Policy": policy,
                "Vary": "Accept-Language",
            },
        )


def _read(name: str) -> str:
    return _ASSETS.joinpath(name).read_text("utf-8")

"""The page: one document, sealed."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from plugchat_async.fastapi._languages import LANGUAGES
from plugchat_async.fastapi._page import PairingPage
from plugchat_async.fastapi._theme import PairingTheme
from plugchat_async.fastapi._words import read_words

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import Response

    from plugchat_async.fastapi._theme import ColorScheme


class Parsed(HTMLParser):
    """Collect what a document is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """Give the attributes of each element of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page() -> PairingPage:
    """Give the page."""
    return PairingPage()


def settings_of(response: Response) -> dict[str, Any]:
    """Return what the page's script is told."""
    document = Parsed(bytes(response.body).decode())
    settings: dict[str, Any] = json.loads(next(t for t in document.text if t.startswith("{")))
    return settings


def policy(page: PairingPage, response: Response | None = None) -> tuple[dict[str, str], Parsed]:
    """Return the page's CSP by directive, and the document that came with it."""
    response = response or page.response("en", {})
    directives = response.headers["content-security-policy"].split("; ")
    pairs = [directive.partition(" ") for directive in directives]
    return {name: value for name, _, value in pairs}, Parsed(bytes(response.body).decode())


def test_the_policy_is_strict(page: PairingPage) -> None:
    """Nothing runs but what bears this response's nonce; nothing is loaded from elsewhere."""
    directives, document = policy(page)
    nonce = directives["script-src"].removeprefix("'nonce-").removesuffix("'")
    assert re.fullmatch(r"[\w-]{22}", nonce)
    assert directives == {
        "default-src": "'none'",
        "script-src": f"'nonce-{nonce}'",
        "style-src": f"'nonce-{nonce}'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'",
    }
    (style,) = document.of("style")
    data, script = document.of("script")
    assert style["nonce"] == script["nonce"] == nonce
    assert data == {"type": "application/json", "id": "settings"}


def test_each_response_has_a_new_nonce(page: PairingPage) -> None:
    """Else it would be none."""
    assert policy(page)[0]["script-src"] != policy(page)[0]["script-src"]


def test_the_document_is_all_there_is(page: PairingPage) -> None:
    """No outside asset, no inline handler, no inline style."""
    _, document = policy(page)
    for tag, attributes in document.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert not {"src", "srcset", "style", "action"} & attributes.keys(), tag
    assert [link["href"] for link in document.of("link")] == ["data:,"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_in_the_language_that_was_asked_for(page: PairingPage, language: str) -> None:
    """And says so, to the browser and to what may keep it."""
    response = page.response(language, {"Cache-Control": "no-store"})
    document = Parsed(bytes(response.body).decode())
    words = read_words(language)
    assert document.of("html") == [{"lang": language}]
    assert response.headers["content-language"] == language
    assert response.headers["vary"] == "Accept-Language"
    assert response.headers["cache-control"] == "no-store"
    assert words["title"] in document.text
    assert settings_of(response) == {
        "words": words,
        "return_url": None,
        "embed_in": [],
        "begins_with_button": False,
    }


def test_words_are_escaped() -> None:
    """By the template's library, in text as in data."""
    page = PairingPage(
        words={"en": {"title": "</script><b>", "steps": {"each": ["<i>Tap</i> <b>OK</b>"]}}},
        theme=PairingTheme(name="<i>Acme"),
    )
    for response in (
        page.response("en", {}),
        page.notice("expired_link", "en", {}, status_code=410),
    ):
        body = bytes(response.body).decode()
        assert "</script><b>" not in body
        assert "<i>" not in body
        assert "&lt;/script&gt;&lt;b&gt;" in body
    assert "&lt;i&gt;Tap&lt;/i&gt; <b>OK</b>" in bytes(page.response("en", {}).body).decode()


def test_the_script_is_told_where_to_go_and_whom_to_tell() -> None:
    """In data attributes, as the app has chosen."""
    page = PairingPage(embed_in=["https://app.example:443"], begins_with_button=True)
    response = page.response("en", {}, return_url="/next?a=1&b=2")
    settings = settings_of(response)
    assert settings["embed_in"] == ["https://app.example"]
    assert settings["begins_with_button"]
    assert settings["return_url"] == "/next?a=1&b=2"
    directives, document = policy(page, response)
    assert directives["frame-ancestors"] == "'self' https://app.example"
    (link,) = document.of("a")
    assert link["href"] == "/next?a=1&b=2"


def test_the_page_without_a_return_url_leads_nowhere(page: PairingPage) -> None:
    """There is no link that does nothing."""
    assert policy(page)[1].of("a") == []


def test_the_page_has_a_products_clothes(tmp_path: Path) -> None:
    """Its name, its logo and its colours, all inside of the document."""
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>', "utf-8")
    theme = PairingTheme(name="Acme", logo=logo, accent="#5b21b6", show_title=False)
    directives, document = policy(PairingPage(theme=theme))
    (image,) = document.of("img")
    assert image == {"src": theme.logo_uri, "alt": "Acme"}
    assert directives["img-src"] == "data:"
    assert document.of("h1") == [{"class": "unseen"}]
    assert "Link your WhatsApp · Acme" in document.text
    assert any("--accent: #5b21b6;" in text for text in document.text)
    without_logo = policy(PairingPage(theme=PairingTheme(name="Acme")))[1]
    assert "Acme" in without_logo.text
    nameless = policy(PairingPage(theme=PairingTheme(logo=logo)))[1]
    assert nameless.of("img") == [{"src": theme.logo_uri, "alt": ""}]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["invalid_link", "expired_link"])
def test_a_notice_says_why_there_is_nothing_to_scan(language: str, name: str) -> None:
    """In words, in each language; its script only tells the page that frames it."""
    page = PairingPage(embed_in=["https://app.example"])
    response = page.notice(name, language, {"Cache-Control": "no-store"}, status_code=410)
    directives, document = policy(page, response)
    words: Any = read_words(language)
    assert {words[name]["headline"], words[name]["advice"]} <= set(document.text)
    assert response.status_code == 410
    assert response.headers["cache-control"] == "no-store"
    assert document.of("button") == []
    assert settings_of(response) == {"code": name, "embed_in": ["https://app.example"]}
    assert "EventSource" not in bytes(response.body).decode()
    assert directives["frame-ancestors"] == "'self' https://app.example"


@pytest.mark.parametrize(
    ("color_scheme", "query"), [("light", "@media not all {"), ("dark", "@media all {")]
)
def test_a_page_of_one_mode_does_not_ask_the_system(color_scheme: ColorScheme, query: str) -> None:
    """Else it would be a dark island in a light site."""
    theme = PairingTheme(color_scheme=color_scheme, accent="#5b21b6")
    _, document = policy(PairingPage(theme=theme))
    assert {"name": "color-scheme", "content": color_scheme} in document.of("meta")
    (css,) = (text for text in document.text if "--accent" in text)
    assert "prefers-color-scheme" not in css
    assert css.count(query) == 2


def test_a_theme_is_a_theme() -> None:
    """And not its arguments."""
    with pytest.raises(TypeError, match="theme must be a PairingTheme or None, not dict"):
        PairingPage(theme={"accent": "#5b21b6"})  # type: ignore[arg-type]  # on purpose

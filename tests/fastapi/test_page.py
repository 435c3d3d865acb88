"""The page: one document, sealed."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from plugchat_async.fastapi._languages import LANGUAGES
from plugchat_async.fastapi._page import PairingPage, read_words


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


def policy(page: PairingPage) -> tuple[dict[str, str], Parsed]:
    """Give the page's CSP by directive, and the document that came with it."""
    response = page.response("en", {})
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
    assert data == {"type": "application/json", "id": "words"}


def test_each_response_has_a_nonce_of_its_own(page: PairingPage) -> None:
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
    data = next(text for text in document.text if text.startswith("{"))
    assert json.loads(data) == words


def test_words_are_escaped(page: PairingPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the template's library, in text as in data.

    They are put into the page itself: its own words hold no markup, and it takes no others.
    """
    words = {**read_words("en"), "title": "</script><b>"}
    monkeypatch.setitem(page._words, "en", words)
    body = bytes(page.response("en", {}).body).decode()
    assert "</script><b>" not in body
    assert "&lt;/script&gt;&lt;b&gt;" in body

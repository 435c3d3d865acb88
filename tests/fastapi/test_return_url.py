"""Addresses that a page may open after a scan."""

from __future__ import annotations

import pytest

from plugchat_async.fastapi._return_url import check_return_url


@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/onboarding/next?step=2#top",
        "/a//b",
        "/ação",
        "https://app.example",
        "https://app.example/next",
        "HTTPS://app.example:8443/next?to=//elsewhere",
        "http://localhost:3000/",
        "http://[::1]:3000/",
        "https://exämple.example/",
    ],
)
def test_a_path_or_a_web_address_is_taken_unchanged(url: str) -> None:
    """With query and fragment."""
    assert check_return_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "next",
        "?next",
        "//elsewhere.example",
        "///elsewhere.example",
        "/\\elsewhere.example",
        "\\\\elsewhere.example",
        "/\t/elsewhere.example",
        "\n//elsewhere.example",
        "/a b",
        "/a\x00",
        "/a\xa0b",
        "javascript:alert(1)",
        "data:text/html,a",
        "ftp://app.example/",
        "https:",
        "https://",
        "https:app.example",
        "https:/app.example",
        "https:///app.example",
        "https://?a",
        "https://user@app.example/",
        "https://app.example@elsewhere.example/",
        "https://app.example:0/",
        "https://app.example:99999/",
        "https://[::1/",
        "https://:443/",
        " https://app.example/",
        "/" + "a" * 2048,
        "/\ud800",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    """A browser may read an odd address as another one than a server does."""
    with pytest.raises(ValueError, match="return_url"):
        check_return_url(url)


def test_only_text_is_an_address() -> None:
    """Not even bytes are."""
    with pytest.raises(TypeError, match="must be a str, not bytes"):
        check_return_url(b"/next")  # type: ignore[arg-type]  # on purpose

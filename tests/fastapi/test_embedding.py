"""Which pages may frame the page."""

from __future__ import annotations

from typing import Any

import pytest

from plugchat_async.fastapi._embedding import check_origins


@pytest.mark.parametrize(
    ("origin", "written"),
    [
        ("https://app.example", "https://app.example"),
        ("HTTPS://App.Example:443", "https://app.example"),
        ("http://app.example:80", "http://app.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://app.example:80", "https://app.example:80"),
        ("https://xn--exmple-cua.example", "https://xn--exmple-cua.example"),
        ("http://127.0.0.1:08000", "http://127.0.0.1:8000"),
    ],
)
def test_an_origin_is_written_as_a_browser_writes_it(origin: str, written: str) -> None:
    """In small letters, without the scheme's own port: both are compared with it."""
    assert check_origins([origin]) == (written,)


def test_no_origin_is_a_choice() -> None:
    """Then the page is framed by its own origin only."""
    assert check_origins([]) == ()


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*.app.example", "https://*", "http://localhost:*"],
)
def test_a_wildcard_is_refused(origin: str) -> None:
    """It would let in sites that nobody has thought of."""
    with pytest.raises(ValueError, match=r"wildcard.*list each origin"):
        check_origins([origin])


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "app.example",
        "null",
        "https:",
        "https://",
        "https://app.example/",
        "https://app.example/path",
        "https://app.example?a",
        "https://user@app.example",
        "https://app.example:0",
        "https://app.example:65536",
        "https://app.example:",
        "https://app example",
        "https://app.example; script-src 'self'",
        "https://app.example\n",
        "https://exämple.example",
        "ftp://app.example",
        "'self'",
    ],
)
def test_a_text_that_is_not_an_origin_is_refused(origin: str) -> None:
    """With what one looks like; nothing else may get into the policy."""
    with pytest.raises(ValueError, match="is not an origin: write scheme, host and port"):
        check_origins([origin])


def test_an_ipv6_address_is_refused() -> None:
    """The grammar of frame-ancestors has none, so that a browser would drop it."""
    with pytest.raises(ValueError, match=r"'http://\[::1\]:8000' has an IPv6 address.*use a name"):
        check_origins(["http://[::1]:8000"])


@pytest.mark.parametrize(
    "origins", ["https://app.example", None, 1, [None], [b"https://a.example"]]
)
def test_origins_come_in_a_list(origins: Any) -> None:
    """One str would be taken for a list of letters."""
    with pytest.raises(TypeError, match="embed_in"):
        check_origins(origins)

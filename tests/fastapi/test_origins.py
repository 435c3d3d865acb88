"""Whose page may press the button."""

from __future__ import annotations

import pytest
from fastapi import HTTPException

from plugchat_async.fastapi._origins import require_same_origin


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin", "origin": "https://app.example"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-origin", "host": "inside:8000", "origin": "https://app.example"},
        {"origin": "http://app.example"},
        {"origin": "https://app.example"},
        {"origin": "https://APP.example:8443", "host": "app.example:8443"},
        {"origin": "http://app.example", "host": "app.example:80"},
        {"origin": "https://app.example", "host": "app.example:443"},
        {"origin": "http://[::1]:8000", "host": "[::1]:8000"},
        {},
    ],
    ids=[
        "its own page",
        "the person",
        "behind a proxy that changes Host",
        "without Sec-Fetch-Site",
        "behind a proxy that ends TLS",
        "on a port",
        "behind a proxy that names http's port",
        "behind a proxy that names https's port",
        "at an IPv6 address",
        "no browser",
    ],
)
def test_the_page_itself_may(headers: dict[str, str]) -> None:
    """So may a client other than a browser: no other page can make it send anything."""
    require_same_origin(**{"host": "app.example", **headers})


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "origin": "http://app.example"},
        {"sec_fetch_site": "nonsense"},
        {"origin": "http://elsewhere.example"},
        {"origin": "http://app.example:8000"},
        {"origin": "http://app.example.elsewhere.example"},
        {"origin": "http://app.example:8080"},
        {"origin": "http://[::1"},
        {"origin": "app.example"},
        {"origin": "null"},
        {"origin": ""},
    ],
    ids=[
        "another site",
        "another name of the same site",
        "another site with a forged origin",
        "nonsense",
        "another host",
        "another port",
        "a longer name",
        "a longer port",
        "half an address",
        "no scheme",
        "a sandboxed frame",
        "nothing",
    ],
)
def test_no_other_page_may(headers: dict[str, str]) -> None:
    """It is refused, and told what would have been right."""
    with pytest.raises(HTTPException, match="pairing page itself") as refused:
        require_same_origin(**{"host": "app.example", **headers})
    assert refused.value.status_code == 403

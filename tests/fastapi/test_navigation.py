"""Which requests come from a browser that is about to show the page."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from plugchat_async.fastapi._navigation import is_navigation

NAVIGATION = {
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
}


@pytest.mark.parametrize("site", ["none", "same-origin", "same-site"])
def test_a_person_opens_the_page(site: str) -> None:
    """By its address, a bookmark or a reload, or by a link of the app."""
    assert is_navigation(Headers(NAVIGATION | {"Sec-Fetch-Site": site}))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"User-Agent": "Mozilla/5.0", "Accept": "text/html"},
        NAVIGATION | {"Sec-Fetch-Site": "cross-site"},
        NAVIGATION | {"Sec-Fetch-Site": "nonsense"},
        NAVIGATION | {"Sec-Fetch-Dest": "iframe"},
        NAVIGATION | {"Sec-Fetch-Mode": "cors"},
        NAVIGATION | {"Sec-Purpose": "prefetch"},
        NAVIGATION | {"Sec-Purpose": "prefetch;prerender"},
        NAVIGATION | {"Purpose": "prefetch"},
        *({name: NAVIGATION[name] for name in NAVIGATION if name != left} for left in NAVIGATION),
    ],
    ids=[
        "HTTP client",
        "a browser over plain http",
        "another site",
        "unknown site",
        "frame",
        "script",
        "prefetch",
        "prerender",
        "an older browser's prefetch",
        "no destination",
        "no mode",
        "no site",
    ],
)
def test_nobody_may_see_the_page(headers: dict[str, str]) -> None:
    """Or another site has sent the person there, who may not want it."""
    assert not is_navigation(Headers(headers))

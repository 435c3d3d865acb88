"""A link that works once, for a page that no other port, host or browser can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import PlainTextResponse

from plugchat_async import PairingHub
from plugchat_async.cli._web.one_time_link import OneTimeLink, make_app
from plugchat_async.sandbox import Sandbox

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.anyio

FIRST, SECOND, OTHER = (f"http://127.0.0.1:{port}" for port in (8001, 8002, 8003))


class Pages:
    """Two pages on two ports, and another program's server on a third."""

    def __init__(self, hub: PairingHub) -> None:
        self.first, self.second = OneTimeLink(), OneTimeLink()
        self.cookies: list[str] = []
        client = Sandbox().client()
        self._mounts = {
            FIRST: httpx.ASGITransport(make_app(client, hub, self.first)),
            SECOND: httpx.ASGITransport(make_app(client, hub, self.second)),
            OTHER: httpx.ASGITransport(self._other_program),
        }

    async def _other_program(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        self.cookies.append(headers.get(b"cookie", b"").decode())
        await PlainTextResponse("")(scope, receive, send)

    def browser(self) -> httpx.AsyncClient:
        """Return a browser, whose cookies are a host's, whatever the port."""
        return httpx.AsyncClient(mounts=self._mounts, trust_env=False)


@pytest.mark.parametrize(
    ("language", "used", "closed"),
    [
        ("en", "This link was used already", "the browser that opened the one-time link"),
        ("pt-BR", "Este link já foi usado", "o navegador que abriu o link"),
    ],
)
async def test_people_read_a_refusal_and_programs_get_json(
    monkeypatch: pytest.MonkeyPatch, language: str, used: str, closed: str
) -> None:
    """A page in the user's language if the link or the page is opened in vain."""
    monkeypatch.setenv("LC_ALL", language)
    async with PairingHub() as hub:
        pages = Pages(hub)
        async with pages.browser() as browser:
            await browser.get(FIRST + pages.first.path)
            browser.cookies.clear()
            for path, sentence in ((pages.first.path, used), (pages.first.page, closed)):
                refused = await browser.get(FIRST + path, headers={"Accept": "text/html,*/*"})
                assert (refused.status_code, refused.headers["cache-control"]) == (403, "no-store")
                assert refused.headers["content-type"].startswith("text/html")
                assert f'<html lang="{language}">' in refused.text
                assert sentence in refused.text
                refused = await browser.get(FIRST + path)
                assert (refused.status_code, sentence in refused.json()["detail"]) == (403, True)


async def test_two_pages_in_one_browser() -> None:
    """Neither shuts the other out."""
    async with PairingHub() as hub:
        pages = Pages(hub)
        async with pages.browser() as browser:
            await browser.get(FIRST + pages.first.path)
            await browser.get(SECOND + pages.second.path)
            assert (await browser.get(FIRST + pages.first.page)).status_code == 200
            assert (await browser.get(SECOND + pages.second.page)).status_code == 200


async def test_the_pass_reaches_no_other_port() -> None:
    """Browsers send a cookie to all ports of a host, but only below its path."""
    async with PairingHub() as hub:
        pages = Pages(hub)
        async with pages.browser() as browser:
            await browser.get(FIRST + pages.first.path)
            for path in ("/", "/pair", "/open/a-key", pages.second.page):
                await browser.get(OTHER + path)
    assert pages.cookies == ["", "", "", ""]


@pytest.mark.parametrize("host", ["rebound.example", "rebound.example:8001", "127.0.0.1.example"])
async def test_a_foreign_host_is_refused(host: str) -> None:
    """A page of somebody else's, whose name leads here, gets nothing (DNS rebinding)."""
    async with PairingHub() as hub:
        pages = Pages(hub)
        async with pages.browser() as browser:
            headers = {"Host": host}
            for path in (pages.first.path, pages.first.page):
                assert (await browser.get(FIRST + path, headers=headers)).status_code == 400
            assert (await browser.get(FIRST + pages.first.path)).status_code == 303


@pytest.mark.parametrize("host", ["localhost:8001", "127.0.0.1:9000"])
async def test_the_end_of_a_tunnel_is_this_machine(host: str) -> None:
    """By either name, on any port."""
    async with PairingHub() as hub:
        pages = Pages(hub)
        async with pages.browser() as browser:
            entered = await browser.get(FIRST + pages.first.path, headers={"Host": host})
    assert entered.status_code == 303

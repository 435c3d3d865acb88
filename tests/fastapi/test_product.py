"""The page as part of a product: links, a way back, frames."""

from __future__ import annotations

import json
import logging
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request

from plugchat_async import AsyncPlugChat, PairingHub
from plugchat_async.fastapi import PairingLinks, PairingTicket, pairing_router
from tests.sandbox_calls import codes_requested

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from plugchat_async.sandbox import Sandbox

    from .conftest import Listen, Serve

SECRET = "a secret of more than 32 characters"


links = PairingLinks(SECRET)


@asynccontextmanager
async def opened(hub: PairingHub) -> AsyncGenerator[None]:
    """Open a hub for as long as the app runs."""
    async with hub:
        yield


def app_with_links(sandbox: Sandbox, **options: Any) -> FastAPI:
    """Make an app whose page is opened by links."""

    def get_client(ticket: Annotated[PairingTicket, Depends(links)]) -> AsyncPlugChat:
        return sandbox.client(ticket.subject)

    hub = options.get("hub")
    app = FastAPI(lifespan=None if hub is None else lambda _: opened(hub))
    router = pairing_router(get_client, dependencies=[], links=links, **options)
    app.include_router(router, prefix="/link/{ticket}")
    return app


def settings_of(page: httpx.Response) -> dict[str, Any]:
    """Return what the page's script is told."""
    data = page.text.partition('id="settings">')[2].partition("</script>")[0]
    settings: dict[str, Any] = json.loads(data)
    return settings


async def start(app: FastAPI) -> None:
    """Start an app, and stop it."""
    async with app.router.lifespan_context(app):
        pass


async def request(app: FastAPI, path: str) -> httpx.Response:
    """Send a request to an app that does not run."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as browser:
        return await browser.get(path)


# Links.


def test_a_link_requests_no_code_before_its_button_is_pressed(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """A scanner of e-mails opens the page, and whatever its script opens."""
    url = f"{serve(app_with_links(sandbox))}/link/{links.create('tenant-a')}"
    for _ in range(3):
        assert settings_of(httpx.get(url))["begins_with_button"]
        assert httpx.get(f"{url}/events").status_code == 204
        assert httpx.get(f"{url}/qr.svg").status_code == 404
        assert httpx.post(f"{url}/restart").status_code == 204
    assert sandbox.calls == ()
    assert httpx.post(f"{url}/start").status_code == 204
    assert listen(f"{url}/events").until("code")["round"] == 1
    # A second press, as after the page was loaded again, joins what runs.
    assert httpx.post(f"{url}/start").status_code == 204
    assert listen(f"{url}/events").until("code")["round"] == 1
    assert codes_requested(sandbox) == 1


@pytest.mark.parametrize("button", ["start", "restart"])
def test_the_button_of_a_link_begins_again_after_an_ending(
    sandbox: Sandbox, serve: Serve, listen: Listen, button: str
) -> None:
    """It has to be pressed once, not twice."""
    sandbox.answer_next("unauthorized")
    url = f"{serve(app_with_links(sandbox))}/link/{links.create('tenant-a')}"
    httpx.post(f"{url}/start")
    listen(f"{url}/events").until("failed")
    httpx.post(f"{url}/{button}")
    assert listen(f"{url}/events").until("code")["round"] == 1


def test_no_other_page_presses_the_button_of_a_link(sandbox: Sandbox, serve: Serve) -> None:
    """Not even one that knows the link."""
    url = f"{serve(app_with_links(sandbox))}/link/{links.create('tenant-a')}"
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}):
        assert httpx.post(f"{url}/start", headers=headers).status_code == 403
    time.sleep(0.1)
    assert sandbox.calls == ()


def test_the_button_of_a_link_knows_the_hubs_limit(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """It is refused as the stream is."""
    hub = PairingHub(max_watchers=1)
    url = f"{serve(app_with_links(sandbox, hub=hub))}/link/{links.create('tenant-a')}"
    httpx.post(f"{url}/start")
    listen(f"{url}/events").until("code")
    refused = httpx.post(f"{url}/start")
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0


def test_a_page_without_links_has_no_start_button(sandbox: Sandbox, serve: Serve) -> None:
    """It asks for a code by itself."""
    app = FastAPI()
    app.include_router(pairing_router(sandbox.client, dependencies=[]), prefix="/whatsapp")
    url = serve(app)
    assert httpx.post(f"{url}/whatsapp/start").status_code == 404
    assert not settings_of(httpx.get(f"{url}/whatsapp"))["begins_with_button"]


@pytest.mark.parametrize(
    ("spoil", "status", "headline"),
    [
        (lambda _: "forged", 404, "Este link não é válido"),
        (lambda ticket: ticket[:-1], 404, "Este link não é válido"),
        (lambda _: "a" * 20_000, 404, "Este link não é válido"),
        (
            lambda _: PairingLinks(SECRET).create("a", lifetime=timedelta(microseconds=1)),
            410,
            "Este link expirou",
        ),
        (lambda _: PairingLinks("of another " + SECRET).create("a"), 404, "Este link não é válido"),
    ],
    ids=["forged", "cut", "long", "expired", "of another secret"],
)
def test_a_refused_link_is_a_page_in_words(
    sandbox: Sandbox,
    serve: Serve,
    spoil: Callable[[str], str],
    status: int,
    headline: str,
) -> None:
    """In the reader's language; nothing is asked of PlugChat, by whichever address."""
    url = f"{serve(app_with_links(sandbox))}/link/{spoil(links.create('a'))}"
    code = "invalid_link" if status == 404 else "expired_link"
    for page in (url, f"{url}/"):
        response = httpx.get(page, headers={"Accept-Language": "pt-BR"})
        assert response.status_code == status
        assert response.headers["content-type"].startswith("text/html")
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["plugchat-refusal"] == code
        assert headline in response.text
    for method, path in [
        ("GET", "/events"),
        ("GET", "/qr.svg"),
        ("POST", "/start"),
        ("POST", "/restart"),
    ]:
        refused = httpx.request(method, url + path)
        assert refused.status_code == status
        assert refused.headers["plugchat-refusal"] == code
    assert sandbox.calls == ()


@pytest.mark.parametrize(
    ("method", "route"),
    [("GET", "/events"), ("POST", "/start"), ("POST", "/restart"), ("GET", "/qr.svg")],
)
def test_no_route_is_open_to_a_forged_ticket_whatever_the_client_depends_on(
    sandbox: Sandbox, serve: Serve, method: str, route: str
) -> None:
    """An app of one instance may forget that its links replace a login."""
    app = FastAPI()
    links = PairingLinks(SECRET)
    app.include_router(
        pairing_router(sandbox.client, dependencies=[], links=links), prefix="/w/{ticket}"
    )
    assert httpx.request(method, f"{serve(app)}/w/forged{route}").status_code == 404
    assert sandbox.calls == ()


def get_tenant(ticket: Annotated[PairingTicket, Depends(links)]) -> str:
    """Return the tenant of a ticket."""
    return ticket.subject


def get_client_of(tenant: Annotated[str, Depends(get_tenant)]) -> AsyncPlugChat:
    """Return the client of a tenant."""
    raise AssertionError(tenant)


@pytest.mark.parametrize("given", [{}, {"links": PairingLinks(SECRET)}], ids=["none", "others"])
def test_a_ticket_of_links_that_the_router_was_not_given_is_refused(given: dict[str, Any]) -> None:
    """When the router is made: its page would begin without a button, or refuse every ticket."""
    with pytest.raises(ValueError, match=r"pairing_router\(\.\.\., links=links\)"):
        pairing_router(get_client_of, dependencies=[], **given)


def test_an_annotation_that_fastapi_cannot_resolve_is_refused() -> None:
    """As of links that are local, since FastAPI looks for their name in the module."""
    local = PairingLinks(SECRET)

    def get_client(ticket: Annotated[PairingTicket, Depends(local)]) -> AsyncPlugChat:
        raise AssertionError(ticket)

    with pytest.raises(TypeError, match=r"Depends\(local\).*in the module"):
        pairing_router(get_client, dependencies=[], links=local)


def test_a_prefix_without_a_place_for_the_ticket_is_refused(sandbox: Sandbox) -> None:
    """When the app starts, however deep the router is included."""
    outer, app = APIRouter(prefix="/shop"), FastAPI()
    outer.include_router(
        pairing_router(sandbox.client, dependencies=[], links=links), prefix="/whatsapp"
    )
    app.include_router(outer)
    with pytest.raises(RuntimeError, match=r'has no \{ticket\}: write .*"/whatsapp/\{ticket\}"'):
        anyio.run(start, app)


def test_a_prefix_without_a_ticket_is_named_by_a_mounted_app(sandbox: Sandbox) -> None:
    """Its lifespan does not run: the first request tells."""
    app, outer, hub = FastAPI(), FastAPI(), PairingHub()
    app.include_router(
        pairing_router(sandbox.client, dependencies=[], links=links, hub=hub), prefix="/whatsapp"
    )
    outer.mount("/shop", app)
    with pytest.raises(RuntimeError, match=r"has no \{ticket\}"):
        anyio.run(request, outer, "/shop/whatsapp")


def test_a_link_is_described_for_other_front_ends(sandbox: Sandbox) -> None:
    """With its button, and with what its events are before that."""
    paths = app_with_links(sandbox).openapi()["paths"]
    assert set(paths["/link/{ticket}/start"]["post"]["responses"]) >= {"204", "403", "503"}
    assert "204" in paths["/link/{ticket}/events"]["get"]["responses"]
    (parameter,) = paths["/link/{ticket}/start"]["post"]["parameters"]
    assert (parameter["name"], parameter["in"]) == ("ticket", "path")


# The way back.


async def later(request: Request) -> str:
    """Return a way back after some work."""
    return f"/next/{request.query_params['step']}"


@pytest.mark.parametrize(
    ("return_url", "expected"),
    [
        (None, None),
        ("/next", "/next"),
        ("https://app.example/next", "https://app.example/next"),
        (lambda request: f"/from{request.url.path}", "/from/whatsapp"),
        (later, "/next/2"),
        (lambda _: None, None),
    ],
)
def test_the_page_knows_the_way_back(
    sandbox: Sandbox, serve: Serve, return_url: Any, expected: str | None
) -> None:
    """One for all, or one for each request."""
    app = FastAPI()
    router = pairing_router(sandbox.client, dependencies=[], return_url=return_url)
    app.include_router(router, prefix="/whatsapp")
    page = httpx.get(f"{serve(app)}/whatsapp?step=2&return_url=https://elsewhere.example")
    assert settings_of(page)["return_url"] == expected


def test_a_links_own_way_back_comes_first(sandbox: Sandbox, serve: Serve) -> None:
    """Before the router's."""
    url = serve(app_with_links(sandbox, return_url="/next"))
    own = httpx.get(f"{url}/link/{links.create('a', return_url='/orders/7')}")
    assert settings_of(own)["return_url"] == "/orders/7"
    assert settings_of(httpx.get(f"{url}/link/{links.create('a')}"))["return_url"] == "/next"


def test_a_function_that_returns_no_address_is_refused(sandbox: Sandbox, serve: Serve) -> None:
    """When it is called: a page would send people there."""
    app = FastAPI()
    router = pairing_router(
        sandbox.client,
        dependencies=[],
        return_url=lambda request: request.query_params["next"],
    )
    app.include_router(router, prefix="/whatsapp")
    url = serve(app)
    for address in ("javascript:alert(1)", "//elsewhere.example"):
        assert httpx.get(f"{url}/whatsapp", params={"next": address}).status_code == 500


# What is refused at the start.


@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ({"return_url": "javascript:alert(1)"}, ValueError, "return_url must be a path"),
        ({"return_url": "//elsewhere.example"}, ValueError, "return_url"),
        ({"return_url": 1}, TypeError, "return_url must be a str or a function"),
        ({"embed_in": ["https://*.example"]}, ValueError, "wildcard"),
        ({"embed_in": "https://app.example"}, TypeError, "embed_in must be a list"),
        ({"words": {"en": {"titel": "a"}}}, ValueError, "unknown name 'titel'"),
        ({"theme": {}}, TypeError, "theme must be a PairingTheme"),
        ({"links": SECRET}, TypeError, "links must be a PairingLinks"),
    ],
)
def test_an_option_that_the_page_cannot_use_is_refused(
    sandbox: Sandbox, option: dict[str, Any], error: type[Exception], message: str
) -> None:
    """When the router is made, with what to do."""
    with pytest.raises(error, match=message):
        pairing_router(sandbox.client, dependencies=[], **option)


def test_the_log_names_the_header_that_a_proxy_changes(
    sandbox: Sandbox, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """With what to set, and without the ticket."""
    ticket = links.create("a")
    url = serve(app_with_links(sandbox))
    headers = {"Origin": "http://shop.example:8080", "Host": "shop.example"}
    with caplog.at_level(logging.WARNING, "plugchat_async"):
        assert httpx.post(f"{url}/link/{ticket}/start", headers=headers).status_code == 403
    (message,) = [each.getMessage() for each in caplog.records if each.name == "plugchat_async"]
    assert "'http://shop.example:8080'" in message
    assert "Host is 'shop.example'" in message
    assert "proxy_set_header Host $http_host" in message
    assert ticket not in message

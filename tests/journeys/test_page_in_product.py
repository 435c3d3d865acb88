"""The page as part of a product, in Chromium: framed, by a link, behind proxies and policies."""

from __future__ import annotations

import io
import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from PIL import Image

from plugchat_async.fastapi import PairingTheme, _links
from tests.app_server import serve_app
from tests.sandbox_calls import codes_requested

from .browsing import (
    BLOCKED,
    ONE_CODE,
    RECORD,
    REFUSED,
    accessibility_violations,
    read,
    wait_for,
)
from .page_site import NEXT_STEP, Site, link_beside, links
from .served_example import EXAMPLES, served_example

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import tzinfo

    from playwright.sync_api import FrameLocator, Page, Route
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from plugchat_async.sandbox import Sandbox

    from .browsing import OpenWindow, ServePage
    from .page_site import PageOptions

pytestmark = pytest.mark.browser

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "fastapi.md"

# Each message of the frame, beside the guide's own listener.
LISTEN = """
window.heard = [];
addEventListener("message", ({ origin, data }) => heard.push({ origin, ...data }));
"""


# In a frame of another origin.


@contextmanager
def parent_of(framed_url: str) -> Generator[str]:
    """Serve the guide's snippet around a page, from another origin than the page's."""
    guide = GUIDE.read_text("utf-8")
    snippet = guide.partition('```html title="embed.html"\n')[2].partition("```")[0]
    scheme, host, *_ = urlsplit(framed_url)
    html = snippet.replace("https://api.acme.example/whatsapp", framed_url)
    html = html.replace("https://api.acme.example", f"{scheme}://{host}")
    html = f'<!doctype html><title>Acme</title><link rel="icon" href="data:,">{html}'
    app = FastAPI()

    @app.get("/")
    def parent() -> HTMLResponse:
        return HTMLResponse(html)

    @app.get("/onboarding/next")
    def next_step() -> HTMLResponse:
        return NEXT_STEP

    with serve_app(app) as port:
        yield f"http://localhost:{port}"


def documented_fields(message_type: str) -> list[str]:
    """Return the fields of a message, by the guide's type for TypeScript."""
    types = GUIDE.read_text("utf-8").partition('```typescript title="messages.ts"\n')[2]
    (fields,) = re.findall(rf'{{ type: "{message_type}"(.*) }}', types)
    return re.findall(r"; (\w+):", fields)


def frame_of(page: Page) -> FrameLocator:
    """Return the page in the frame."""
    return page.frame_locator("iframe")


def test_a_framed_page_is_scanned_and_its_parent_moves_on(
    sandbox: Sandbox, port: int, plugchat_url: str, window: OpenWindow
) -> None:
    """By the guide's snippet, from another origin; `connected` arrives once."""
    with parent_of(f"http://127.0.0.1:{port}/whatsapp") as parent:
        site = Site(plugchat_url, port, options={"embed_in": [parent]}, status_interval=0.1)
        with site.running() as url:
            page = window("about:blank")
            page.add_init_script(LISTEN)
            # What was heard outlives the page that heard it.
            kept: list[Any] = []

            def keep(data: Any) -> None:
                kept.append(data)

            page.expose_function("keep", keep)
            page.add_init_script('addEventListener("message", ({ data }) => keep(data));')
            page.goto(parent)
            frame_of(page).locator("main[data-state=code]").wait_for()
            heard = page.evaluate("heard")
            payload = read(page)
            assert sandbox.scan(payload)
            page.wait_for_url("**/onboarding/next")
    assert {each["origin"] for each in heard} == {url.removesuffix("/whatsapp")}
    types = [each["type"] for each in kept]
    assert types.count("connected") == types.count("ready") == types.count("code") == 1
    assert {(each["source"], each["version"]) for each in kept} == {("plugchat-pairing", 1)}
    (code,) = (each for each in kept if each["type"] == "code")
    assert (code["round"], code["rounds"]) == (1, 3)
    for each in kept:
        assert each.keys() - {"source", "version"} == {"type", *documented_fields(each["type"])}
    assert "svg" not in json.dumps(kept)
    assert payload[:20] not in json.dumps(kept)


def test_a_frame_is_as_high_as_its_content(
    plugchat_url: str, port: int, window: OpenWindow
) -> None:
    """It has no scroll bar, no separate heading, and no colour around it."""
    with parent_of(f"http://127.0.0.1:{port}/whatsapp") as parent:
        # The site is light, whatever the system is.
        options: PageOptions = {
            "embed_in": ["https://app.example", parent],
            "theme": PairingTheme(color_scheme="light"),
        }
        with Site(plugchat_url, port, options=options).running():
            page = window(parent, expected=REFUSED, color_scheme="dark")
            frame = frame_of(page)
            frame.locator("main[data-state=code]").wait_for()
            for width in (1100, 320):
                page.set_viewport_size({"width": width, "height": 700})
                page.wait_for_function("() => document.querySelector('iframe').clientHeight > 300")
                page.wait_for_timeout(300)
                root = frame.locator("html")
                assert root.evaluate("root => root.scrollHeight - root.clientHeight") <= 0
                assert root.evaluate("root => root.scrollWidth - root.clientWidth") <= 0
            assert accessibility_violations(page.frames[1]) == []
            corner = Image.open(io.BytesIO(page.screenshot())).convert("RGB").getpixel((12, 12))
            assert corner == (255, 255, 255)
            for element in ("html", "body", "main"):
                style = "element => getComputedStyle(element).backgroundColor"
                assert frame.locator(element).evaluate(style) == "rgba(0, 0, 0, 0)"
            assert frame.locator("main").evaluate("m => getComputedStyle(m).borderWidth") == "0px"
            box = frame.locator("h1").bounding_box()
            assert box is not None
            assert box["width"] <= 1


def test_a_parent_of_the_pages_own_origin_is_told_as_well(
    site: ServePage, window: OpenWindow
) -> None:
    """It may frame the page in any case; `embed_in` is for others."""
    url = site()
    page = window("about:blank")
    page.add_init_script(LISTEN)
    with parent_of(url) as parent:
        own = url.replace("/whatsapp", "/parent")
        page.route(own, lambda route: route.fulfill(response=page.request.get(parent)))
        page.goto(own)
        frame_of(page).locator("main[data-state=code]").wait_for()
        page.wait_for_function("() => heard.some(({ type }) => type === 'code')")


@pytest.mark.parametrize(("state", "code"), [("notice", "invalid_link"), ("refused", "signed_out")])
def test_a_framed_page_that_gives_up_tells_its_parent(
    plugchat_url: str, port: int, window: OpenWindow, state: str, code: str
) -> None:
    """Be it a refused link or a lost login; the frame has no border either."""
    path = "whatsapp" if state == "refused" else "whatsapp/forged"
    with parent_of(f"http://127.0.0.1:{port}/{path}") as parent:
        site = Site(plugchat_url, port, options={"embed_in": [parent]}, **ONE_CODE)
        with site.running():
            page = window("about:blank", expected=REFUSED)
            page.add_init_script(LISTEN)
            page.goto(parent)
            frame = frame_of(page)
            if state == "refused":
                frame.locator("main[data-state=expired]").wait_for()
                site.is_locked = True
                frame.get_by_role("button").click()
            frame.locator(f"main[data-state={state}]").wait_for()
            page.wait_for_function("() => heard.some(({ type }) => type === 'failed')")
            (failed,) = (each for each in page.evaluate("heard") if each["type"] == "failed")
            assert (failed["code"], failed["retry_at"]) == (code, None)
            assert frame.locator("main").evaluate("m => getComputedStyle(m).borderWidth") == "0px"
            assert accessibility_violations(page.frames[1]) == []


@pytest.mark.parametrize("embed_in", [[], ["https://app.example"]])
def test_no_other_site_may_frame_the_page(
    sandbox: Sandbox, site: ServePage, window: OpenWindow, embed_in: list[str]
) -> None:
    """The browser refuses it, and no code is requested."""
    with parent_of(site(options={"embed_in": embed_in})) as parent:
        page = window("about:blank", expected=BLOCKED)
        told: list[str] = []
        page.on("console", lambda message: told.append(message.text))
        page.goto(parent)
        page.wait_for_timeout(500)
    assert any("frame-ancestors" in text for text in told)
    assert sandbox.calls == ()


def test_a_framed_page_with_a_way_back_leaves_it_to_its_parent(
    sandbox: Sandbox, plugchat_url: str, port: int, window: OpenWindow
) -> None:
    """Its button leaves the frame; by itself it goes nowhere, least of all inside of the frame."""
    with parent_of(f"http://127.0.0.1:{port}/whatsapp") as parent:
        # Not the origin of the parent, which is therefore told nothing.
        options = {"embed_in": [parent.replace("localhost", "app.example"), parent]}
        site = Site(
            plugchat_url,
            port,
            options={"embed_in": options["embed_in"], "return_url": "/next"},
            status_interval=0.1,
        )
        with site.running():
            page = window("about:blank")
            page.add_init_script("if (parent === window) window.addEventListener = () => {};")
            page.goto(parent)
            frame = frame_of(page)
            page.locator("iframe").evaluate("frame => (frame.style.height = '600px')")
            frame.locator("main[data-state=code]").wait_for()
            assert sandbox.scan(read(page))
            frame.locator("main[data-state=connected]").wait_for()
            assert frame.locator("#advice").inner_text() == "All done."
            page.wait_for_timeout(2500)
            frame.get_by_role("link", name="Continue").click()
            page.get_by_text("The next step").wait_for()
            assert page.url == f"http://127.0.0.1:{port}/next"


@pytest.fixture
def single_page_app() -> Generator[tuple[str, dict[str, str]]]:
    """Serve the example's front end; give its URL, and where to put that of its API."""
    html = (EXAMPLES / "single_page_app.html").read_text("utf-8")
    api = {"url": ""}
    app = FastAPI()

    @app.get("/")
    def front_end() -> HTMLResponse:
        return HTMLResponse(html.replace("https://api.acme.example", api["url"]))

    with serve_app(app) as port:
        yield f"http://localhost:{port}", api


@pytest.fixture
def single_page_url(
    plugchat_url: str, single_page_app: tuple[str, dict[str, str]]
) -> Generator[str]:
    """Serve the example's API for its front end; give the URL of that."""
    url, api = single_page_app
    environment = {"FRONT_END": url, "LINK_SECRET": "a secret of more than 32 characters"}
    tokens = {"acme": "token-of-acme"}
    with served_example("single_page_app", plugchat_url, tokens, **environment) as api["url"]:
        wait_until_served(api["url"])
        yield url


def wait_until_served(url: str) -> None:
    """Wait until a server responds, whatever it responds."""
    httpx.get(url, timeout=60)


def test_a_single_page_app_with_a_bearer_token_frames_a_link(
    single_page_url: str, sandbox: Sandbox, window: OpenWindow
) -> None:
    """The frame needs neither the token nor a cookie, and the app goes on after the scan."""
    page = window("about:blank")
    sign_in = 'sessionStorage.setItem("token", "bearer-of-acme")'
    page.add_init_script(f'if (location.hostname === "localhost") {sign_in};')
    page.goto(single_page_url)
    frame = frame_of(page)
    frame.get_by_role("button", name="Show the QR Code").click()
    frame.locator("main[data-state=code]").wait_for()
    assert frame.get_by_text("Acme").count() == 1
    assert sandbox.scan(read(page))
    page.get_by_text("Next: your first message").wait_for()
    assert page.context.cookies() == []
    assert {call.token for call in sandbox.calls} == {"token-of-acme"}


# A separate front end.


def test_a_page_of_ones_own_over_the_events(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """The example of thirty lines tells a failure, begins again, shows a code, and sees a scan."""
    sandbox.answer_next("unauthorized")
    url = site(interval=20, status_interval=0.1).replace("/whatsapp", "/own")
    page = window(url, expected=REFUSED)
    page.get_by_text("That did not work: authentication_error").wait_for()
    page.get_by_role("button", name="Show a new QR Code").click()
    page.get_by_text("Scan code 1 of 3").wait_for()
    assert sandbox.scan(read(page))
    page.get_by_text("Your WhatsApp is linked").wait_for()
    assert not page.get_by_role("button").is_visible()
    assert codes_requested(sandbox) == 2


# After a scan.


def test_after_a_scan_the_product_goes_on(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """By itself after two seconds, or by a button before that."""
    page = window(site(options={"return_url": "/next"}, status_interval=0.1))
    wait_for(page, "code")
    assert sandbox.scan(read(page))
    wait_for(page, "connected")
    assert page.get_by_role("link", name="Continue").is_visible()
    assert page.title() == "WhatsApp is linked"
    assert page.get_by_role("heading", level=1).inner_text() == "WhatsApp is linked"
    page.wait_for_url("**/next")


def test_a_phone_that_was_linked_before_goes_nowhere_by_itself(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """Else nobody could link another phone."""
    sandbox.answer_next("already_connected")
    page = window(site(options={"return_url": "/next"}))
    wait_for(page, "already_connected")
    page.wait_for_timeout(2500)
    assert page.get_by_role("button", name="Check again").is_visible()
    page.get_by_role("link", name="Continue").click()
    page.wait_for_url("**/next")


def test_without_a_way_back_the_page_is_the_end(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """It can be closed, and says how to link another phone; there is no button without a use."""
    page = window(site(status_interval=0.1))
    wait_for(page, "code")
    assert sandbox.scan(read(page))
    wait_for(page, "connected")
    assert page.get_by_text("You can close this page").is_visible()
    assert page.get_by_text("To link another phone").is_visible()
    assert page.get_by_role("button").count() == page.get_by_role("link").count() == 0


# By a link.


def test_a_scanner_that_opens_a_link_and_runs_its_script_requests_no_code(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """Then the person who was meant presses the button, scans, and goes on."""
    url = link_beside(site(status_interval=0.1), return_url="/next")
    scanner = window(url)
    wait_for(scanner, "ready")
    scanner.wait_for_timeout(1500)
    scanner.reload()
    wait_for(scanner, "ready")
    assert sandbox.calls == ()
    page = window(url)
    page.get_by_role("button", name="Show the QR Code").click()
    wait_for(page, "code")
    assert codes_requested(sandbox) == 1
    assert sandbox.scan(read(page))
    page.wait_for_url("**/next")


@pytest.mark.parametrize("state", ["expired", "already_connected"])
def test_a_link_has_one_button_after_an_ending(
    sandbox: Sandbox, site: ServePage, window: OpenWindow, state: str
) -> None:
    """Pressed once, it shows the next code, also when the ending has been forgotten."""
    if state == "already_connected":
        sandbox.answer_next("already_connected")
    url = site(interval=2.0, max_rounds=1, status_interval=0.1, linger=1.0)
    page = window("about:blank")
    page.add_init_script(RECORD.replace("ELEMENT", "symbol"))
    page.goto(link_beside(url))
    page.get_by_role("button").click()
    wait_for(page, state)
    shown = page.evaluate("recorded.length")
    page.wait_for_timeout(1500)
    page.get_by_role("button").click()
    # Not by its state, which is there for two seconds.
    page.wait_for_function("shown => recorded.length > shown", arg=shown)


def test_a_link_whose_session_is_gone_shows_its_button_again(
    plugchat_url: str, sandbox: Sandbox, port: int, window: OpenWindow
) -> None:
    """As after a deploy: nobody may sit in front of it any more."""
    site = Site(plugchat_url, port, interval=20)
    with site.running() as url:
        page = window(link_beside(url), expected=REFUSED)
        page.get_by_role("button").click()
        wait_for(page, "code")
    with site.running():
        wait_for(page, "ready")
        assert page.locator("#link").inner_text() == ""
        assert codes_requested(sandbox) == 1
        page.get_by_role("button").click()
        wait_for(page, "code")


class Tomorrow(datetime):
    """Clock that is two days ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(days=2)


@pytest.mark.parametrize("is_pressed", [False, True], ids=["at a code", "at its button"])
def test_a_link_that_expires_while_its_page_is_open_says_so(
    plugchat_url: str,
    port: int,
    window: OpenWindow,
    monkeypatch: pytest.MonkeyPatch,
    is_pressed: bool,
) -> None:
    """Instead of that the connection was lost."""
    site = Site(plugchat_url, port)
    with site.running() as url:
        page = window(link_beside(url), expected=REFUSED)
        if not is_pressed:
            page.get_by_role("button").click()
            wait_for(page, "code")
    monkeypatch.setattr(_links, "datetime", Tomorrow)
    with site.running():
        if is_pressed:
            page.get_by_role("button").click()
        page.get_by_text("This link has expired").wait_for()
        assert page.locator("#link").inner_text() == ""
        assert page.get_by_role("button").count() == 0


def test_a_link_by_keyboard_alone(site: ServePage, window: OpenWindow) -> None:
    """Tab finds the button, Enter presses it."""
    page = window(link_beside(site()))
    wait_for(page, "ready")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "again"
    page.keyboard.press("Enter")
    wait_for(page, "code")
    assert page.evaluate("document.activeElement.id") == "status"


@pytest.mark.parametrize(
    ("spoilt", "headline"), [("forged", "This link is not valid"), (None, "This link has expired")]
)
def test_a_refused_link_says_so(
    site: ServePage, window: OpenWindow, spoilt: str | None, headline: str
) -> None:
    """On a page that needs no script."""
    ticket = spoilt or links.create("a", lifetime=timedelta(microseconds=1))
    page = window(f"{site()}/{ticket}", expected=REFUSED, java_script_enabled=False)
    assert page.get_by_text(headline).is_visible()


# What the server says about time.


def events(*told: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Make the response of a stream that ends after some events."""
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in told)
    return {"content_type": "text/event-stream", "body": "retry: 1000\n\n" + body}


CODE = {
    "svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>',
    "round": 1,
    "rounds": 3,
    "expires_in": 60.0,
    "next_in": 15.0,
    "valid_for": 60.0,
}


def test_the_countdown_runs_to_the_next_code(site: ServePage, window: OpenWindow) -> None:
    """Then it waits for that code: this one can be scanned until it expires."""
    page = window("about:blank")
    page.route("**/events", lambda _: None)  # a browser that connects again gets no response
    page.route("**/events", lambda route: route.fulfill(**events(("code", CODE))), times=1)
    page.clock.install()
    page.goto(site())
    wait_for(page, "code")
    assert int(page.locator("#seconds").inner_text().removesuffix(" s")) <= 15
    page.clock.run_for(16_000)
    assert page.locator("#timer.waiting").inner_text() == ""
    label = page.locator("#timer").get_attribute("aria-label")
    assert re.fullmatch(r"Seconds left to scan this code: [1-4]\d", label or "")
    assert page.locator("main").get_attribute("data-state") == "code"
    page.clock.run_for(44_000)
    wait_for(page, "stale")


def test_a_stream_that_ends_in_a_session_is_opened_again_without_a_word(
    site: ServePage, window: OpenWindow
) -> None:
    """As a server does every five minutes, to see the login again."""
    asked: list[str] = []

    def fulfill(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(**events(("code", CODE)))

    page = window("about:blank")
    page.route("**/events", fulfill)
    page.add_init_script(RECORD.replace("ELEMENT", "link"))
    page.goto(site())
    wait_for(page, "code")
    page.wait_for_timeout(3500)
    assert len(asked) >= 3
    assert set(page.evaluate("recorded")) <= {""}
    assert page.locator("main").get_attribute("data-state") == "code"


def test_after_an_ending_nothing_is_asked(site: ServePage, window: OpenWindow) -> None:
    """The server ends that stream, too; only the button begins again."""
    asked: list[str] = []

    def fulfill(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(**events(("expired", {})))

    page = window("about:blank")
    page.route("**/events", fulfill)
    page.goto(site())
    wait_for(page, "expired")
    page.wait_for_timeout(2500)
    assert len(asked) == 1


@pytest.mark.parametrize("minutes_ahead", [-20, 20], ids=["slow", "fast"])
def test_a_failure_names_the_time_of_the_next_try(
    site: ServePage, window: OpenWindow, minutes_ahead: int
) -> None:
    """The button counts down to it, and works from then on, whatever the phone's clock shows."""
    page = window("about:blank")
    now = datetime.now(UTC)
    page.clock.install(time=now + timedelta(minutes=minutes_ahead))
    retry_at = (now + timedelta(seconds=90)).isoformat()
    failed = {"code": "rate_limited", "message": "", "retry_at": retry_at, "retry_in": 90}
    page.route("**/events", lambda route: route.fulfill(**events(("failed", failed))))
    page.goto(site())
    wait_for(page, "failed")
    button = page.locator("#again")
    assert button.is_disabled()
    assert re.fullmatch(r"Try again in 1:(30|2\d)", button.inner_text())
    page.clock.run_for(61_000)
    assert re.fullmatch(r"Try again in 0:(30|2\d)", button.inner_text())
    page.clock.run_for(30_000)
    assert button.is_enabled()
    assert button.inner_text() == "Try again"


# Behind proxies and policies.


def without_port(app: ASGIApp) -> ASGIApp:
    """Change the header `Host`, as nginx does by `proxy_set_header Host $host`."""

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [
                (name, value.partition(b":")[0] if name == b"host" else value)
                for name, value in scope["headers"]
            ]
            scope = {**scope, "headers": headers}
        await app(scope, receive, send)

    return proxy


def test_a_proxy_that_changes_host_loses_no_login(
    site: ServePage, window: OpenWindow, caplog: pytest.LogCaptureFixture
) -> None:
    """The page says that the site refused, not to sign in again; the log names the header."""
    url = site(wrapped_by=without_port, **ONE_CODE).replace("127.0.0.1", "shop.example")
    page = window(url, expected=REFUSED)
    wait_for(page, "expired")
    page.get_by_role("button").click()
    wait_for(page, "declined")
    assert page.locator("#error").inner_text() == "Error: origin_refused"
    assert page.get_by_role("button").count() == 0
    assert "Host is 'shop.example'" in caplog.text


def merging_slashes(app: ASGIApp) -> ASGIApp:
    """Merge slashes, as nginx does."""

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = re.sub("/+", "/", scope["path"])
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await app(scope, receive, send)

    return proxy


def test_the_page_at_two_slashes_asks_its_own_host(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """A path of two slashes would be a host for a script that pasted it together."""
    sandbox.answer_next("unauthorized")
    url = site(wrapped_by=merging_slashes, interval=20).replace("/whatsapp", "//whatsapp")
    page = window(url)
    wait_for(page, "failed")
    page.get_by_role("button").click()
    wait_for(page, "code")


def policy(content_security_policy: str) -> Any:
    """Replace the page's policy, as an app's middleware does."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            async def replace(message: Message) -> None:
                if message["type"] == "http.response.start":
                    name, value = b"content-security-policy", content_security_policy.encode()
                    kept = [each for each in message["headers"] if each[0] != name]
                    message = {**message, "headers": [*kept, (name, value)]}
                await send(message)

            await app(scope, receive, replace)

        return middleware

    return wrap


@pytest.mark.parametrize(
    "content_security_policy",
    [
        "default-src 'self'",
        "script-src 'self'; style-src 'unsafe-inline'",
        "script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'none'",
        "default-src 'self' 'unsafe-inline' data:; require-trusted-types-for 'script'",
    ],
    ids=["all", "the script", "its requests", "its drawing"],
)
def test_a_policy_of_the_app_that_blocks_the_page_is_named(
    site: ServePage, window: OpenWindow, content_security_policy: str
) -> None:
    """In words for whoever sees it, instead of a wheel that turns without end."""
    written = "TrustedHTML" if "trusted-types" in content_security_policy else BLOCKED
    page = window(site(wrapped_by=policy(content_security_policy)), expected=written)
    page.get_by_text("blocks its script").wait_for()
    assert page.get_by_text("Getting a code").count() == 0
    assert not page.locator(".waiting").is_visible()


# Nothing jumps.


def boxes(page: Page) -> list[Any]:
    """Return where the page, its card and its title are."""
    return [page.locator(each).bounding_box() for each in ("main", ".card", "h1")]


@pytest.mark.parametrize("language", ["en-US", "pt-BR", "es-MX"])
@pytest.mark.parametrize("size", [(1100, 700), (390, 844)])
def test_the_card_keeps_its_size_and_place(
    site: ServePage, window: OpenWindow, size: tuple[int, int], language: str
) -> None:
    """From before the first code to the button after the last."""
    page = window("about:blank", locale=language)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(link_beside(site(interval=6, max_rounds=1)))
    wait_for(page, "ready")
    seen = [boxes(page)]
    page.get_by_role("button").click()
    for state in ("code", "expired"):
        wait_for(page, state)
        seen.append(boxes(page))
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("language", ["en-US", "pt-BR", "es-MX"])
def test_the_title_has_one_line(site: ServePage, window: OpenWindow, language: str) -> None:
    """At 1,100 pixels, in each language."""
    page = window("about:blank", locale=language)
    page.set_viewport_size({"width": 1100, "height": 700})
    page.goto(site())
    wait_for(page, "code")
    height = "title => title.clientHeight / parseFloat(getComputedStyle(title).lineHeight)"
    assert page.locator("h1").evaluate(height) < 1.5


def test_on_a_phone_the_advice_to_use_another_screen_is_above_the_code(
    site: ServePage, window: OpenWindow
) -> None:
    """Below it, a reader would have scrolled past a code that can't be scanned."""
    page = window(site())
    wait_for(page, "code")
    for width, is_above in ((390, True), (1100, False)):
        page.set_viewport_size({"width": width, "height": 844})
        note, card = page.locator(".note").bounding_box(), page.locator(".card").bounding_box()
        assert note is not None
        assert card is not None
        assert (note["y"] + note["height"] <= card["y"]) is is_above

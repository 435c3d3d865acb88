"""The live page in Chromium: what a customer's end user sees, hears and presses.

Photographs of each state go to the folder that `PLUGCHAT_PHOTOGRAPHS` names:

    PLUGCHAT_PHOTOGRAPHS=docs/images pytest -m browser -k photograph tests/journeys
"""

from __future__ import annotations

import itertools
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plugchat_async import PairingEnd, PairingOutcome
from plugchat_async.fastapi import PairingTheme
from tests.keyword_arguments import HubArguments
from tests.sandbox_calls import codes_requested

from .browsing import (
    ONE_CODE,
    QUICK,
    RECORD,
    REFUSED,
    THEMES,
    accessibility_violations,
    keep,
    read,
    wait_for,
)
from .page_site import Site, link_beside

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route
    from starlette.types import ASGIApp, Receive, Scope, Send

    from plugchat_async.sandbox import Sandbox

    from .browsing import OpenWindow, ServePage, Theme

pytestmark = pytest.mark.browser

PREFETCH = """(url) => {
    const rules = document.createElement("script");
    rules.type = "speculationrules";
    rules.textContent = JSON.stringify({prefetch: [{urls: [url], eagerness: "immediate"}]});
    document.head.append(rules);
}"""

# The whole way.


@pytest.mark.parametrize("theme", THEMES)
def test_a_phone_scans_the_screen_and_the_page_tells(
    sandbox: Sandbox, site: ServePage, window: OpenWindow, theme: Theme
) -> None:
    """The symbol on the screen is the code that PlugChat gave; nothing is loaded again."""
    page = window(site(status_interval=0.1), color_scheme=theme)
    wait_for(page, "code")
    page.evaluate("window.wasNotReloaded = true")
    assert page.locator("#headline").inner_text() == "Code 1 of 3"
    assert sandbox.scan(read(page))
    wait_for(page, "connected")
    assert page.locator(".check").is_visible()
    assert page.locator("#headline").inner_text() == "WhatsApp is linked"
    assert page.evaluate("window.wasNotReloaded")


def test_the_session_begins_with_the_request_of_the_page(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """It is the only one, and so is its code: the page's stream joins it."""
    endings: list[PairingEnd] = []
    page = window("about:blank")
    page.route("**/events", lambda _: None)
    page.goto(site(status_interval=0.1, on_end=lambda _, end: endings.append(end)))
    deadline = time.monotonic() + 60
    while not codes_requested(sandbox):
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)
    page.unroute("**/events")
    page.reload()
    wait_for(page, "code")
    assert sandbox.scan(read(page))
    wait_for(page, "connected")
    assert [(end.outcome, end.codes) for end in endings] == [(PairingOutcome.CONNECTED, 1)]
    assert codes_requested(sandbox) == 1


def test_a_page_that_is_prefetched_requests_no_code(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """Its session begins when somebody opens it."""
    purposes: list[bytes | None] = []

    def noting(app: ASGIApp) -> ASGIApp:
        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, send)
            if scope["type"] == "http" and scope["path"] == "/whatsapp":
                purposes.append(dict(scope["headers"]).get(b"sec-purpose"))

        return noted

    url = site(interval=20, wrapped_by=noting)
    page = window(url.removesuffix("whatsapp") + "next")
    page.evaluate(PREFETCH, url)
    deadline = time.monotonic() + 60
    while not purposes:
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)
    assert purposes == [b"prefetch"]
    page.wait_for_timeout(500)
    assert codes_requested(sandbox) == 0
    page.goto(url)
    wait_for(page, "code")
    assert codes_requested(sandbox) == 1


def test_three_rounds_then_the_button_then_a_new_code(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """Nothing is asked until it is pressed."""
    page = window("about:blank")
    page.add_init_script(RECORD.replace("ELEMENT", "symbol"))
    page.goto(site(**QUICK))
    wait_for(page, "expired")
    symbols = page.evaluate("recorded")
    assert len(symbols) == len(set(symbols)) == 3
    assert page.locator("#symbol").is_hidden()
    time.sleep(0.5)
    assert codes_requested(sandbox) == 3
    page.get_by_role("button", name="Show a new QR Code").click()
    page.wait_for_function("() => recorded.length > 3")
    assert page.evaluate("recorded[3]") not in symbols


def test_two_windows_have_one_poller(sandbox: Sandbox, site: ServePage, window: OpenWindow) -> None:
    """Both see the same codes; whoever presses the button second joins the first."""
    sandbox.answer_next("unauthorized")
    url = site(interval=20, status_interval=0.1)
    pages = [window(url), window(url)]
    for page in pages:
        wait_for(page, "failed")
    for page in pages:
        page.get_by_role("button").click()
        wait_for(page, "code")
    assert read(pages[0]) == read(pages[1])
    assert codes_requested(sandbox) == 2
    assert sandbox.scan(read(pages[1]))
    for page in pages:
        wait_for(page, "connected")


def test_windows_that_were_left_open_take_no_connection(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """A browser has six for all of them, and the button needs one."""
    sandbox.answer_next("unauthorized")
    url = site(interval=20)
    page = window(url)
    wait_for(page, "failed")
    for _ in range(7):
        page = page.context.new_page()
        page.goto(url)
        wait_for(page, "failed")
    assert codes_requested(sandbox) == 1
    page.get_by_role("button").click()
    wait_for(page, "code")


def test_a_page_that_is_loaded_again_shows_the_same_code(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """A reload requests no code, and the seconds left go on."""
    page = window(site(interval=20, linger=60))
    wait_for(page, "code")
    before = read(page)
    page.wait_for_timeout(1200)
    page.reload()
    wait_for(page, "code")
    assert read(page) == before
    assert int(page.locator("#seconds").inner_text().removesuffix(" s")) < 20
    assert codes_requested(sandbox) == 1


def test_another_phone_after_the_first_was_unlinked(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """Whoever comes back later finds a way to look again."""
    page = window(site(status_interval=0.1, linger=0.1))
    wait_for(page, "code")
    assert sandbox.scan(read(page))
    wait_for(page, "connected")
    page.wait_for_timeout(1000)
    page.reload()
    wait_for(page, "already_connected")
    sandbox.disconnect("tenant-a")
    page.get_by_role("button", name="Check again").click()
    wait_for(page, "code")
    assert sandbox.scan(read(page))


# What may go wrong.


def test_a_failure_is_told_in_words_and_tried_again(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """With what to do, and the error code for the support."""
    sandbox.answer_next("unauthorized")
    page = window(site(interval=20, status_interval=0.1))
    wait_for(page, "failed")
    assert page.get_by_text("has no access to the service").is_visible()
    assert "support, with the error below" in page.locator("#advice").inner_text()
    assert page.locator("#error").inner_text() == "Error: authentication_error"
    page.get_by_role("button", name="Try again").click()
    wait_for(page, "code")
    assert page.locator("#error").is_hidden()
    assert sandbox.scan(read(page))
    wait_for(page, "connected")


def test_the_network_is_cut_and_comes_back(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """The page says so, and goes on by itself."""
    page = window(site(interval=20, status_interval=0.1, linger=60), expected=REFUSED)
    wait_for(page, "code")
    payload = read(page)
    page.context.set_offline(True)
    page.get_by_text("You are offline").wait_for()
    page.context.set_offline(False)
    page.locator("main[data-link='']").wait_for()
    assert sandbox.scan(payload)
    wait_for(page, "connected")
    assert codes_requested(sandbox) == 1


def test_the_server_goes_and_comes_back(
    sandbox: Sandbox, plugchat_url: str, port: int, window: OpenWindow
) -> None:
    """As when a new version is brought out: nobody has to load the page again."""
    site = Site(plugchat_url, port, interval=20)
    with site.running() as url:
        page = window(url, expected=REFUSED)
        wait_for(page, "code")
    page.get_by_text("The connection was lost").wait_for()
    before = page.locator("#symbol").inner_html()
    page.wait_for_timeout(2500)
    with site.running():
        page.locator("main[data-link='']").wait_for()
        page.wait_for_function(
            "before => document.getElementById('symbol').innerHTML !== before", arg=before
        )
        wait_for(page, "code")
        assert sandbox.scan(read(page))
        wait_for(page, "connected")


def test_a_page_that_ended_requests_no_code_from_a_new_server(
    sandbox: Sandbox, plugchat_url: str, port: int, window: OpenWindow
) -> None:
    """Nobody may sit in front of it any more: the button begins again."""
    sandbox.answer_next("unauthorized")
    site = Site(plugchat_url, port, interval=20)
    with site.running() as url:
        page = window(url, expected=REFUSED)
        wait_for(page, "failed")
    page.context.set_offline(True)
    page.context.set_offline(False)
    with site.running():
        page.wait_for_timeout(2500)
        assert codes_requested(sandbox) == 1
        page.get_by_role("button").click()
        wait_for(page, "code")


def test_a_connection_that_says_nothing_is_given_up(site: ServePage, window: OpenWindow) -> None:
    """As behind a proxy that waits for the end of what it hands on."""
    page = window("about:blank")
    page.route("**/events", lambda _: None)
    page.clock.install()
    page.goto(site())
    wait_for(page, "starting")
    page.clock.run_for(10_000)
    page.get_by_text("The connection was lost").wait_for()
    page.unroute("**/events")
    page.clock.run_for(10_000)
    wait_for(page, "code")
    page.locator("main[data-link='']").wait_for()


@pytest.mark.parametrize("fault", [{"status": 500}, None])
def test_a_button_that_did_not_get_through(
    sandbox: Sandbox, site: ServePage, window: OpenWindow, fault: dict[str, int] | None
) -> None:
    """The page says so, and it can be pressed again."""
    sandbox.answer_next("unauthorized")
    page = window(site(interval=20), expected=REFUSED)
    wait_for(page, "failed")
    page.route("**/restart", lambda route: route.fulfill(**fault) if fault else route.abort())
    page.get_by_role("button").click()
    page.get_by_text("work. Try again.").wait_for()
    page.unroute("**/restart")
    page.get_by_role("button").click()
    wait_for(page, "code")


def test_a_code_that_outlives_itself_is_taken_off(site: ServePage, window: OpenWindow) -> None:
    """A dead connection may say nothing: the page sees that no code followed, and looks."""
    page = window("about:blank")
    page.clock.install()
    page.goto(site())
    wait_for(page, "code")
    page.clock.run_for(21_000)
    wait_for(page, "stale")
    assert page.locator("#symbol").is_hidden()
    assert page.get_by_text("This code has expired").is_visible()
    page.clock.run_for(5_000)
    wait_for(page, "code")


def test_a_login_that_ran_out(plugchat_url: str, port: int, window: OpenWindow) -> None:
    """The stream's end does not say why; the page finds out, and the button loads it again."""
    site = Site(plugchat_url, port)
    with site.running() as url:
        page = window(url, expected=REFUSED)
        wait_for(page, "code")
        site.is_locked = True
    with site.running():
        wait_for(page, "refused")
        assert page.locator("#headline").inner_text() == "Please sign in again"
        site.is_locked = False
        page.get_by_role("button", name="Reload the page").click()
        wait_for(page, "code")


def test_a_login_that_ran_out_before_the_button_was_pressed(
    plugchat_url: str, window: OpenWindow
) -> None:
    """The response to the button tells it, too."""
    site = Site(plugchat_url, **ONE_CODE)
    with site.running() as url:
        page = window(url, expected=REFUSED)
        wait_for(page, "expired")
        site.is_locked = True
        page.get_by_role("button").click()
        wait_for(page, "refused")


def test_one_window_too_many_waits_for_its_turn(site: ServePage, window: OpenWindow) -> None:
    """It says why, and goes on when another is closed."""
    url = site(max_watchers=1)
    first = window(url)
    wait_for(first, "code")
    second = window("about:blank", expected=REFUSED)
    second.clock.install()
    second.add_init_script(RECORD.replace("ELEMENT", "link"))
    second.goto(url)
    wait_for(second, "busy")
    first.close()
    second.clock.run_for(10_000)
    wait_for(second, "code")
    assert set(second.evaluate("recorded")) <= {""}  # the connection was not lost


def test_a_place_that_was_free_again_when_the_page_asked_is_taken(
    site: ServePage, window: OpenWindow
) -> None:
    """The stream was refused, and is served to the request that asks why: no trouble is told."""
    page = window("about:blank", expected=REFUSED)
    refusals = [503]

    def refuse_once(route: Route) -> None:
        if refusals:
            route.fulfill(status=refusals.pop(), headers={"Retry-After": "10"})
        else:
            route.continue_()

    page.route("**/events", refuse_once)
    page.add_init_script(RECORD.replace("ELEMENT", "link"))
    page.goto(site())
    wait_for(page, "code")
    assert not refusals
    assert set(page.evaluate("recorded")) <= {""}


def test_without_javascript_the_page_says_what_it_needs(
    site: ServePage, window: OpenWindow
) -> None:
    """In words, instead of a wheel that turns without end."""
    page = window(site(), java_script_enabled=False)
    assert page.locator("noscript").inner_text().startswith("This page needs JavaScript")
    assert page.locator("#headline").is_hidden()


# For everybody.


def test_by_keyboard_alone(sandbox: Sandbox, site: ServePage, window: OpenWindow) -> None:
    """Tab finds the button, Enter presses it, and the focus stays where things happen."""
    sandbox.answer_next("unauthorized")
    page = window(site(interval=20, status_interval=0.1))
    wait_for(page, "failed")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "again"
    outline = page.locator("#again").evaluate("button => getComputedStyle(button).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    wait_for(page, "code")
    assert page.evaluate("document.activeElement.id") == "status"
    assert sandbox.scan(read(page))
    wait_for(page, "connected")


def test_a_screen_reader_is_told_each_state_once(site: ServePage, window: OpenWindow) -> None:
    """By a live region that stays where it is; the countdown is not part of it."""
    page = window("about:blank")
    page.add_init_script(RECORD.replace("ELEMENT", "headline"))
    page.goto(site(**QUICK))
    wait_for(page, "expired")
    said = page.evaluate("recorded")
    codes = [f"Code {number} of 3" for number in (1, 2, 3)]
    assert said == ["Getting a code…", *codes, "No code was scanned"]
    assert page.locator("#status").get_attribute("role") == "status"
    assert page.locator("#status #timer").count() == 0


def test_the_symbol_and_the_countdown_have_names(site: ServePage, window: OpenWindow) -> None:
    """For who does not see them."""
    page = window(site())
    wait_for(page, "code")
    assert page.get_by_role("img", name="QR Code for WhatsApp: code 1 of 3").is_visible()
    timer = page.get_by_role("timer").get_attribute("aria-label")
    assert re.fullmatch(r"Seconds left to scan this code: \d+", timer or "")


@pytest.mark.parametrize(
    ("locale", "lang", "headline"),
    [
        ("pt-BR", "pt-BR", "Código 1 de 3"),
        ("pt-PT", "pt-BR", "Código 1 de 3"),
        ("en-GB", "en", "Code 1 of 3"),
        ("es-MX", "es", "Código 1 de 3"),
        ("fr-FR", "en", "Code 1 of 3"),
    ],
)
def test_the_page_speaks_the_browsers_language(
    site: ServePage, window: OpenWindow, locale: str, lang: str, headline: str
) -> None:
    """Portuguese, Spanish or English, and it says which."""
    page = window(site(), locale=locale)
    wait_for(page, "code")
    assert page.locator("html").get_attribute("lang") == lang
    assert page.locator("#headline").inner_text() == headline


def test_reduced_motion_stops_all_motion(site: ServePage, window: OpenWindow) -> None:
    """Neither while a code is awaited nor while it is shown."""
    page = window(site(), reduced_motion="reduce")
    assert page.evaluate("document.getAnimations().length") == 0
    wait_for(page, "code")
    page.wait_for_timeout(600)
    assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("path", ["", "/"])
def test_the_page_finds_its_parts_with_and_without_a_slash(
    sandbox: Sandbox, site: ServePage, window: OpenWindow, path: str
) -> None:
    """Also the button's."""
    sandbox.answer_next("unauthorized")
    page = window(site(interval=20) + path)
    wait_for(page, "failed")
    page.get_by_role("button").click()
    wait_for(page, "code")


def test_the_page_hands_its_query_on(sandbox: Sandbox, site: ServePage, window: OpenWindow) -> None:
    """An app may tell its tenants apart by it."""
    page = window(f"{site(**ONE_CODE)}?tenant=tenant-b")
    wait_for(page, "expired")
    sandbox.answer_next("already_connected", token="tenant-b")
    page.get_by_role("button").click()
    wait_for(page, "already_connected")


# Each state, as it looks.

# But for what moves without end.
AT_REST = """() => document.getAnimations().every(
    each => each.playState !== "running" || each.effect.getComputedTiming().endTime === Infinity
)"""
ACME = PairingTheme(
    name="Acme",
    logo=Path(__file__).parents[2] / "docs" / "examples" / "acme.svg",
    accent="#5b21b6",
    radius=12,
)
SIZES = {"desktop": (1100, 700), "phone": (390, 844), "narrow": (320, 568)}
STATES = [
    "ready",
    "starting",
    "code",
    "connected",
    "already_connected",
    "expired",
    "failed",
    "refused",
    "declined",
    "offline",
    "notice",
    # No screenshots of these are kept.
    "stale",
    "busy",
    "blocked",
    "expired_link",
]
# Of these the documentation has screenshots on a phone, too.
MOST_SEEN = {"code", "connected", "expired"}
SELDOM_SEEN = {"stale", "busy", "blocked", "expired_link"}
EXPIRED_CODE = """event: code
data: {"svg": "<svg/>", "round": 1, "rounds": 3, "expires_in": 0, "next_in": 0, "valid_for": 20}

"""
# What the server says of a state that takes long to come about.
EVENTS: dict[str, dict[str, Any]] = {
    "stale": {"content_type": "text/event-stream", "body": EXPIRED_CODE},
    "busy": {"status": 503, "headers": {"Retry-After": "60"}},
    "blocked": {"content_type": "text/event-stream", "body": "event: starting\ndata: {}\n\n"},
}


def bring_into(state: str, page: Page, sandbox: Sandbox) -> None:
    """Bring a page that was just opened into a state."""
    match state:
        case "connected":
            wait_for(page, "code")
            sandbox.scan(read(page))
        case "offline":
            wait_for(page, "code")
            page.context.set_offline(True)
            page.locator("main[data-link=offline]").wait_for()
        case "refused" | "declined":
            wait_for(page, "expired")
            status = 401 if state == "refused" else 403
            page.route("**/restart", lambda route: route.fulfill(status=status))
            page.get_by_role("button").click()
        case "expired_link":
            refusal = {"Plugchat-Refusal": state}
            page.route("**/start", lambda route: route.fulfill(status=410, headers=refusal))
            page.get_by_role("button").click()
    wait_for(page, "code" if state == "offline" else state)


@pytest.mark.parametrize(
    ("language", "clothes"), [("en", ""), ("pt-BR", ""), ("es", "acme")], ids=["en", "pt-BR", "es"]
)
@pytest.mark.parametrize("state", STATES)
def test_photograph(
    *,
    sandbox: Sandbox,
    plugchat_url: str,
    mute_url: str,
    site: ServePage,
    window: OpenWindow,
    tmp_path: Path,
    state: str,
    language: str,
    clothes: str,
) -> None:
    """In every theme and size each state fits the screen, is for everybody, and goes on file."""
    settings: HubArguments = {
        "interval": 0.1 if state in {"expired", "refused", "declined"} else 15,
        "status_interval": 0.1,
    }
    if state in {"failed", "already_connected"}:
        sandbox.answer_next("unauthorized" if state == "failed" else "already_connected")
    url = site(
        mute_url if state == "starting" else plugchat_url,
        options={"theme": ACME} if clothes else {},
        **settings,
    )
    if state in {"ready", "expired_link"}:
        url = link_beside(url)
    if state == "notice":
        url += "/forged"
    page = window("about:blank", locale=language, expected=REFUSED)
    if state in EVENTS:
        page.route("**/events", lambda route: route.fulfill(**EVENTS[state]))
    page.goto(url)
    if state == "blocked":
        violation = "new SecurityPolicyViolationEvent('securitypolicyviolation', "
        violation += "{ effectiveDirective: 'connect-src' })"
        page.evaluate(f"document.dispatchEvent({violation})")
    bring_into(state, page, sandbox)
    # However long the screenshots take, the code on them does not expire.
    page.clock.set_fixed_time(page.evaluate("new Date().toISOString()"))
    shown = page.locator("main").get_attribute("data-state")
    # In Portuguese, the colours are those of English; the documentation shows its codes.
    themes = THEMES if language != "pt-BR" or state == "code" else THEMES[:1]
    for theme, (size, (width, height)) in itertools.product(themes, SIZES.items()):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(AT_REST)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert accessibility_violations(page) == []
        folder = os.environ.get("PLUGCHAT_PHOTOGRAPHS", tmp_path)
        is_shown = size == "desktop" or (size == "phone" and state in MOST_SEEN)
        if is_shown and state not in SELDOM_SEEN and (language == "en" or state == "code"):
            suffix = "" if language == "en" else f".{clothes or language}"
            name = f"page-{state}-{size}-{theme}{suffix}.png"
            keep(page.screenshot(full_page=True), Path(folder, name))
        assert page.locator("main").get_attribute("data-state") == shown

"""The live page in Chromium: what a customer's end user sees, hears and presses.

Photographs of each state go to the folder that `PLUGCHAT_PHOTOGRAPHS` names:

    PLUGCHAT_PHOTOGRAPHS=docs/images pytest -m browser -k photograph tests/journeys
"""

from __future__ import annotations

import io
import itertools
import os
import re
import shutil
import socket
import time
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypedDict

import pytest
from PIL import Image

from plugchat_async.sandbox import Sandbox
from tests.app_server import serve_plugchat
from tests.camera import read_codes
from tests.keyword_arguments import HubArguments
from tests.sandbox_calls import codes_requested

from .page_site import Site

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Unpack

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page


pytestmark = pytest.mark.browser

Theme: TypeAlias = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")

QUICK: HubArguments = {"interval": 2.0, "status_interval": 0.1, "linger": 0.5}
ONE_CODE: HubArguments = {**QUICK, "max_rounds": 1}


class ServePage(Protocol):
    """Serve the page until the end of the test, with a hub's arguments; return its URL."""

    def __call__(self, base_url: str = ..., **settings: Unpack[HubArguments]) -> str: ...


class WindowOptions(TypedDict, total=False):
    """What `Browser.new_context()` takes."""

    locale: str
    color_scheme: Theme
    reduced_motion: Literal["reduce"]
    java_script_enabled: bool


class OpenWindow(Protocol):
    """Open a window, as another person."""

    def __call__(
        self, url: str, *, is_refused: bool = False, **options: Unpack[WindowOptions]
    ) -> Page: ...


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Give Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    arguments += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments
        )
        yield browser
        browser.close()


@pytest.fixture
def sandbox() -> Sandbox:
    """Give a PlugChat."""
    return Sandbox()


@pytest.fixture
def plugchat_url(sandbox: Sandbox) -> Generator[str]:
    """Serve that PlugChat."""
    with serve_plugchat(sandbox) as base_url:
        yield base_url


@pytest.fixture
def site(plugchat_url: str) -> Generator[ServePage]:
    """Give a way to serve the page."""

    def serve(base_url: str = plugchat_url, **settings: Unpack[HubArguments]) -> str:
        return stack.enter_context(Site(base_url, **settings).running())

    with ExitStack() as stack:
        yield serve


@pytest.fixture
def port() -> Generator[int]:
    """Give a port that nobody else can take, while the site is down."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@pytest.fixture
def mute_url() -> Generator[str]:
    """Give a PlugChat that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        yield f"http://127.0.0.1:{mute.getsockname()[1]}/api/whatsapp"


@pytest.fixture
def window(browser: Browser) -> Generator[OpenWindow]:
    """Give a way to open windows, each as another person; they must write nothing to the console.

    Chromium itself writes there what the network or the server refused, so a test of that says so.
    """
    contexts: list[BrowserContext] = []
    written: list[str] = []

    def window(url: str, *, is_refused: bool = False, **options: Unpack[WindowOptions]) -> Page:
        all_options: WindowOptions = {"locale": "en-US", **options}
        contexts.append(browser.new_context(**all_options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: written.append(str(error)))

        def write(message: ConsoleMessage) -> None:
            is_expected = is_refused and message.text.startswith("Failed to load resource")
            written.extend([] if is_expected else [message.text])

        page.on("console", write)
        page.goto(url)
        return page

    yield window
    for context in contexts:
        context.close()
    assert written == []


def wait_for(page: Page, state: str) -> None:
    """Wait until the page shows a state."""
    page.locator(f"main[data-state={state}]").wait_for(timeout=30_000)


def read(page: Page) -> str:
    """Read the code on the screen as a phone's camera would: again and again, never inverted."""
    found: list[str] = []
    deadline = time.monotonic() + 60
    while not found:
        assert time.monotonic() < deadline
        found = read_codes(page.screenshot(animations="disabled"))
    (payload,) = found
    return payload


# What one element came to hold, one after the other, from the first on.
RECORD = """
window.recorded = [];
const record = () => {
    const element = document.getElementById("ELEMENT");
    new MutationObserver(() => recorded.push(element.innerHTML)).observe(
        element, {childList: true, characterData: true, subtree: true}
    );
};
document.addEventListener("readystatechange", record, {once: true});
"""


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
    page.get_by_role("button", name="Show a new code").click()
    wait_for(page, "code")
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
    url = site(**ONE_CODE)
    page = window(url)
    wait_for(page, "expired")
    for _ in range(7):
        page = page.context.new_page()
        page.goto(url)
        wait_for(page, "expired")
    assert codes_requested(sandbox) == 1
    page.get_by_role("button").click()
    wait_for(page, "code")


def test_a_page_that_is_loaded_again_shows_the_same_code(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """A reload spends no code, and the seconds left go on."""
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
    page = window(site(status_interval=0.1))
    wait_for(page, "code")
    assert sandbox.scan(read(page))
    wait_for(page, "connected")
    page.get_by_role("button", name="Check again").click()
    page.get_by_text("WhatsApp is already linked").wait_for()
    sandbox.disconnect("tenant-a")
    page.get_by_role("button", name="Check again").click()
    wait_for(page, "code")
    assert sandbox.scan(read(page))


# What may go wrong.


def test_a_failure_is_told_in_words_and_tried_again(
    sandbox: Sandbox, site: ServePage, window: OpenWindow
) -> None:
    """With what to do, and the stable word for whoever helps."""
    sandbox.answer_next("unauthorized")
    page = window(site(interval=20, status_interval=0.1))
    wait_for(page, "failed")
    assert page.get_by_text("access was refused").is_visible()
    assert "Tell the people who run this site" in page.locator("#advice").inner_text()
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
    page = window(site(interval=20, status_interval=0.1, linger=60), is_refused=True)
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
        page = window(url, is_refused=True)
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


def test_a_page_that_ended_spends_no_code_on_a_new_server(
    sandbox: Sandbox, plugchat_url: str, port: int, window: OpenWindow
) -> None:
    """Nobody may sit in front of it any more: the button begins again."""
    site = Site(plugchat_url, port, **ONE_CODE)
    with site.running() as url:
        page = window(url, is_refused=True)
        wait_for(page, "expired")
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
    site: ServePage, window: OpenWindow, fault: dict[str, int] | None
) -> None:
    """The page says so, and it can be pressed again."""
    page = window(site(**ONE_CODE), is_refused=True)
    wait_for(page, "expired")
    page.route("**/restart", lambda route: route.fulfill(**fault) if fault else route.abort())
    page.get_by_role("button").click()
    page.get_by_text("Press the button again").wait_for()
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
        page = window(url, is_refused=True)
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
    """The button's answer tells it, too."""
    site = Site(plugchat_url, **ONE_CODE)
    with site.running() as url:
        page = window(url, is_refused=True)
        wait_for(page, "expired")
        site.is_locked = True
        page.get_by_role("button").click()
        wait_for(page, "refused")


def test_one_window_too_many_waits_for_its_turn(site: ServePage, window: OpenWindow) -> None:
    """It says why, and goes on when another is closed."""
    url = site(max_watchers=1)
    first = window(url)
    wait_for(first, "code")
    second = window("about:blank", is_refused=True)
    second.clock.install()
    second.add_init_script(RECORD.replace("ELEMENT", "link"))
    second.goto(url)
    wait_for(second, "busy")
    first.close()
    second.clock.run_for(10_000)
    wait_for(second, "code")
    assert set(second.evaluate("recorded")) <= {""}  # the connection was not lost


def test_without_javascript_the_page_says_what_it_needs(
    site: ServePage, window: OpenWindow
) -> None:
    """In words, in place of a wheel that turns without end."""
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
    """By a live region that stays where it is; the countdown is no part of it."""
    page = window("about:blank")
    page.add_init_script(RECORD.replace("ELEMENT", "headline"))
    page.goto(site(**QUICK))
    wait_for(page, "expired")
    said = page.evaluate("recorded")
    assert said == ["Code 1 of 3", "Code 2 of 3", "Code 3 of 3", "Ready when you are"]
    assert page.locator("#status").get_attribute("role") == "status"
    assert page.locator("#status #timer").count() == 0


def test_the_symbol_and_the_countdown_have_names(site: ServePage, window: OpenWindow) -> None:
    """For who does not see them."""
    page = window(site())
    wait_for(page, "code")
    assert page.get_by_role("img", name="QR code for WhatsApp: code 1 of 3").is_visible()
    timer = page.get_by_role("timer").get_attribute("aria-label")
    assert re.fullmatch(r"Seconds until this code expires: \d+", timer or "")


@pytest.mark.parametrize(
    ("locale", "lang", "headline"),
    [
        ("pt-BR", "pt-BR", "Código 1 de 3"),
        ("pt-PT", "pt-BR", "Código 1 de 3"),
        ("en-GB", "en", "Code 1 of 3"),
        ("fr-FR", "en", "Code 1 of 3"),
    ],
)
def test_the_page_speaks_the_browsers_language(
    site: ServePage, window: OpenWindow, locale: str, lang: str, headline: str
) -> None:
    """Portuguese or English, and it says which."""
    page = window(site(), locale=locale)
    wait_for(page, "code")
    assert page.locator("html").get_attribute("lang") == lang
    assert page.locator("#headline").inner_text() == headline


def test_reduced_motion_is_no_motion(site: ServePage, window: OpenWindow) -> None:
    """Neither while a code is awaited nor while it is on show."""
    page = window(site(), reduced_motion="reduce")
    assert page.evaluate("document.getAnimations().length") == 0
    wait_for(page, "code")
    page.wait_for_timeout(600)
    assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("path", ["", "/"])
def test_the_page_finds_its_parts_with_and_without_a_slash(
    site: ServePage, window: OpenWindow, path: str
) -> None:
    """Also the button's."""
    page = window(site(**ONE_CODE) + path)
    wait_for(page, "expired")
    page.get_by_role("button").click()
    wait_for(page, "code")


def test_the_page_hands_its_query_on(sandbox: Sandbox, site: ServePage, window: OpenWindow) -> None:
    """An app may tell its tenants apart by it."""
    page = window(f"{site(**ONE_CODE)}?tenant=tenant-b")
    wait_for(page, "expired")
    sandbox.answer_next("already_connected", token="tenant-b")
    page.get_by_role("button").click()
    wait_for(page, "connected")


# Each state, as it looks.

# But for what moves without end.
AT_REST = """() => document.getAnimations().every(
    each => each.playState !== "running" || each.effect.getComputedTiming().endTime === Infinity
)"""
SIZES = {"desktop": (1100, 700), "phone": (390, 844), "narrow": (320, 568)}


def bring_into(state: str, page: Page, sandbox: Sandbox) -> None:
    """Bring a page that was just opened into a state."""
    if state in {"connected", "offline"}:
        wait_for(page, "code")
    if state == "connected":
        sandbox.scan(read(page))
    if state == "offline":
        page.context.set_offline(True)
        page.get_by_text("offline").or_(page.get_by_text("sem internet")).wait_for()
    wait_for(page, "code" if state == "offline" else state)


@pytest.mark.parametrize("language", ["en", "pt-BR"])
@pytest.mark.parametrize("state", ["starting", "code", "connected", "expired", "failed", "offline"])
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
) -> None:
    """In every theme and size each state fits the screen, is for everybody, and goes on file."""
    settings: HubArguments = {
        "interval": 0.1 if state == "expired" else 15,
        "status_interval": 0.1,
    }
    if state == "failed":
        sandbox.answer_next("unauthorized")
    url = site(mute_url if state == "starting" else plugchat_url, **settings)
    page = window(url, locale=language, is_refused=state == "offline")
    bring_into(state, page, sandbox)
    # However long the pictures take, the code on them does not die.
    page.clock.set_fixed_time(page.evaluate("new Date().toISOString()"))
    shown = page.locator("main").get_attribute("data-state")
    for theme, (size, (width, height)) in itertools.product(THEMES, SIZES.items()):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(AT_REST)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert accessibility_violations(page) == []
        folder = os.environ.get("PLUGCHAT_PHOTOGRAPHS", tmp_path)
        if size != "narrow" and (language == "en" or state == "code"):
            suffix = "" if language == "en" else f".{language}"
            name = f"page-{state}-{size}-{theme}{suffix}.png"
            keep(page.screenshot(full_page=True), Path(folder, name))
        assert page.locator("main").get_attribute("data-state") == shown


def accessibility_violations(page: Page) -> list[tuple[str, list[str]]]:
    """Ask axe-core, with all of its rules."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]


def keep(photograph: bytes, path: Path) -> None:
    """Save a photograph, in few colours, since it goes into the repository."""
    picture = Image.open(io.BytesIO(photograph)).convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)

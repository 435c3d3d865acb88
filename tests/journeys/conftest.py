"""Mark each test of this folder as a journey; leave out the bots if their libraries are missing.

The fixtures serve the page, and open windows on it in Chromium.
"""

from __future__ import annotations

import shutil
import socket
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plugchat_async.sandbox import Sandbox
from tests.app_server import serve_plugchat

from .browsing import WindowOptions
from .page_site import Site

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Unpack

    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.keyword_arguments import HubArguments

    from .browsing import OpenWindow, ServePage
    from .page_site import PageOptions, Wrap

_NEED_BOTS = ["test_*_bot.py", "test_frameworks.py"]
collect_ignore_glob = [] if find_spec("aiogram") and find_spec("discord") else _NEED_BOTS


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them before pytest selects by marks."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.journey)


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Give Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    # Names that no resolver knows lead here, over plain http: not all is as on 127.0.0.1.
    arguments += ["--host-resolver-rules=MAP *.example 127.0.0.1"]
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

    def serve(
        base_url: str = plugchat_url,
        *,
        options: PageOptions | None = None,
        wrapped_by: Wrap | None = None,
        **settings: Unpack[HubArguments],
    ) -> str:
        site = Site(base_url, options=options, wrapped_by=wrapped_by, **settings)
        return stack.enter_context(site.running())

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
    """Give a PlugChat that never responds."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        yield f"http://127.0.0.1:{mute.getsockname()[1]}/api/whatsapp"


@pytest.fixture
def window(browser: Browser) -> Generator[OpenWindow]:
    """Give a way to open windows, each as another person; they must write nothing to the console.

    Chromium itself writes there what the network or the server refused, so a test of that says so.
    """
    contexts: list[BrowserContext] = []
    written: list[str] = []

    def window(url: str, *, expected: str = "", **options: Unpack[WindowOptions]) -> Page:
        all_options: WindowOptions = {"locale": "en-US", **options}
        contexts.append(browser.new_context(**all_options))
        page = contexts[-1].new_page()

        def write(text: str) -> None:
            is_expected = expected and expected in text
            written.extend([] if is_expected else [text])

        page.on("pageerror", lambda error: write(str(error)))
        page.on("console", lambda message: write(message.text))
        page.goto(url)
        return page

    yield window
    for context in contexts:
        context.close()
    assert written == []

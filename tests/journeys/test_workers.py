"""One tenant's page over four workers of uvicorn, which share their sessions by a real Redis."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from plugchat_async.sandbox import Sandbox
from tests.app_server import serve_plugchat
from tests.camera import read_symbol
from tests.redis.redis_server import serve_redis
from tests.sandbox_calls import codes_requested
from tests.server_sent_events import data_of

from .browsing import REFUSED, read, wait_for
from .reverse_proxies import free_port, nginx, running
from .served_example import served_example

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from tests.redis.redis_server import RedisServer

    from .browsing import OpenWindow

WORKERS = 4
WINDOWS = 4
# The system gives a connection to any worker that is free.
MOST_PAGES = 80
TOKENS = {"acme": "the-token-of-acme", "globex": "the-token-of-globex"}
SECRETS = {
    "HUB_SECRET": "a secret of more than 32 characters",
    "SESSION_SECRET": "another one of more than 32 characters",
}
NGINX = """
server {{
    listen {front};
    location / {{
        proxy_pass {app};
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
    }}
}}
"""
DATABASE = """
CREATE TABLE links (tenant TEXT PRIMARY KEY, linked_at TEXT);
CREATE TABLE stored (tenant TEXT);
CREATE TRIGGER inserted AFTER INSERT ON links BEGIN INSERT INTO stored VALUES (new.tenant); END;
CREATE TRIGGER updated AFTER UPDATE ON links BEGIN INSERT INTO stored VALUES (new.tenant); END;
"""


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    """Give a PlugChat with two instances."""
    return Sandbox(tokens=TOKENS.values())


@pytest.fixture(scope="module")
def redis() -> Generator[RedisServer]:
    """Serve a Redis."""
    with serve_redis() as server:
        yield server


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the app's database, which notes each time that a link is stored."""
    path = tmp_path_factory.mktemp("app") / "tenants.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(DATABASE)
    return path


@pytest.fixture(scope="module")
def url(sandbox: Sandbox, redis: RedisServer, database: Path) -> Generator[str]:
    """Serve the example with several workers, as its docstring says."""
    settings = {"REDIS_URL": redis.url, "DATABASE": str(database), **SECRETS}
    with (
        serve_plugchat(sandbox) as plugchat_url,
        served_example("multi_tenant_app", plugchat_url, TOKENS, WORKERS, **settings) as url,
    ):
        while ask(redis, "PUBSUB", "NUMSUB", "plugchat:changes")[1] != str(WORKERS):
            time.sleep(0.05)  # a worker that has not started yet serves no page
        yield url


@pytest.fixture
def is_watched_everywhere(redis: RedisServer) -> Callable[[], bool]:
    """Give a way to ask whether each worker has watchers of the session that runs."""

    def is_watched_everywhere() -> bool:
        for key in ask(redis, "KEYS", "plugchat:{*"):
            record = ask(redis, "HGETALL", key)
            fields = dict(zip(record[::2], record[1::2], strict=True))
            watchers = [fields[name] for name in fields if name.startswith("at:")]
            if fields["stage"] == "0":
                return len(watchers) == WORKERS and not any(map("0".__eq__, watchers))
        return False

    return is_watched_everywhere


def ask(redis: RedisServer, *command: str) -> list[str]:
    """Send a command whose reply is a list."""
    reply = redis.ask(*command)
    assert isinstance(reply, list)
    return reply


def stored(database: Path) -> list[str]:
    """Return the tenants whose links were stored, each as often as that was done."""
    with closing(sqlite3.connect(database)) as opened:
        return [tenant for (tenant,) in opened.execute("SELECT tenant FROM stored")]


def open_pages(
    browser: httpx.Client, stack: ExitStack, are_enough: Callable[[], bool]
) -> list[Iterator[str]]:
    """Open pages, each over a separate connection, until there are enough."""
    pages: list[Iterator[str]] = []
    while not are_enough():
        assert len(pages) < MOST_PAGES
        response = stack.enter_context(browser.stream("GET", "/whatsapp/events"))
        pages.append(response.iter_lines())
    return pages


def test_pages_in_all_workers_have_one_session(
    sandbox: Sandbox, url: str, database: Path, is_watched_everywhere: Callable[[], bool]
) -> None:
    """Each is told the scan of the one code, and the link is stored once."""
    with ExitStack() as stack:
        browser = stack.enter_context(httpx.Client(base_url=url, timeout=60))
        browser.post("/login/acme")
        pages = open_pages(browser, stack, is_watched_everywhere)
        rounds = [data_of("code", page)["round"] for page in pages]
        # A second session would have requested codes from round 1 on.
        assert rounds[-1] == codes_requested(sandbox)
        assert sandbox.scan(read_symbol(browser.get("/whatsapp/qr.svg").text))
        for page in pages:
            assert data_of("connected", page) == {"already": False}
        assert browser.get("/status").json() == {"was_linked": True, "connected": True}
    assert stored(database) == ["acme"]


@pytest.mark.browser
def test_windows_behind_nginx_have_one_session(
    sandbox: Sandbox,
    url: str,
    database: Path,
    is_watched_everywhere: Callable[[], bool],
    window: OpenWindow,
    tmp_path: Path,
) -> None:
    """Whichever worker serves them, they go on after the scan of the one code."""
    front = f"http://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        command = nginx(tmp_path, NGINX.format(front=urlsplit(front).netloc, app=url))
        # It listens before it writes that file.
        stack.enter_context(running(tmp_path, command, (tmp_path / "nginx.pid").exists))
        # Chromium asks for an icon, which the app does not have.
        windows = [window(front, expected=REFUSED) for _ in range(WINDOWS)]
        for each in windows:
            each.get_by_role("button", name="globex").click()
            wait_for(each, "code")
        browser = stack.enter_context(httpx.Client(base_url=front, timeout=60))
        browser.post("/login/globex")
        open_pages(browser, stack, is_watched_everywhere)
        assert sandbox.scan(read(windows[0]))
        for each in windows:
            each.wait_for_url("**/status")
            assert json.loads(each.inner_text("body")) == {"was_linked": True, "connected": True}
    assert stored(database).count("globex") == 1

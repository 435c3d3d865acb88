"""The guide to other frameworks: each of its files runs as it stands there."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
import discord
import httpx
import pytest

from plugchat_async.sandbox import Sandbox
from tests.app_server import serve_app, serve_plugchat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "frameworks.md"
FILE = re.compile(r'^```python title="(\w+)\.py"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
FILES = dict(FILE.findall(GUIDE.read_text("utf-8")))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Save the files of the guide, and forget their modules afterwards."""
    for name, source in FILES.items():
        (tmp_path / f"{name}.py").write_text(source, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with serve_plugchat(Sandbox()) as base_url:
        monkeypatch.setenv("PLUGCHAT_BASE_URL", base_url)
        monkeypatch.setenv("PLUGCHAT_TOKEN", "token")
        yield tmp_path
    for name in FILES:
        sys.modules.pop(name, None)


class Lines(logging.Handler):
    """The lines of a log at INFO."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        self.lines.append(record.getMessage())


@pytest.fixture
def endings() -> Iterator[list[str]]:
    """Take what the log tells of endings, also when Litestar replaces the root's handlers."""
    handler = Lines()
    logger, root_handlers = logging.getLogger("plugchat_async"), logging.root.handlers[:]
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.lines
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)
    logging.root.handlers[:] = root_handlers


def check(app: ASGIApp, endings: list[str], *, lifespan: Literal["on", "off"] = "on") -> None:
    """Request the code twice, and stop the server: the session is shared, then cancelled."""
    with serve_app(app, lifespan=lifespan) as port:
        for _ in range(2):
            assert "<svg" in httpx.get(f"http://127.0.0.1:{port}/code").text
        assert endings == []


@pytest.mark.parametrize(
    "name",
    [
        "quart_app",
        "litestar_app",
        pytest.param(
            "fastapi_app",
            marks=pytest.mark.filterwarnings("ignore:\\s*on_event is:DeprecationWarning"),
        ),
    ],
)
def test_start_up_and_shut_down_events_open_and_close_the_hub(
    name: str, files: Path, endings: list[str]
) -> None:
    """A session that still runs is told as cancelled."""
    check(import_module(name).app, endings)
    (ending,) = endings
    assert ending.startswith("pairing ended: cancelled, 1 codes")


@pytest.fixture
def django_site(
    files: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Make the smallest site that Django serves."""
    settings = f'ROOT_URLCONF = "{request.param}"\nALLOWED_HOSTS = ["*"]\nSECRET_KEY = "x"\n'
    (files / "site_settings.py").write_text(settings, "utf-8")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "site_settings")
    yield
    del sys.modules["site_settings"]
    import_module("django.urls").clear_url_caches()
    # Django reads its settings once a process.
    import_module("django.conf").settings._wrapped = import_module("django.conf").empty


@pytest.mark.parametrize("django_site", ["urls"], indirect=True)
@pytest.mark.usefixtures("django_site")
def test_a_lifespan_around_django_opens_and_closes_the_hub(endings: list[str]) -> None:
    """Django itself has none."""
    check(import_module("asgi").application, endings)
    (ending,) = endings
    assert ending.startswith("pairing ended: cancelled, 1 codes")


@pytest.mark.parametrize("django_site", ["lazy_urls"], indirect=True)
@pytest.mark.usefixtures("django_site")
def test_a_request_to_django_opens_the_hub_for_the_next_one(endings: list[str]) -> None:
    """Without lifespan events, nothing closes it; the end of the event loop ends its session."""
    check(import_module("django.core.asgi").get_asgi_application(), endings, lifespan="off")
    (ending,) = endings
    assert ending.startswith("pairing ended: cancelled, 1 codes")


@pytest.mark.anyio
async def test_a_class_opens_the_hub_in_one_task_and_closes_it_in_another(
    files: Path, endings: list[str]
) -> None:
    """On asyncio and trio."""
    linking = import_module("linking").linking
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(linking.open)
    assert "<svg" in await linking.current_code()
    assert endings == []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(linking.close)
    (ending,) = endings
    assert ending.startswith("pairing ended: cancelled, 1 codes")


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_bot_opens_the_hub_in_one_task_and_closes_it_in_another(
    files: Path, endings: list[str]
) -> None:
    """discord.py needs no connection for that."""
    bot = import_module("bot")
    client = bot.Bot(intents=discord.Intents.none())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.setup_hook)
    assert "<svg" in await bot.linking.current_code()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.close)
    (ending,) = endings
    assert ending.startswith("pairing ended: cancelled, 1 codes")


def test_a_fixture_of_pytest_asyncio_opens_the_hub_for_a_test(files: Path) -> None:
    """It is entered and left in different tasks."""
    settings = "[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    (files / "pytest.ini").write_text(settings, "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_hub.py"]
    done = subprocess.run(
        command, cwd=files, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert "1 passed" in done.stdout, done.stdout

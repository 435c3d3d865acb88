"""The files for Docker of "Deployment" and "Many workers", built, run and stopped as they stand."""

from __future__ import annotations

import re
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from plugchat_async.sandbox import Sandbox
from tests.app_server import serve_plugchat
from tests.camera import read_symbol
from tests.server_sent_events import data_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

pytestmark = pytest.mark.containers

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
FILE = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8026"

WORKERS = 4
# The system gives a connection to any worker that is free.
MOST_PAGES = 80
PATIENCE = 60.0

# Plain HTTP is for PlugChat on the same machine alone: the sandbox shares the app's network.
WITH_SANDBOX = """
services:
  app:
    environment:
      PLUGCHAT_BASE_URL: http://127.0.0.1:8055/api/whatsapp
  sandbox:
    build: .
    command: plugchat sandbox --port 8055
    network_mode: service:app
"""
SCAN = "from httpx import post; post('http://127.0.0.1:8055/sandbox/scan').raise_for_status()"


def save(folder: Path, guide: str, *names: str) -> None:
    """Copy files of a guide."""
    files = dict(FILE.findall((GUIDES / guide).read_text("utf-8")))
    for name in names:
        (folder / name).write_text(files[name], "utf-8")


def docker(folder: Path, *arguments: str) -> str:
    """Run a command in a folder, and return what it prints."""
    command = ["docker", *arguments]
    finished = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return finished.stdout.strip()


def wait_until_served(url: str) -> None:
    """Wait until the page is there."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline
        time.sleep(0.2)


@contextmanager
def opened(url: str) -> Generator[Iterator[Iterator[str]]]:
    """Give one page after the other, each over a separate connection, until the block ends."""
    with ExitStack() as stack, httpx.Client(base_url=url, timeout=60) as browser:
        yield (
            stack.enter_context(browser.stream("GET", "/events")).iter_lines()
            for _ in range(MOST_PAGES)
        )


@contextmanager
def running(folder: Path, base_url: str) -> Generator[str]:
    """Run the image until the block ends; give the container's name."""
    image = docker(folder, "build", "--quiet", ".")
    options = ("--detach", "--network=host", f"--env=PLUGCHAT_BASE_URL={base_url}")
    container = docker(folder, "run", *options, image)
    try:
        yield container
    finally:
        docker(folder, "rm", "--force", container)
        docker(folder, "image", "rm", image)


def test_the_image_stops_with_pages_open_and_links_a_phone(tmp_path: Path) -> None:
    """No stream is cut off, and when it starts again, its page shows a code and then the scan."""
    save(tmp_path, "deployment.md", "Dockerfile", "requirements.txt")
    save(tmp_path, "fastapi.md", "app.py")
    url = f"{ADDRESS}/whatsapp"
    sandbox = Sandbox()
    with serve_plugchat(sandbox) as base_url, running(tmp_path, base_url) as container:
        wait_until_served(url)
        with opened(url) as pages:
            open_pages = [next(pages) for _ in range(3)]
            for page in open_pages:
                data_of("code", page)
            docker(tmp_path, "stop", container)
            for page in open_pages:
                list(page)
        assert docker(tmp_path, "inspect", "--format={{.State.ExitCode}}", container) == "0"
        docker(tmp_path, "start", container)
        wait_until_served(url)
        with opened(url) as pages:
            page = next(pages)
            data_of("code", page)
            assert sandbox.scan(read_symbol(httpx.get(f"{url}/qr.svg").text))
            assert data_of("connected", page) == {"already": False}


@pytest.fixture
def composed(tmp_path: Path) -> Generator[Path]:
    """Run the services with a sandbox until the test ends; give their folder."""
    save(tmp_path, "deployment.md", "Dockerfile", "requirements.txt")
    save(tmp_path, "workers.md", "compose.yml", "app.py")
    requirements = tmp_path / "requirements.txt"
    extras = requirements.read_text("utf-8").replace("[fastapi]", "[fastapi,redis,cli]")
    requirements.write_text(extras, "utf-8")
    (tmp_path / "compose.override.yml").write_text(WITH_SANDBOX, "utf-8")
    (tmp_path / ".env").write_text("HUB_SECRET=a secret of more than 32 characters", "utf-8")
    try:
        docker(tmp_path, "compose", "up", "--build", "--detach")
        yield tmp_path
    finally:
        docker(tmp_path, "compose", "down", "--volumes", "--rmi=local")


def watching_workers(folder: Path) -> int:
    """Return how many workers have pages of the only session open."""
    redis_cli = ("compose", "exec", "-T", "redis", "redis-cli", "--raw")
    key = docker(folder, *redis_cli, "keys", "plugchat:{*")
    record = docker(folder, *redis_cli, "hgetall", key).splitlines()
    fields = dict(zip(record[::2], record[1::2], strict=False))
    return sum(name.startswith("at:") and value[0] != "0" for name, value in fields.items())


def test_pages_in_all_workers_of_compose_have_one_session(composed: Path) -> None:
    """Each is told the scan of the one code."""
    url = f"{ADDRESS}/acme/whatsapp"
    wait_until_served(url)
    with opened(url) as pages:
        open_pages: list[Iterator[str]] = []
        for page in pages:
            open_pages.append(page)
            assert data_of("code", page)["round"] == 1
            if watching_workers(composed) == WORKERS:
                break
        else:
            pytest.fail("a worker has no pages")
        docker(composed, "compose", "exec", "-T", "sandbox", "python", "-c", SCAN)
        for page in open_pages:
            assert data_of("connected", page) == {"already": False}

"""Servers with pages open, run, stopped and reloaded as the guide "Deployment" says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.server_sent_events import data_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "deployment.md").read_text("utf-8")
COMMANDS = re.findall(r"^\| [^|]+ \| `([^`]+)` \|", GUIDE, re.MULTILINE)
FILES = dict(re.findall(r'^```python title="([^"]+)"\n(.*?)^```', GUIDE, re.MULTILINE | re.DOTALL))
PORT = "8026"

PAGES = 3
# Of a busy machine: nothing is measured here.
PATIENCE = 120.0

RECYCLING = [command for command in COMMANDS if command.startswith("gunicorn")]
SEVERAL_WORKERS = [
    "gunicorn app:app --bind 127.0.0.1:8026 --worker-class asgi --workers 2",
    "hypercorn app:app --bind 127.0.0.1:8026 --workers 2",
    "granian app:app --interface asgi --port 8026 --workers 2",
]
RELOADING = [command for command in COMMANDS if "--reload" in command or " dev " in command]


class Server:
    """A server in a folder with the app, and what became of it."""

    def __init__(self, folder: Path, command: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        program, *arguments = shlex.split(command.replace(PORT, self.url.rpartition(":")[2]))
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", program, *arguments],
                cwd=folder,
                # It is where gunicorn puts a socket to control it.
                env={**os.environ, "HOME": str(folder)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """All that it printed."""
        return self._log.read_text("utf-8", errors="replace")

    def lifespans(self, word: str) -> set[str]:
        """Return the processes whose lifespan was `opened` or `closed`."""
        lines = (self._folder / "lifespans").read_text("utf-8").splitlines()
        return {process for noted, process in map(str.split, lines) if noted == word}

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until it is so."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def responds(self) -> bool:
        """Return whether it serves the page."""
        assert self.process.poll() is None, self.log
        try:
            return httpx.get(f"{self.url}/whatsapp", timeout=PATIENCE).is_success
        except httpx.TransportError:
            return False

    def stop(self, number: int) -> None:
        """Send a signal as a service manager or a terminal does, and wait for the end."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        self.process.wait(PATIENCE)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def serve(tmp_path: Path) -> Generator[Callable[[str], Server]]:
    """Give a way to run a server as the guide says, until it responds."""

    def serve(command: str) -> Server:
        shutil.copy(Path(__file__).with_name("served_app.py"), tmp_path / "app.py")
        for name, text in FILES.items():
            (tmp_path / name).write_text(text, "utf-8")
        server = Server(tmp_path, command)
        stack.callback(end, server.process)
        server.until(server.responds)
        return server

    with ExitStack() as stack:
        yield serve


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server, with its children, whatever became of it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def look() -> Generator[Callable[[str], list[Iterator[str]]]]:
    """Give a way to open pages that show a code."""

    def look(url: str) -> list[Iterator[str]]:
        pages = []
        for _ in range(PAGES):
            response = stack.enter_context(browser.stream("GET", f"{url}/whatsapp/events"))
            pages.append(response.iter_lines())
            assert data_of("code", pages[-1])["round"] == 1
        return pages

    with ExitStack() as stack:
        browser = stack.enter_context(httpx.Client(timeout=PATIENCE))
        yield look


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_stops_with_pages_open(
    serve: Callable[[str], Server],
    look: Callable[[str], list[Iterator[str]]],
    command: str,
    number: int,
) -> None:
    """By itself, with each stream ended in order, and each lifespan after SIGTERM."""
    server = serve(command)
    pages = look(server.url)
    server.stop(number)
    # uvicorn ends by the signal itself, once all is done.
    assert server.process.returncode in {0, -number}
    # A second signal may block Granian's worker, which is killed then: the guide tells why.
    if number == signal.SIGTERM or not command.startswith("granian"):
        for page in pages:
            list(page)  # httpx raises an error if a response was cut off
    assert "Traceback" not in server.log
    assert ("guides/workers.md" in server.log) == ("--workers 2" in command)
    # Ctrl-C makes gunicorn's own worker skip the lifespan. So does a second signal at uvicorn, and
    # one in a terminal reaches its reloader as well, which sends it on.
    if number == signal.SIGTERM:
        assert server.lifespans("closed") == server.lifespans("opened")


@pytest.mark.parametrize("command", SEVERAL_WORKERS)
def test_several_workers_are_warned_of(serve: Callable[[str], Server], command: str) -> None:
    """In the log, with the guide that says what to do."""
    assert "guides/workers.md" in serve(command).log


@pytest.mark.parametrize("command", RELOADING)
def test_a_server_reloads_with_pages_open(
    serve: Callable[[str], Server],
    look: Callable[[str], list[Iterator[str]]],
    command: str,
    tmp_path: Path,
) -> None:
    """A developer need not close the page to see what was changed."""
    server = serve(command)
    pages = look(server.url)
    first = server.lifespans("opened")
    with (tmp_path / "app.py").open("a") as app:
        app.write('note("changed")\n')
    for page in pages:
        list(page)
    server.until(lambda: bool(server.lifespans("opened") - first))
    assert server.lifespans("changed") >= server.lifespans("opened") - first
    assert server.lifespans("closed") == first
    assert "Traceback" not in server.log


@pytest.mark.parametrize("command", RECYCLING)
def test_a_worker_is_replaced_with_pages_open(
    serve: Callable[[str], Server],
    look: Callable[[str], list[Iterator[str]]],
    command: str,
) -> None:
    """Its lifespan is closed, and no stream is cut off by uvicorn."""
    server = serve(f"{command} --max-requests 20")
    pages = look(server.url)
    first = server.lifespans("opened")

    def is_replaced() -> bool:
        server.responds()
        return bool(server.lifespans("opened") - first)

    server.until(is_replaced)
    assert server.lifespans("closed")
    assert "Traceback" not in server.log
    if "uvicorn" in command:
        for page in pages:
            list(page)

"""Every code block of the README and of the documentation runs as it stands, in its page's order.

| block | what is done with it |
|---|---|
| `python` | run, with `await` where it stands, in one namespace a page; a REPL takes it |
| `text` | compared with what the Python block before it printed |
| `python title="NAME"` | saved as NAME, for the commands to come; likewise HTML and the like |
| `console` | each line after `$` runs in a shell, and prints what stands there |
| `powershell` | compared with the `console` block before it, of which it is a translation |
| `<http://127.0.0.1:...>` | opened, with a successful response |

All of it happens in an empty folder, where PLUGCHAT_BASE_URL leads to a sandbox whose phone scans a
code one second after it was requested. As in a doctest, `...` matches any text.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from unittest.mock import patch

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from sybil import Document, Region
from sybil.evaluators.python import pad
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

from plugchat_async import cli

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from anyio.from_thread import BlockingPortal
    from sybil import Example

pytestmark = pytest.mark.docs

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("README*.md"), *ROOT.glob("docs/**/*.md")])

# What is shown and not run.
INSTALLING = (
    "git clone",
    "python -m venv",
    "python3 -m venv",
    "python -m pip install",
    "pip install",
    "nox",
)
# What runs until it is stopped: until the end of its page.
SERVING = ("plugchat sandbox", "redis-server", "uvicorn")

IN_POWERSHELL = {
    " && ": "; ",
    "python3 ": "py ",
    "mkdir -p ": "mkdir -Force ",
    ". .venv/bin/activate": ".venv\\Scripts\\Activate.ps1",
    ".venv/bin/": ".venv\\Scripts\\",
}

BLOCK = re.compile(r'(?P<language>[\w-]*)(?: title="(?P<title>[^"]+)")?$\n', re.MULTILINE)
ADDRESS = re.compile(r"<(?P<url>http://127\.0\.0\.1:\d+[^>]*)>")
PORT = re.compile(r"(?:127\.0\.0\.1:|--port[ =])(\d+)")
COMMAND = re.compile(r"^\$ (.*)\n?((?:(?!\$ ).*\n?)*)", re.MULTILINE)
EXPORT = re.compile(r"export (\w+)=(\S+)")
PLUGCHAT = re.compile(r"plugchat [\w .=-]+")

LONGEST_WAIT = 120.0


def parse(path: Path) -> Document:
    """Read a page, with a free port instead of each one that it names."""
    text = path.read_text("utf-8")
    for port in set(PORT.findall(text)):
        text = text.replace(port, str(free_port()))
    document = Document(text, str(path))
    for region in (*blocks(document), *addresses(document)):
        document.add(region)
    return document


def exit_code_of(command: Callable[[], object]) -> object:
    """Return with which code a command exits."""
    with pytest.raises(SystemExit) as ended:
        command()
    return ended.value.code


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def blocks(document: Document) -> Iterator[Region]:
    """Find the fenced blocks, of whatever kind."""
    for region in RawFencedCodeBlockLexer(BLOCK)(document):
        region.parsed = region.lexemes["source"]
        yield region


def addresses(document: Document) -> Iterator[Region]:
    """Find the addresses on this machine that a reader is told to open."""
    for match in ADDRESS.finditer(document.text):
        lexemes = {"language": "address", "title": None}
        yield Region(match.start(), match.end(), match["url"], lexemes=lexemes)


class Reader:
    """Do what a page says."""

    def __init__(
        self,
        folder: Path,
        portal: BlockingPortal,
        servers: ExitStack,
        export: Callable[[str, str], None],
    ) -> None:
        self._folder = folder
        self._portal = portal
        self._thread = ThreadPoolExecutor(1)
        self._servers = servers
        self._export = export
        self._place = ""
        self._printed = ""
        self._typed = ""
        self._servers.enter_context(self._thread)
        self._do = {
            "python": self._run_python,
            "text": self._compare_with_python,
            "console": self._run_console,
            "powershell": self._compare_with_console,
            "address": self._open,
        }

    def follow(self, example: Example) -> None:
        """Do what one block is for."""
        self._place = f"{example.path}:{example.line}"
        title = example.region.lexemes["title"]
        if title is None:
            self._do[example.region.lexemes["language"]](example)
        else:
            self._save(title, example.parsed)

    def _save(self, name: str, source: str) -> None:
        (self._folder / name).write_text(source, "utf-8")
        if name.endswith(".py"):
            compile(source, self._place, "exec")
            # Another page may have imported its own file of that name.
            sys.modules.pop(name.removesuffix(".py"), None)

    def _run_python(self, example: Example) -> None:
        assert can_be_pasted(example.parsed), f"{self._place}: a blank line ends a block in a REPL"
        code = compile(
            pad(example.parsed, example.line + example.parsed.line_offset),
            example.path,
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        with redirect_stdout(io.StringIO()) as printed:
            if code.co_flags & inspect.CO_COROUTINE:
                self._portal.call(eval, code, example.namespace)
            else:
                self._in_thread(exec, code, example.namespace)
        self._printed = printed.getvalue()

    def _compare_with_python(self, example: Example) -> None:
        self._compare(example.parsed, self._printed)

    def _compare_with_console(self, example: Example) -> None:
        translated = "".join(f"{command}\n" for command, _ in COMMAND.findall(self._typed))
        for there, here in IN_POWERSHELL.items():
            translated = translated.replace(there, here)
        assert example.parsed == translated, self._place

    def _run_console(self, example: Example) -> None:
        self._typed = example.parsed
        for command, expected in COMMAND.findall(example.parsed):
            if exported := EXPORT.fullmatch(command):
                self._export(*exported.groups())
            elif command.startswith(SERVING):
                self._serve(command, expected)
            elif PLUGCHAT.fullmatch(command):
                self._run_plugchat(command, expected)
            elif not command.startswith(INSTALLING):
                self._run_in_shell(command, expected)

    def _open(self, example: Example) -> None:
        response = httpx.get(example.parsed, follow_redirects=True, timeout=LONGEST_WAIT)
        assert response.is_success, f"{self._place}: status {response.status_code}"

    def _run_plugchat(self, command: str, expected: str) -> None:
        # In this process: its imports, once a command, would take most of the time.
        # What it takes out of the environment, it takes from itself alone.
        written = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
        with (
            patch.object(sys, "argv", command.split()),
            patch.dict(os.environ, COLUMNS="80"),
            redirect_stdout(written),
            redirect_stderr(written),
        ):
            exit_code = self._in_thread(exit_code_of, cli.main)
        written.seek(0)
        self._compare(expected, written.read())
        assert not exit_code, f"{self._place}: {command} ended with {exit_code}"

    def _run_in_shell(self, command: str, expected: str) -> None:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LONGEST_WAIT,
            encoding="utf-8",
            check=False,
        )
        self._compare(expected, done.stdout)
        assert done.returncode == 0, f"{self._place}: {command} ended with {done.returncode}"

    def _serve(self, command: str, expected: str) -> None:
        log = self._folder / ".log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self._folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._servers.callback(stop, server)
        deadline = time.monotonic() + LONGEST_WAIT
        while not matches(expected, log.read_text("utf-8")) and time.monotonic() < deadline:
            time.sleep(0.05)
        self._compare(expected, log.read_text("utf-8"))

    def _in_thread(self, call: Callable[..., T], *arguments: object, **options: object) -> T:
        # On CPython 3.11 a cancelled coroutine confuses coverage about the frames below it
        # (https://github.com/coveragepy/coveragepy/issues/2124).
        return self._thread.submit(call, *arguments, **options).result()

    def _compare(self, expected: str, printed: str) -> None:
        assert matches(expected, printed), f"{self._place} promises\n{expected}\n\nnot\n{printed}"


def can_be_pasted(source: str) -> bool:
    """Return whether `python -m asyncio` reads a block, line by line, as the compiler does."""
    lines = source.splitlines()
    statements = ast.parse(source).body
    compound = [each for each in statements[:-1] if hasattr(each, "body")]
    return all(
        line.strip() for each in statements for line in lines[each.lineno - 1 : each.end_lineno]
    ) and not any(lines[each.end_lineno or 0].strip() for each in compound)


def stop(server: subprocess.Popen[bytes]) -> None:
    """Stop a server as Ctrl-C does."""
    server.send_signal(signal.SIGINT)
    server.wait(LONGEST_WAIT)


def matches(expected: str, printed: str) -> bool:
    """Check that the output is the one that the page shows."""
    expected, printed = (
        re.sub(r" +$", "", text, flags=re.MULTILINE).strip() for text in (expected, printed)
    )
    return doctest.OutputChecker().check_output(expected, printed, doctest.ELLIPSIS)


@pytest.fixture(scope="module")
def portal() -> Generator[BlockingPortal]:
    """Run a loop in a thread, so that examples with a separate loop can run as well."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make a PATH on which `python` and `plugchat` are those that are tested."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "plugchat"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m plugchat_async "$@"\n', "utf-8")
    program.chmod(0o755)
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


@pytest.fixture(scope="module")
def base_url(commands: str) -> Generator[str]:
    """Serve a sandbox whose phone scans what it is shown."""
    command = ["plugchat", "sandbox", "--scan-after=1"]
    with subprocess.Popen(
        command, env={**os.environ, "PATH": commands}, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        exported = next(line for line in server.stdout if "PLUGCHAT_BASE_URL=" in line)
        yield exported.partition("=")[2].strip()
        server.send_signal(signal.SIGINT)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_does_what_the_page_says(
    page: Path,
    portal: BlockingPortal,
    commands: str,
    base_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the first one to the last, in one namespace and one folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    # The folder may lie below this repository, whose settings are none of the reader's.
    (tmp_path / "pytest.ini").touch()
    monkeypatch.setenv("PATH", commands)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("LC_MESSAGES", "pt_BR.UTF-8" if "pt-BR" in str(page) else "C.UTF-8")
    monkeypatch.setenv("PYTHONUTF8", "1")
    # Of the plugins that are installed for these tests, a reader has the one that examples need.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "anyio.pytest_plugin")
    monkeypatch.setenv("PLUGCHAT_BASE_URL", base_url)
    monkeypatch.setenv("PLUGCHAT_TOKEN", f"the token of {page}")
    with ExitStack() as servers:
        reader = Reader(tmp_path, portal, servers, monkeypatch.setenv)
        for example in parse(page).examples():
            reader.follow(example)

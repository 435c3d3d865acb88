"""`plugchat pair --web`: a page for one browser on this machine, until a phone is linked."""

from __future__ import annotations

import re
import signal
import socket
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from plugchat_async import AsyncPlugChat, PairingOutcome
from plugchat_async._extras import install_command
from plugchat_async.cli._access.client import Access
from plugchat_async.cli._web import server as _web
from tests.cli.processes import started
from tests.cli.threads import in_a_thread
from tests.eventually import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from plugchat_async.sandbox import Sandbox
    from tests.cli.conftest import MakeOpener, Run


class Browser:
    """Open what is printed, and read the events of the page."""

    def __init__(self, opened: Path) -> None:
        self.outcome: PairingOutcome | None = None
        self.opened = opened
        self.http = httpx.AsyncClient(trust_env=False)
        self.page = httpx.URL()
        self.interval = 15.0

    async def link(self, client: AsyncPlugChat, on_desktop: bool = True) -> None:
        """Run the command's inner part, and keep how it ends."""
        self.outcome = await _web.link(
            client, interval=self.interval, port=0, on_desktop=on_desktop
        )

    async def visit(self) -> httpx.Response:
        """Open the address, and note where it leads to."""
        visited = await self.http.get(await eventually(lambda: self.address))
        if "location" in visited.headers:
            self.page = visited.url.join(visited.headers["location"])
        return visited

    async def look(self, *, until: str = "connected") -> None:
        """Keep the page open until an event, which is the last one."""
        async with self.http.stream("GET", f"{self.page}/events") as events:
            assert events.status_code == 200
            lines = events.aiter_lines()
            while await anext(lines) != f"event: {until}":
                pass
            # Who leaves before the end may still be watching when the button is pressed.
            async for _ in lines:
                pass

    async def press(self) -> None:
        """Press the page's button."""
        pressed = await self.http.post(f"{self.page}/restart")
        assert pressed.status_code == 204

    @property
    def address(self) -> str:
        """The address that the desktop was told to open; empty before."""
        return self.opened.read_text("utf-8").strip() if self.opened.exists() else ""


@pytest.fixture
def browser(tmp_path: Path, make_opener: MakeOpener) -> Browser:
    """Be the desktop's browser."""
    opened = tmp_path / "opened"
    make_opener(f'echo "$1" > {opened}')
    return Browser(opened)


async def scan(sandbox: Sandbox, client: AsyncPlugChat) -> None:
    """Link the phone, once a code was asked for."""
    await eventually(lambda: sandbox.calls)
    code = await client.qr_code()
    assert sandbox.scan(code.payload)


def test_a_key_opens_once_and_a_scan_ends_it(
    sandbox: Sandbox, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key is exchanged for a cookie that scripts can't read; the page tells the end."""

    async def journey() -> None:
        client = Access(None, None, False, 10).client()
        async with anyio.create_task_group() as tasks, browser.http:
            tasks.start_soon(browser.link, client)
            entered = await browser.visit()
            assert entered.status_code == 303
            cookie = entered.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert f"Path={browser.page.path}" in cookie
            assert "SameSite=lax" in cookie
            assert entered.headers["cache-control"] == "no-store"
            assert (await browser.visit()).status_code == 403
            assert "WhatsApp" in (await browser.http.get(browser.page)).text
            async with httpx.AsyncClient(trust_env=False) as stranger:
                assert (await stranger.get(browser.page)).status_code == 403
                assert (await stranger.get(browser.address)).status_code == 403
                wrong = browser.address[:-1] + "é"
                assert (await stranger.get(wrong)).status_code == 403
            assert sandbox.calls == ()
            tasks.start_soon(scan, sandbox, client)
            await browser.look()

    in_a_thread(anyio.run, journey)
    assert browser.outcome is PairingOutcome.CONNECTED
    out = capsys.readouterr().out
    assert browser.address in out
    assert "Ctrl-C to stop" in out


def test_a_phone_that_is_linked_already(
    sandbox: Sandbox, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page has shown it when the command ends; on a server, its address is printed."""

    async def journey() -> None:
        sandbox.answer_next("already_connected")
        async with anyio.create_task_group() as tasks, browser.http:
            tasks.start_soon(browser.link, Access(None, None, False, 10).client(), False)
            [address] = await eventually(lambda: re.findall(r"http://\S+", capsys.readouterr().out))
            browser.opened.write_text(address)
            await browser.visit()
            await browser.look()

    in_a_thread(anyio.run, journey)
    assert browser.outcome is PairingOutcome.ALREADY_CONNECTED


def test_the_button_works_after_a_failure(
    sandbox: Sandbox, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    """The terminal tells of the failure, and the page goes on being sandbox."""

    async def journey() -> None:
        sandbox.answer_next("unauthorized")
        sandbox.answer_next("already_connected")
        async with anyio.create_task_group() as tasks, browser.http:
            tasks.start_soon(browser.link, Access(None, None, False, 10).client())
            await browser.visit()
            await browser.look(until="failed")
            await eventually(lambda: "PlugChat refused" in capsys.readouterr().err)
            await browser.press()
            await browser.look()

    in_a_thread(anyio.run, journey)
    assert browser.outcome is PairingOutcome.ALREADY_CONNECTED


@pytest.mark.usefixtures("capsys")
def test_the_button_works_after_codes_that_expired(sandbox: Sandbox, browser: Browser) -> None:
    """They end nothing, and nothing is said in the terminal."""
    browser.interval = 0.1

    async def journey() -> None:
        async with anyio.create_task_group() as tasks, browser.http:
            tasks.start_soon(browser.link, Access(None, None, False, 10).client())
            await browser.visit()
            await browser.look(until="expired")
            sandbox.answer_next("already_connected")
            await browser.press()
            await browser.look()

    in_a_thread(anyio.run, journey)
    assert browser.outcome is PairingOutcome.ALREADY_CONNECTED


@pytest.fixture
def _a_page_that_ends_immediately(monkeypatch: pytest.MonkeyPatch) -> None:
    # The page ends only for a browser that looks at it, as the journeys above are: here it would
    # keep a command that can't be cancelled waiting for one.
    async def link(
        client: AsyncPlugChat, *, interval: float, port: int, on_desktop: bool
    ) -> PairingOutcome:
        assert (interval, port, on_desktop) == (15, 0, False)
        return PairingOutcome.ALREADY_CONNECTED

    monkeypatch.setattr(_web, "link", link)


@pytest.mark.usefixtures("sandbox", "_a_page_that_ends_immediately")
def test_its_exit_codes_are_those_of_codes_on_the_terminal(run: Run) -> None:
    """For example 3."""
    assert run("pair", "--web").exit_code == 3


def test_without_its_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command to install it; exit code 1.

    Its modules are forgotten, as in a new process: it is only on import that they miss the extra.
    """
    monkeypatch.delattr("plugchat_async.cli._web.server")
    monkeypatch.delitem(sys.modules, "plugchat_async.cli._web.server")
    monkeypatch.delitem(sys.modules, "plugchat_async.cli._web.one_time_link", raising=False)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    ran = run("pair", "--web")
    assert ran.exit_code == 1
    assert f"(extra [fastapi]). Run: {install_command('fastapi')}\n" in ran.err


@pytest.mark.parametrize("options", [["--ascii"], ["--compact"], ["--json"], ["--output", "a.png"]])
def test_options_that_it_excludes(run: Run, options: list[str]) -> None:
    """Exit code 2."""
    ran = run("pair", "--web", *options)
    assert ran.exit_code == 2
    assert "--web can't be combined with" in ran.err


def test_a_port_is_for_the_page(run: Run) -> None:
    """Without one, exit code 2."""
    ran = run("pair", "--port", "8123")
    assert ran.exit_code == 2
    assert "--port needs --web" in ran.err


@pytest.mark.usefixtures("sandbox")
def test_a_port_that_is_taken(run: Run) -> None:
    """One line, exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = run("pair", "--web", "--port", port)
    assert (ran.exit_code, ran.out) == (1, "")
    assert f"listen on 127.0.0.1, port {port}: Address already in use." in ran.err


@pytest.mark.usefixtures("sandbox")
def test_ctrl_c_says_a_word(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 130."""

    async def interrupt(_: AsyncPlugChat, **__: object) -> PairingOutcome:
        raise KeyboardInterrupt

    monkeypatch.setattr(_web, "link", interrupt)
    ran = run("pair", "--web")
    assert (ran.exit_code, ran.err) == (130, "Stopped. No phone was linked.\n")


@pytest.mark.parametrize(
    ("connection", "user", "command"),
    [
        ("192.0.2.1 51234 192.0.2.7 22", "ana", "ssh -L {port}:127.0.0.1:{port} ana@192.0.2.7"),
        (
            "192.0.2.1 51234 fe80::1%eth0 2222",
            "ana",
            "ssh -p 2222 -L {port}:127.0.0.1:{port} ana@fe80::1%eth0",
        ),
        (
            "192.0.2.1 51234 192.0.2.7 22",
            "DOMAIN\\ana $(id)",
            "ssh -L {port}:127.0.0.1:{port} 'DOMAIN\\ana $(id)@192.0.2.7'",
        ),
        ("", "ana", None),
    ],
)
def test_over_ssh_it_says_how_a_browser_gets_there(
    sandbox: Sandbox,
    browser: Browser,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    connection: str,
    user: str,
    command: str | None,
) -> None:
    """The command for the machine in front of the user, to be pasted into a shell."""
    monkeypatch.setenv("SSH_CONNECTION", connection)
    monkeypatch.setattr("getpass.getuser", lambda: user)

    async def journey() -> None:
        sandbox.answer_next("already_connected")
        async with anyio.create_task_group() as tasks, browser.http:
            tasks.start_soon(browser.link, Access(None, None, False, 10).client())
            await browser.visit()
            await browser.look()

    in_a_thread(anyio.run, journey)
    out = capsys.readouterr().out
    port = httpx.URL(browser.address).port
    assert (command is None) is ("ssh" not in out)
    assert command is None or f"\n  {command.format(port=port)}\n" in out
    assert (command is None) is ("Then open this" not in out)


@pytest.mark.journey
@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("is_open", [False, True])
def test_ctrl_c_ends_it(*, is_open: bool) -> None:
    """With 130 and a word, with or without a page that is open."""
    with started("pair", "--web") as pair:
        assert pair.stdout is not None
        assert pair.stderr is not None
        address = ""
        for line in iter(pair.stdout.readline, "Ctrl-C to stop\n"):
            assert line
            address = line.strip() if "http" in line else address
        with ExitStack() as stack:
            if is_open:
                visitor = stack.enter_context(httpx.Client(trust_env=False))
                page = httpx.URL(address).join(visitor.get(address).headers["location"])
                events = f"{page}/events"
                stream = stack.enter_context(visitor.stream("GET", events))
                assert stream.status_code == 200
            pair.send_signal(signal.SIGINT)
            assert pair.wait(60) == 130
        assert pair.stderr.read() == "Stopped. No phone was linked.\n"

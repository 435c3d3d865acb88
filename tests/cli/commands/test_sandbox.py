"""`plugchat sandbox`: what to set, what was asked, and a phone for those who want one.

The command ends by Ctrl-C only, as a separate process does in test_journeys.py; here its
coroutine `_serve` is run, since a test can cancel that.
"""

from __future__ import annotations

import re
import shlex
import socket
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from plugchat_async import AsyncPlugChat, AuthenticationError
from plugchat_async.cli._commands import sandbox as _sandbox
from plugchat_async.sandbox import Action, Call, Scan

if TYPE_CHECKING:
    from tests.cli.conftest import Run


class Output:
    """Output of the command so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.text = ""

    async def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until it is printed."""
        with anyio.fail_after(60):
            while True:
                self.text += self._capsys.readouterr().out
                if found := re.search(pattern, self.text):
                    return found
                await anyio.sleep(0.02)


@pytest.mark.anyio
async def test_its_output_is_all_that_a_client_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The address and a token; then each call, without its token, and the scan."""
    output = Output(capsys)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_sandbox._serve, "127.0.0.1", 0, None, 0.1)
        base_url = (await output.wait_for(r"export PLUGCHAT_BASE_URL=(\S+)"))[1]
        token = (await output.wait_for(r"export PLUGCHAT_TOKEN=(\S+)"))[1]
        await output.wait_for(r"phone scans each code 0\.1 s after")
        async with AsyncPlugChat(token, base_url=base_url) as client:
            await client.qr_code()
            await output.wait_for(r" \d+\.\d s  #1  GET /qr-code         200  code\n")
            await output.wait_for(r" \d+\.\d s  #1  the phone scanned the code\n")
            assert (await client.status()).connected
        await output.wait_for(r" \d+\.\d s  #1  GET /status          200  status\n")
        url = base_url.removesuffix("/api/whatsapp")
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.post(f"{url}/sandbox/lose-session", params={"token": token})
        await output.wait_for(r" \d+\.\d s  #1  POST /sandbox/lose-session  200\n")
        tasks.cancel_scope.cancel()
    assert output.text.count(token) == 1


@pytest.mark.anyio
async def test_without_a_phone_it_says_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Codes wait for whoever scans them."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_sandbox._serve, "127.0.0.1", 0, None, None)
        await Output(capsys).wait_for("--scan-after 5")
        tasks.cancel_scope.cancel()


def test_a_port_that_is_taken(run: Run) -> None:
    """One line, exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("sandbox", "--port", str(port))
    assert (ran.exit_code, ran.out) == (1, "")
    assert ran.err == (
        f"Error: Can't listen on 127.0.0.1, port {port}: Address already in use."
        " Choose another port or address; without --port, a free port is taken.\n"
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid", "a" * 64])
def test_a_host_that_is_not_of_this_machine(run: Run, host: str) -> None:
    """One line, exit code 1."""
    ran = run("sandbox", "--host", host)
    assert (ran.exit_code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert f"Can't listen on {host}, port 0: " in ran.err


@pytest.mark.parametrize("host", ["", "   "])
def test_an_empty_host_is_refused(run: Run, host: str) -> None:
    """Python would listen on all addresses; exit code 2."""
    ran = run("sandbox", "--host", host)
    assert (ran.exit_code, ran.out) == (2, "")
    assert "0.0.0.0 for all" in ran.err


@pytest.mark.parametrize("token", ["", " ", "tokén", "a\nb", "'quoted'", "x" * 4097])
def test_a_token_that_no_client_can_send_is_refused(run: Run, token: str) -> None:
    """As a usage error, which does not repeat it."""
    ran = run("sandbox", "--token", token)
    assert (ran.exit_code, ran.out) == (2, "")
    assert "Invalid value for '--token': it is " in ran.err
    assert not token.strip() or token not in ran.err


@pytest.mark.anyio
async def test_one_token_refuses_all_others(capsys: pytest.CaptureFixture[str]) -> None:
    """It is what to set, and another one gets 401."""
    output = Output(capsys)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_sandbox._serve, "127.0.0.1", 0, "the-token", None)
        base_url = (await output.wait_for(r"export PLUGCHAT_BASE_URL=(\S+)"))[1]
        await output.wait_for("export PLUGCHAT_TOKEN=the-token\n")
        await output.wait_for("No other token is accepted.")
        async with AsyncPlugChat("another", base_url=base_url) as client:
            with pytest.raises(AuthenticationError):
                await client.status()
        tasks.cancel_scope.cancel()


def test_its_variables_can_be_pasted_into_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the token has in it."""
    token = "$(id); it's `a` token"
    _sandbox._introduce("http://127.0.0.1:8025/api/whatsapp", token, None)
    pasted = [line for line in capsys.readouterr().out.splitlines() if " export " in line]
    assert shlex.split(pasted[1]) == ["export", f"PLUGCHAT_TOKEN={token}"]


@pytest.mark.parametrize(("seconds", "is_warned"), [(14.9, False), (15.0, True)])
def test_a_phone_that_would_never_scan_is_warned_of(
    capsys: pytest.CaptureFixture[str], seconds: float, *, is_warned: bool
) -> None:
    """Each code is replaced before; it does not say then that each is scanned."""
    _sandbox._introduce("http://127.0.0.1:8025/api/whatsapp", None, seconds)
    out = capsys.readouterr().out
    assert ("Warning: A code is replaced" in out) is is_warned
    assert ("phone scans each code" in out) is not is_warned


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            Call("/qr-code", 12.34, "a-token", 200, "already_connected", 1),
            "  12.3 s  #1  GET /qr-code         200  already_connected",
        ),
        (
            Call("/status", 1.0, "refused", 401, "unauthorized", None),
            "   1.0 s  -   GET /status          401  unauthorized",
        ),
        (Scan(5.0, "a-token", "5511999990000", 2), "   5.0 s  #2  the phone scanned the code"),
        (
            Action("answer-next", 7.0, 200, "name=passkey", None),
            "   7.0 s  -   POST /sandbox/answer-next  200  name=passkey",
        ),
        (Action("scan", 7.0, 200, "", 12), "   7.0 s  #12 POST /sandbox/scan  200"),
    ],
)
def test_an_event_is_one_line(event: Call | Scan | Action, line: str) -> None:
    """When, whose, what, and the response, in columns; neither token nor phone."""
    assert _sandbox.log_line(event) == line

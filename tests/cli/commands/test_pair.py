"""`plugchat pair`: codes until one is scanned, one clear end, and a question in between."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import sys
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plugchat_async import QRCode
from plugchat_async.cli._commands import pair as _pair
from plugchat_async.cli._texts import text
from tests.camera import read_codes
from tests.eventually import eventually
from tests.painted_terminal import paint_terminal
from tests.sandbox_calls import codes_requested

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

    from plugchat_async.sandbox import Sandbox
    from tests.cli.conftest import MakeOpener, Ran, Run, SandboxServer
    from tests.cli.keyboard import Keyboard

QUICK = ("pair", "--interval", "0.2")


@pytest.fixture
def scanning(sandbox: Sandbox) -> Sandbox:
    """Let the commands reach a sandbox whose phone scans each code before the next call comes."""
    sandbox.scan_after(0)
    return sandbox


def events(ran: Ran) -> list[dict[str, Any]]:
    """Read the events, each of which has a line and the version."""
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert {event.pop("version") for event in found} == {1}
    return found


@pytest.mark.usefixtures("scanning")
def test_through_a_pipe(run: Run) -> None:
    """Plain lines; exit code 0."""
    ran = run(*QUICK)
    assert ran.exit_code == 0
    assert "\x1b" not in ran.out
    assert ran.out.startswith(
        "Linking a phone through PlugChat\n\nCode 1 of 3, a new one in 1 s.\n"
    )
    assert ran.out.endswith("█\nLinked: the phone is connected.\n")
    assert ran.err.splitlines() == [
        "On the phone: WhatsApp > Settings > Linked devices > Link a device",
        text("screen.inverted"),
    ]


@pytest.mark.usefixtures("scanning")
def test_portuguese(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first line to the last."""
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")
    ran = run(*QUICK)
    assert ran.out.startswith("Conectando um celular pelo PlugChat\n")
    assert ran.out.endswith("Pronto: o celular está conectado.\n")


@pytest.mark.usefixtures("scanning")
def test_on_a_terminal_the_end_stands_on_its_first_page(run: Run) -> None:
    """The codes are gone."""
    ran = run(*QUICK, window=(80, 50))
    assert (ran.exit_code, ran.err) == (0, "")
    codes, _, end = ran.out.partition("\x1b[?1049l")
    assert "Code 1 of 3" in codes
    assert "█" not in end
    assert "Linked: the phone is connected." in end


@pytest.mark.usefixtures("scanning")
def test_in_ascii(run: Run) -> None:
    """Nothing but what every terminal has."""
    ran = run(*QUICK, "--ascii")
    assert ran.out.isascii()
    assert "##" in ran.out


@pytest.mark.usefixtures("scanning")
def test_a_terminal_without_colours_is_told_of_light_themes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the code, where the eye is; a dumb one before it."""
    monkeypatch.setenv("NO_COLOR", "1")
    ran = run(*QUICK, window=(80, 50))
    assert "On a light theme, use --output code.png" in ran.out
    assert ran.err == ""


@pytest.mark.usefixtures("sandbox")
def test_a_dumb_terminal_has_colours_of_no_kind(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain lines, what to do on the phone, and what a light theme needs."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    ran = run(*QUICK, window=(80, 50))
    assert ran.exit_code == 4
    assert "\x1b" not in ran.out
    assert "Linked devices" in ran.err
    assert "On a light theme" in ran.err


@pytest.mark.usefixtures("scanning")
def test_a_window_of_unknown_size_is_not_small(run: Run) -> None:
    """Lines in colour that scan on any theme, so that nobody is warned of light ones."""
    ran = run(*QUICK, window=())
    assert ran.exit_code == 0
    assert "\x1b[?1049h" not in ran.out
    assert "█" in ran.out
    assert "On a light theme" not in ran.err


def test_a_small_window_is_waited_for(
    run: Run, scanning: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is requested before it is enlarged; the size and other ways are said."""
    rows = chain([24] * 40, repeat(50))
    calls_before: list[int] = []

    def size(_: tuple[int, int]) -> os.terminal_size:
        calls_before.append(len(scanning.calls))
        return os.terminal_size((80, next(rows)))

    monkeypatch.setattr(shutil, "get_terminal_size", size)
    ran = run(*QUICK, window=(80, 24))
    assert ran.exit_code == 0
    assert "It needs 60 x 33 characters and has 80 x 24." in ran.out
    assert "Or use one of: --compact, --open, --web, --output code.png" in ran.out
    assert calls_before[:40] == [0] * 40


@pytest.fixture
def shrinking(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Shrinking:
    """Return the window of the commands."""
    shrinking = Shrinking(sandbox)
    monkeypatch.setattr(shutil, "get_terminal_size", shrinking.size)
    return shrinking


class Shrinking:
    """A window of 80 x 50, which is made smaller when the first code arrives.

    Attributes:
        looks: How often its size is asked before it is made larger again.
        codes: How many codes were requested at each of these times.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.looks = sys.maxsize
        self.codes: list[int] = []

    def size(self, _: tuple[int, int]) -> os.terminal_size:
        """Return the current size."""
        requested = codes_requested(self._sandbox)
        is_small = requested > 0 and len(self.codes) < self.looks
        if is_small:
            self.codes.append(requested)
        return os.terminal_size((80, 24 if is_small else 50))


@pytest.mark.parametrize(("term", "looks"), [("xterm", 100), ("dumb", 20)])
def test_a_window_that_was_made_smaller_is_waited_for(
    run: Run,
    sandbox: Sandbox,
    shrinking: Shrinking,
    monkeypatch: pytest.MonkeyPatch,
    term: str,
    looks: int,
) -> None:
    """No further code is requested until it is enlarged, and none of the three is lost."""
    monkeypatch.setenv("TERM", term)
    shrinking.looks = looks
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    ran = run(*QUICK, window=(80, 24))
    assert ran.exit_code == 4
    assert "It needs 60 x 33 characters and has 80 x 24." in ran.out
    assert "No code is requested before that." in ran.out
    assert shrinking.codes == [1] * looks
    assert codes_requested(sandbox) == 3
    assert "Code 3 of 3" in ran.out


@pytest.mark.parametrize("is_expired", [False, True])
def test_a_scan_is_noticed_while_the_window_is_too_small(
    run: Run,
    sandbox: Sandbox,
    shrinking: Shrinking,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_expired: bool,
) -> None:
    """The phone may have seen the code before; after it has expired, that is asked once more."""
    monkeypatch.setattr(QRCode, "is_expired", is_expired)
    monkeypatch.setattr(_pair, "DEFAULT_STATUS_INTERVAL", 0.2)
    sandbox.scan_after(0 if is_expired else 0.5)
    assert run(*QUICK, window=(80, 24)).exit_code == 0
    assert set(shrinking.codes) == {1}


def test_an_expired_code_is_asked_about_only_once_more(
    run: Run, sandbox: Sandbox, shrinking: Shrinking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody scans it any more, however long the window stays small."""
    monkeypatch.setattr(QRCode, "is_expired", True)
    monkeypatch.setattr(_pair, "DEFAULT_STATUS_INTERVAL", 0.1)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    shrinking.looks = 60
    assert run(*QUICK, window=(80, 24)).exit_code == 4
    endpoints = [call.endpoint for call in sandbox.calls]
    assert endpoints == ["/qr-code", "/status", "/qr-code", "/qr-code", "/status"]


@pytest.mark.usefixtures("scanning")
def test_a_small_window_needs_no_room_beside_a_file(run: Run, tmp_path: Path) -> None:
    """It is told where the code is."""
    ran = run(*QUICK, "--output", str(tmp_path / "code.png"), window=(80, 24))
    assert ran.exit_code == 0
    assert "Or use one of" not in ran.out
    assert "The code is also in" in ran.out


@pytest.mark.usefixtures("scanning")
@pytest.mark.parametrize(("options", "term"), [(("--compact",), "xterm"), ((), "xterm-kitty")])
def test_sextants_fit_the_usual_window(
    run: Run, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], term: str
) -> None:
    """Terminals known to draw them need not be asked to."""
    monkeypatch.setenv("TERM", term)
    ran = run(*QUICK, *options, window=(80, 24))
    assert ran.exit_code == 0
    [first] = [page for page in ran.out.split("\x1b[H") if "Code 1 of 3" in page][:1]
    assert len(read_codes(paint_terminal(first, columns=80))) == 1


@pytest.mark.usefixtures("scanning")
def test_events_of_a_scan(run: Run) -> None:
    """A code that the model reads back, then the end; nothing else on either stream."""
    ran = run(*QUICK, "--json", window=(80, 50))
    assert (ran.exit_code, ran.err) == (0, "")
    code, connected = events(ran)
    assert (code.pop("event"), code.pop("shown_for")) == ("code", 0.2)
    assert QRCode.model_validate(code).rounds == 3
    assert connected == {"event": "connected"}


def failed(code: str, message: str) -> dict[str, str]:
    """Return the event of a failure."""
    return {"event": "failed", "code": code, "message": message}


def test_events_without_a_scan(run: Run, sandbox: Sandbox) -> None:
    """Exit code 4; nothing is asked, even on a terminal."""
    ran = run(*QUICK, "--json", window=(80, 50))
    assert ran.exit_code == 4
    *codes, last = events(ran)
    assert [(event["event"], event.get("round")) for event in codes] == [
        ("code", 1),
        ("code", 2),
        ("code", 3),
    ]
    assert last == failed("expired", "None of the codes was scanned.")
    assert "None of the codes was scanned" in ran.err
    assert [call.endpoint for call in sandbox.calls] == ["/qr-code"] * 3 + ["/status"]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_already_connected(run: Run, sandbox: Sandbox, options: tuple[str, ...]) -> None:
    """Exit code 3, with a sentence, and an event for scripts."""
    sandbox.answer_next("already_connected")
    ran = run(*QUICK, *options)
    assert ran.exit_code == 3
    assert "already connected to a phone" in ran.err
    assert "On the phone" not in ran.err
    if options:
        [event] = events(ran)
        assert event["code"] == "already_connected"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_failure(run: Run, sandbox: Sandbox, options: tuple[str, ...]) -> None:
    """Exit code 1, the sentences on standard error, and an event for scripts."""
    sandbox.answer_next("passkey")
    ran = run(*QUICK, *options)
    assert ran.exit_code == 1
    assert "requires a passkey" in ran.err
    if options:
        message = "This WhatsApp account requires a passkey, which only a browser can confirm."
        assert events(ran) == [failed("passkey_required", message)]


def test_ctrl_c_says_a_word(run: Run, sandbox: Sandbox, keyboard: Keyboard) -> None:
    """Exit code 130."""

    def interrupt(_: bytes) -> bytes:
        raise KeyboardInterrupt

    keyboard.keys = map(interrupt, [b""])
    ran = run(*QUICK, window=(80, 50))
    assert (ran.exit_code, ran.err) == (130, "\nStopped. No phone was linked.\n")
    assert codes_requested(sandbox) == 3


@pytest.mark.parametrize(("keys", "codes"), [([b"\n", b"\x04"], 6), ([b"\x04"], 3)])
def test_after_three_codes_somebody_at_the_terminal_is_asked(
    run: Run, sandbox: Sandbox, keyboard: Keyboard, keys: list[bytes], codes: int
) -> None:
    """Three more for Enter, an end for an end of the input."""
    keyboard.keys = iter(keys)
    ran = run(*QUICK, window=(80, 50))
    assert ran.exit_code == 4
    assert "None of the codes was scanned" in ran.err
    question = "Press Enter for three more, or Ctrl-C to stop: "
    assert ran.out.count(question) == len(keys)
    assert codes_requested(sandbox) == codes


def test_enter_leads_to_a_separate_session(
    run: Run, sandbox: Sandbox, token: str, keyboard: Keyboard
) -> None:
    """Its client is not the first session's, which is closed; a scan ends it with exit code 0."""

    def scan_after_enter() -> Iterator[bytes]:
        sandbox.disconnect(token)  # its last code expires
        sandbox.scan_after(0)
        yield b"\n"

    keyboard.keys = scan_after_enter()
    assert run("pair", "--interval", "0.05", window=(80, 50)).exit_code == 0
    assert codes_requested(sandbox) == 5


def test_a_scan_while_the_question_is_open(run: Run, sandbox: Sandbox, keyboard: Keyboard) -> None:
    """The last code is valid for a while: the next session finds the phone linked by it."""

    def scan_before_enter() -> Iterator[bytes]:
        sandbox.scan_after(0)
        yield b"\n"

    keyboard.keys = scan_before_enter()
    ran = run("pair", "--interval", "0.05", window=(80, 50))
    assert ran.exit_code == 0
    assert ran.out.endswith("Linked: the phone is connected.\x1b[0m\n")
    assert codes_requested(sandbox) == 4


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_without_a_terminal_nobody_is_asked(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    """Either end may be missing; exit code 4."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: stream != "stdin")
    ran = run(*QUICK, window=None if stream == "stdout" else (80, 50))
    assert ran.exit_code == 4
    assert len(sandbox.calls) == 4


@pytest.mark.parametrize("option", ["--output", "--image"])
def test_the_image_file_follows_the_codes(
    run: Run, sandbox_server: SandboxServer, sandbox: Sandbox, tmp_path: Path, option: str
) -> None:
    """Whole whenever the next call comes, for its owner only, and gone at the end."""
    path = tmp_path / "code.png"
    seen: list[str] = []
    modes: set[int] = set()

    async def look_and_respond(scope: Scope, receive: Receive, send: Send) -> None:
        if sandbox.calls:
            seen.extend(read_codes(path.read_bytes()))
            modes.add(stat.S_IMODE(path.stat().st_mode))
        await sandbox(scope, receive, send)

    sandbox_server.sandbox = look_and_respond
    ran = run(*QUICK, option, str(path))
    assert ran.exit_code == 4
    assert "On a light theme" not in ran.err
    assert len(set(seen)) == 3
    assert modes == {0o600}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_opened", [True, False])
def test_a_viewer_on_the_desktop(
    run: Run,
    sandbox_server: SandboxServer,
    scanning: Sandbox,
    make_opener: MakeOpener,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    is_opened: bool,
) -> None:
    """It is given a separate file, gone at the end; without a viewer, the command says so."""
    opened = tmp_path / "opened"
    if is_opened:
        make_opener(f'cp "$1" {opened}.part && mv {opened}.part {opened}')
    else:
        monkeypatch.setenv("PATH", str(tmp_path))

    async def respond_once_it_is_open(scope: Scope, receive: Receive, send: Send) -> None:
        if scanning.calls and is_opened:
            await eventually(opened.exists)
        await scanning(scope, receive, send)

    sandbox_server.sandbox = respond_once_it_is_open
    ran = run(*QUICK, "--open")
    assert ran.exit_code == 0
    [path] = set(re.findall(r"The code is also in (\S+\.png)", ran.out))
    assert opened.exists() is is_opened
    assert not is_opened or len(read_codes(opened.read_bytes())) == 1
    assert (f"Open {path} yourself" in ran.out) is not is_opened
    assert not Path(path).parent.exists()


@pytest.mark.usefixtures("scanning")
def test_events_beside_an_image_file(run: Run, tmp_path: Path) -> None:
    """Messages for people go to standard error."""
    ran = run(*QUICK, "--json", "--output", str(tmp_path / "code.png"))
    assert [event["event"] for event in events(ran)] == ["code", "connected"]
    assert "The code is also in" in ran.err


@pytest.mark.parametrize("name", ["nowhere/code.png", "code.jpg"])
def test_a_file_that_cannot_be_written_is_told_before_any_call(
    run: Run, sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    """Exit code 2, and nobody types a token in vain."""
    ran = run(*QUICK, "--output", str(tmp_path / name))
    assert ran.exit_code == 2
    assert sandbox.calls == ()


@pytest.mark.parametrize("interval", ["0", "20.1", "nan", "soon"])
def test_an_interval_in_which_a_code_would_die(run: Run, interval: str) -> None:
    """Exit code 2, naming the option."""
    ran = run("pair", "--interval", interval)
    assert ran.exit_code == 2
    assert "--interval" in ran.err

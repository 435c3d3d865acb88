"""The command as people meet it: in a real terminal, read by a camera."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.camera import read_codes
from tests.painted_terminal import paint_terminal
from tests.sandbox_calls import codes_requested

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from plugchat_async.sandbox import Sandbox

    OpenTerminal = Callable[[int, int], "Terminal"]
    ReadScreen = Callable[[str], list[str]]
    WaitForCode = Callable[["Terminal", str], str]

pytestmark = pytest.mark.tmux

# Rich draws a page from the top.
HOME = "\x1b[H"

# What the sandbox issues: one of WhatsApp's two forms, around a reference and three keys.
PAYLOAD = re.compile(r"(https://wa\.me/settings/linked_devices#|2@)[\w+/=]+(,[\w+/]{43}=){3}")
SHORT_PAYLOAD = re.compile(r"(?=.{62}$)(https://wa\.me/settings/linked_devices#|2@)[\w+/]+")


class Terminal:
    """A real terminal: a shell inside tmux."""

    def __init__(self, name: str, columns: int, rows: int, recording: Path) -> None:
        self._tmux = ["tmux", "-L", name, "-f", "/dev/null"]
        self._recording = recording
        self.columns = columns
        shell = "env PS1='$ ' bash --norc --noprofile"
        self._call("new-session", "-d", "-x", str(columns), "-y", str(rows), shell)
        recording.touch()  # it may be read before dd has begun
        self._call("pipe-pane", "-o", shlex.join(["dd", "bs=64k", f"of={recording}"]))

    def type(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self._call("send-keys", *keys)

    def call(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        """Enter the command `plugchat` with arguments."""
        variables = [f"{name}={value}" for name, value in (environment or {}).items()]
        line = ["env", *variables, sys.executable, "-P", "-m", "plugchat_async", *arguments]
        self.type("clear; " + shlex.join(line), "Enter")

    def screen(self) -> str:
        """Capture what stands on the screen, with its colours, light ends of lines and all."""
        return self._call("capture-pane", "-e", "-N", "-p").rstrip("\n")

    def tell(self, variable: str) -> str:
        """Ask for a variable of tmux's."""
        return self._call("display-message", "-p", f"#{{{variable}}}").strip()

    def resize(self, columns: int, rows: int) -> None:
        """Drag the window to another size."""
        self._call("resize-window", "-x", str(columns), "-y", str(rows))

    def frames(self, *, until: str) -> list[str]:
        """Wait until words were drawn, for however short a time, and tell what was drawn so far."""
        deadline = time.monotonic() + 60
        while until not in (recorded := self._recording.read_text("utf-8", "replace")):
            assert time.monotonic() < deadline, f"never recorded:\n{recorded}"
            time.sleep(0.05)
        return recorded.split(HOME)

    def wait_for(self, words: str) -> str:
        """Wait until words stand on a screen that is at rest, and capture it."""
        return self.wait_until(lambda screen: words in screen)

    def wait_until(self, is_seen: Callable[[str], object]) -> str:
        """Wait until something is seen on a screen that is at rest, and capture it."""
        deadline = time.monotonic() + 60
        before, screen = "", self.screen()
        # What is being drawn may be half there at one look, and is another screen at the next.
        while screen != before or not is_seen(screen):
            assert time.monotonic() < deadline, f"never seen on this screen:\n{screen}"
            time.sleep(0.05)
            before, screen = screen, self.screen()
        return screen

    def close(self) -> None:
        """End the shell and its tmux."""
        self._call("kill-server")

    def _call(self, *arguments: str) -> str:
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Callable[[int, int], Terminal]]:
    """Open real terminals, and close them at the end."""
    terminals: list[Terminal] = []

    def open_terminal(columns: int, rows: int) -> Terminal:
        name = f"plugchat-{tmp_path.parent.name}-{tmp_path.name}-{len(terminals)}"
        terminals.append(Terminal(name, columns, rows, tmp_path / f"{len(terminals)}.recording"))
        terminals[-1].wait_for("$")
        return terminals[-1]

    yield open_terminal
    for terminal in terminals:
        terminal.close()


@pytest.fixture
def read_screen() -> ReadScreen:
    """Read the codes on a screen, which both themes have to show alike."""

    def read(screen: str) -> list[str]:
        dark, light = (read_codes(paint_terminal(screen, theme=t)) for t in ("dark", "light"))
        assert dark == light
        return dark

    return read


@pytest.fixture
def wait_for_code(read_screen: ReadScreen) -> WaitForCode:
    """Wait until words and a code stand on a screen, and read the code."""

    def wait(terminal: Terminal, words: str) -> str:
        [payload] = read_screen(
            terminal.wait_until(lambda screen: words in screen and read_screen(screen))
        )
        return payload

    return wait


@pytest.mark.parametrize(("rows", "form"), [(50, PAYLOAD), (24, SHORT_PAYLOAD)])
def test_a_demo_on_a_terminal(
    *,
    open_terminal: OpenTerminal,
    read_screen: ReadScreen,
    rows: int,
    form: re.Pattern[str],
) -> None:
    """Two codes that scan, one after the other, then a page that says it is done."""
    terminal = open_terminal(80, rows)
    terminal.call("demo", "--fast")
    last = "Linked: the phone scanned code 2 of 3."
    frames = terminal.frames(until=last)
    payloads = []
    for number in (1, 2):
        frame = next(frame for frame in frames if f"Code {number} of 3" in frame)
        [payload] = read_codes(paint_terminal(frame, columns=terminal.columns))
        assert form.fullmatch(payload)
        payloads.append(payload)
    assert payloads[0] != payloads[1]
    assert read_screen(terminal.wait_for(last)) == []
    assert exit_code(terminal) == "0"


@pytest.mark.parametrize(
    ("language", "place", "remark", "needed"),
    [
        (
            "en_US.UTF-8",
            "Code 1 of 3",
            "This code is shorter; a real one needs a larger window.",
            "It needs 60 x 22 characters",
        ),
        (
            "pt_BR.UTF-8",
            "Código 1 de 3",
            "Este código é mais curto: os do WhatsApp não cabem aqui.",
            "Ele precisa de 60 x 22 caracteres",
        ),
    ],
)
def test_a_demo_in_a_small_window(
    *,
    open_terminal: OpenTerminal,
    read_screen: ReadScreen,
    wait_for_code: WaitForCode,
    language: str,
    place: str,
    remark: str,
    needed: str,
) -> None:
    """A shorter code that scans on both themes, and the reason; it stays through any resize."""
    terminal = open_terminal(80, 24)
    terminal.call("demo", environment={"LC_ALL": language})
    payload = wait_for_code(terminal, place)
    assert SHORT_PAYLOAD.fullmatch(payload)
    assert remark in terminal.screen()
    terminal.resize(60, 20)
    assert read_screen(terminal.wait_for(needed)) == []
    for columns, rows in ((200, 60), (60, 22), (80, 24)):
        terminal.resize(columns, rows)
        screen = terminal.wait_until(lambda screen: read_screen(screen) == [payload])
        assert remark in screen
    terminal.type("C-c")
    assert exit_code(terminal) == "130"


def test_a_demo_that_is_interrupted(open_terminal: OpenTerminal) -> None:
    """Ctrl-C restores the terminal, exit code 130."""
    terminal = open_terminal(80, 50)
    terminal.call("demo")
    terminal.frames(until="Code 1 of 3")
    assert (terminal.tell("alternate_on"), terminal.tell("cursor_flag")) == ("1", "0")
    terminal.type("C-c")
    assert exit_code(terminal) == "130"


def test_a_code_on_a_terminal_whose_user_types_the_token(
    sandbox: Sandbox, token: str, open_terminal: OpenTerminal, read_screen: ReadScreen
) -> None:
    """The token is not echoed; the code that a camera reads links the phone."""
    terminal = open_terminal(80, 50)
    base_url = os.environ["PLUGCHAT_BASE_URL"]
    terminal.call("qr", environment={"PLUGCHAT_BASE_URL": base_url, "PLUGCHAT_TOKEN": ""})
    terminal.wait_for("Token of your PlugChat instance")
    terminal.type(token, "Enter")
    screen = terminal.wait_until(lambda screen: re.search(r"█[^█]*\n\S*\$", screen))
    assert token not in screen
    [payload] = read_screen(screen)
    assert sandbox.scan(payload)


def test_ctrl_c_at_the_prompt(open_terminal: OpenTerminal) -> None:
    """Exit code 130 on a separate line, no traceback, and keys are echoed again."""
    terminal = open_terminal(80, 24)
    terminal.call("status", environment={"PLUGCHAT_TOKEN": ""})
    terminal.wait_for("Token of your PlugChat instance")
    terminal.type("C-c")
    assert exit_code(terminal) == "130"
    assert re.search(r"\(not shown\): *\n\$ ", terminal.screen())


def exit_code(terminal: Terminal) -> str:
    """Ask the shell how the command ended, on a terminal that is as it was."""
    terminal.wait_until(lambda _: terminal.tell("pane_current_command") == "bash")
    terminal.type("echo exit code $?", "Enter")
    screen = terminal.wait_until(lambda screen: re.search(r"^exit code \d+$", screen, re.MULTILINE))
    assert (terminal.tell("alternate_on"), terminal.tell("cursor_flag")) == ("0", "1")
    assert "echo exit code" in screen
    assert "Traceback" not in screen
    assert "\x1b[" not in screen.partition("exit code")[2]
    [code] = re.findall(r"^exit code (\d+)$", screen, re.MULTILINE)
    return str(code)


def pair(terminal: Terminal, *options: str, token: str, **environment: str) -> None:
    """Link a phone to the sandbox."""
    environment |= {"PLUGCHAT_BASE_URL": os.environ["PLUGCHAT_BASE_URL"], "PLUGCHAT_TOKEN": token}
    terminal.call("pair", *options, environment=environment)


@pytest.mark.parametrize(("columns", "rows"), [(80, 50), (200, 60), (60, 33)])
def test_pairing(
    *,
    sandbox: Sandbox,
    token: str,
    open_terminal: OpenTerminal,
    read_screen: ReadScreen,
    wait_for_code: WaitForCode,
    columns: int,
    rows: int,
) -> None:
    """The code that a camera reads links the phone, before another one is requested."""
    terminal = open_terminal(columns, rows)
    pair(terminal, token=token)
    payload = wait_for_code(terminal, "Code 1 of 3")
    assert PAYLOAD.fullmatch(payload)
    assert sandbox.scan(payload)
    screen = terminal.wait_for("Linked: the phone is connected.")
    assert codes_requested(sandbox) == 1
    assert read_screen(screen) == []
    assert exit_code(terminal) == "0"


def test_pairing_in_ascii(
    sandbox: Sandbox, token: str, open_terminal: OpenTerminal, wait_for_code: WaitForCode
) -> None:
    """On a terminal that has no other characters, and few colours."""
    terminal = open_terminal(200, 60)
    ancient = {"PYTHONIOENCODING": "cp1252", "TERM": "screen"}
    pair(terminal, token=token, **ancient)
    payload = wait_for_code(terminal, "Code 1 of 3")
    assert "█" not in terminal.screen()
    assert sandbox.scan(payload)
    terminal.wait_for("Linked: the phone is connected.")
    assert exit_code(terminal) == "0"


def test_pairing_in_a_small_window(
    sandbox: Sandbox, token: str, open_terminal: OpenTerminal, read_screen: ReadScreen
) -> None:
    """No code is requested before the window is enlarged; from then on it follows any resize."""
    terminal = open_terminal(80, 24)
    pair(terminal, "--interval", "20", token=token)
    screen = terminal.wait_for("It needs 60 x 33 characters and has 80 x 24.")
    assert "--compact, --open, --web, --output code.png" in screen
    assert read_screen(screen) == []
    assert sandbox.calls == ()
    terminal.resize(80, 50)
    [payload] = read_screen(terminal.wait_until(read_screen))
    for columns, rows in ((200, 60), (60, 33)):
        terminal.resize(columns, rows)
        terminal.wait_until(lambda screen: read_screen(screen) == [payload])
    terminal.type("C-c")
    terminal.wait_for("Stopped. No phone was linked.")
    assert exit_code(terminal) == "130"
    assert sandbox.scan(payload)


def test_a_window_that_is_made_smaller_while_pairing(
    sandbox: Sandbox, token: str, open_terminal: OpenTerminal
) -> None:
    """The next code is requested once it is enlarged, and no earlier."""
    terminal = open_terminal(80, 50)
    pair(terminal, "--interval", "2", token=token)
    terminal.frames(until="Code 1 of 3")
    terminal.resize(80, 24)
    terminal.wait_for("No code is requested before that.")
    requested = codes_requested(sandbox)
    time.sleep(2.5)
    assert codes_requested(sandbox) == requested < 3
    terminal.resize(80, 50)
    place = f"Code {requested + 1} of 3"
    frame = next(frame for frame in terminal.frames(until=place) if place in frame)
    assert read_codes(paint_terminal(frame, columns=80))
    terminal.type("C-c")
    assert exit_code(terminal) == "130"


@pytest.mark.parametrize("command", ["pair", "qr"])
def test_sextants_in_the_usual_window(
    sandbox: Sandbox, token: str, open_terminal: OpenTerminal, read_screen: ReadScreen, command: str
) -> None:
    """A real code that scans, in 80 x 24."""
    terminal = open_terminal(80, 24)
    environment = {"PLUGCHAT_BASE_URL": os.environ["PLUGCHAT_BASE_URL"], "PLUGCHAT_TOKEN": token}
    terminal.call(command, "--compact", environment=environment)
    [payload] = read_screen(terminal.wait_until(read_screen))
    assert PAYLOAD.fullmatch(payload)
    assert sandbox.scan(payload)


def test_the_question_after_three_codes(
    sandbox: Sandbox, token: str, open_terminal: OpenTerminal, read_screen: ReadScreen
) -> None:
    """Enter, pressed after it was put, and not before, asks for three more.

    The last code may have been scanned meanwhile: then it is linked.
    """
    terminal = open_terminal(80, 50)
    pair(terminal, "--interval", "2.5", token=token)
    terminal.frames(until="Code 1 of 3")
    terminal.type("Enter")
    screen = terminal.wait_for("Press Enter for three more")
    assert read_screen(screen) == []
    assert terminal.tell("cursor_flag") == "1"
    time.sleep(0.5)
    assert codes_requested(sandbox) == 3
    sandbox.answer_next("already_connected", endpoint="/qr-code")
    terminal.type("Enter")
    terminal.wait_for("Linked: the phone is connected.")
    assert exit_code(terminal) == "0"


@pytest.mark.parametrize(("key", "code"), [("C-c", "130"), ("C-d", "4")])
def test_no_to_the_question(
    *, sandbox: Sandbox, token: str, open_terminal: OpenTerminal, key: str, code: str
) -> None:
    """Ctrl-C, or the end of the input."""
    terminal = open_terminal(80, 50)
    pair(terminal, "--interval", "0.2", token=token)
    terminal.wait_for("Press Enter for three more")
    terminal.type(key)
    assert exit_code(terminal) == code
    assert codes_requested(sandbox) == 3


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("key", ["C-c", "SIGTERM"])
@pytest.mark.parametrize("moment", ["Requesting a QR code...", "Code 1 of 3"])
def test_an_end_while_pairing(
    *,
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    open_terminal: OpenTerminal,
    moment: str,
    key: str,
) -> None:
    """Before the first code, and while one is shown; by a key, and by another process."""
    terminal = open_terminal(80, 50)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        if moment.startswith("Requesting"):
            address = f"http://127.0.0.1:{mute.getsockname()[1]}/api/whatsapp"
            monkeypatch.setenv("PLUGCHAT_BASE_URL", address)
        pair(terminal, token=token)
        terminal.wait_for(moment)
        if key == "SIGTERM":
            children = ["pgrep", "-P", terminal.tell("pane_pid")]
            found = subprocess.run(children, capture_output=True, text=True, check=True)
            os.kill(int(found.stdout), signal.SIGTERM)
        else:
            terminal.type(key)
        assert exit_code(terminal) == "130"


def test_an_instance_that_is_connected_already(
    sandbox: Sandbox, token: str, open_terminal: OpenTerminal
) -> None:
    """One sentence what happened, one what to do; exit code 3."""
    sandbox.answer_next("already_connected")
    terminal = open_terminal(80, 50)
    pair(terminal, token=token)
    terminal.wait_for("already connected to a phone")
    assert exit_code(terminal) == "3"

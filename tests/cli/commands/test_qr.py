"""`plugchat qr`: a code on the terminal, through a pipe, in a file, as JSON; never a torn one."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import stat
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from starlette.responses import JSONResponse

from plugchat_async import QRCode
from plugchat_async.cli._terminal.canvas import inverted
from plugchat_async.cli._texts import text
from tests.camera import read_codes
from tests.painted_terminal import paint_terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plugchat_async.sandbox import Sandbox
    from tests.cli.conftest import Ran, Run, SandboxServer

    ReadCodes = Callable[[Image.Image], list[str]]


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("window", [(60, 33), (61, 34), (80, 50), (200, 60)])
def test_on_a_terminal(
    *,
    run: Run,
    sandbox: Sandbox,
    window: tuple[int, int],
    theme: str,
) -> None:
    """It scans on both themes; what to open on the phone is said on standard error."""
    ran = run("qr", window=window)
    assert ran.exit_code == 0
    briefly = "" if window[0] >= 80 else "_briefly"
    assert ran.err.splitlines()[0] == text(f"screen.scan_this{briefly}")
    assert re.search(r"scanned for \d+ s: until \d\d:\d\d:\d\d\.$", ran.err, re.MULTILINE)
    [payload] = read_codes(paint_terminal(ran.out, columns=window[0], theme=theme))
    assert sandbox.scan(payload)


@pytest.mark.parametrize("window", [(59, 50), (80, 32), (80, 24)])
def test_a_window_that_is_too_small(run: Run, sandbox: Sandbox, window: tuple[int, int]) -> None:
    """No code is requested; the size that it takes and other ways are said."""
    ran = run("qr", window=window)
    assert (ran.exit_code, ran.out) == (1, "")
    width, height = window
    assert f"window of 60 x 33 characters; this one has {width} x {height}." in ran.err
    compact = "--compact, " if window[0] >= 60 else ""
    assert f"one of: {compact}--output code.png, plugchat pair --web" in ran.err
    assert sandbox.calls == ()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize(("options", "term"), [(["--compact"], "xterm"), ([], "foot")])
def test_in_the_usual_window(
    *,
    run: Run,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    term: str,
    theme: str,
) -> None:
    """A code in sextants scans; terminals known to draw them need not be asked to."""
    monkeypatch.setenv("TERM", term)
    ran = run("qr", *options, window=(80, 24))
    assert ran.exit_code == 0
    [payload] = read_codes(paint_terminal(ran.out, columns=80, theme=theme))
    assert sandbox.scan(payload)


def test_a_terminal_without_sextants(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so before a code is requested; exit code 2."""
    monkeypatch.setenv("TERM", "linux")
    ran = run("qr", "--compact", window=(80, 24))
    assert ran.exit_code == 2
    assert "its font has no sextants" in ran.err
    assert sandbox.calls == ()


@pytest.mark.usefixtures("sandbox")
def test_a_code_that_is_larger_than_usual(run: Run, sandbox_server: SandboxServer) -> None:
    """It is not torn, and not shown, if even sextants have no room."""
    sandbox_server.sandbox = JSONResponse({"value": "2@" + "x" * 1200})
    ran = run("qr", window=(80, 33))
    assert (ran.exit_code, ran.out) == (1, "")
    assert "larger than usual: it needs a window of 60 x 43 characters" in ran.err
    assert "one of: --output code.png, plugchat pair --web\n" in ran.err


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("options", [(), ("--ascii",)])
def test_a_code_that_is_a_little_larger_has_room_in_sextants(
    run: Run, sandbox_server: SandboxServer, options: tuple[str, ...]
) -> None:
    """A window that had room for the usual one shows it, unless ASCII is wanted."""
    payload = "2@".ljust(272, "x")
    sandbox_server.sandbox = JSONResponse({"value": payload})
    ran = run("qr", *options, window=(118, 62) if options else (60, 33))
    assert ran.exit_code == bool(options)
    assert read_codes(paint_terminal(ran.out, columns=60)) == ([] if options else [payload])


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("language", ["en_US", "pt_BR"])
@pytest.mark.parametrize(
    ("window", "options", "no_color", "lines"),
    [
        ((80, 24), ("--compact",), "", 2),
        ((80, 24), ("--compact",), "1", None),
        ((80, 50), (), "1", 3),
        ((60, 33), (), "", 2),
        ((60, 33), (), "1", 2),
    ],
)
def test_no_row_is_scrolled_off(
    *,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    window: tuple[int, int],
    options: tuple[str, ...],
    no_color: str,
    lines: int | None,
    language: str,
) -> None:
    """With the prompt that follows; words give way, and that on light themes last."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    monkeypatch.setenv("NO_COLOR", no_color)
    ran = run("qr", *options, window=window)
    words = ran.err.splitlines()
    rows = sum(len(textwrap.wrap(line, window[0])) for line in words)
    assert rows + ran.out.count("\n") + 1 <= window[1]
    assert lines in {None, len(words)}
    assert words[-1] == inverted(window[0]) or not no_color


@pytest.mark.parametrize("options", [(), ("--ascii",)])
def test_a_window_of_unknown_size_is_not_small(
    *,
    run: Run,
    sandbox: Sandbox,
    options: tuple[str, ...],
) -> None:
    """The code is whole, however wide it is."""
    ran = run("qr", *options, window=())
    assert ran.exit_code == 0
    [payload] = read_codes(paint_terminal(ran.out))
    assert sandbox.scan(payload)


def painted(ran: Ran, theme: str) -> Image.Image:
    """Paint a code without escape sequences."""
    assert "\x1b" not in ran.out
    return paint_terminal(ran.out, columns=80, theme=theme)


def test_through_a_pipe(
    run: Run,
    sandbox: Sandbox,
) -> None:
    """The code and nothing else, without escape sequences."""
    ran = run("qr")
    assert ran.exit_code == 0
    [payload] = read_codes(painted(ran, "dark"))
    assert sandbox.scan(payload)
    assert set(ran.out) <= set(" ▀▄█\n")
    assert "On a light theme, use --output code.png" in ran.err


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("kind", [OSError, BrokenPipeError])
def test_a_code_that_cannot_be_written_is_not_announced(
    run: Run, monkeypatch: pytest.MonkeyPatch, kind: type[OSError]
) -> None:
    """As on a full disk, or for a program that reads nothing."""

    def write(_: str) -> int:
        raise kind(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys.stdout, "write", write)
    ran = run("qr")
    assert ran.exit_code == 1
    assert "can be scanned" not in ran.err


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_without_colours(
    *,
    run: Run,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
) -> None:
    """On a terminal as through a pipe."""
    monkeypatch.setenv(variable, value)
    [payload] = read_codes(painted(run("qr", window=(80, 50)), "dark"))
    assert sandbox.scan(payload)


@pytest.mark.parametrize("name", ["code.png", "code.PNG"])
def test_into_a_png(run: Run, sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """For its owner only."""
    path = tmp_path / name
    ran = run("qr", "--output", str(path))
    assert (ran.exit_code, ran.out) == (0, "")
    assert ran.err.startswith(f"Saved to {path}.")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with Image.open(path) as image:
        [payload] = read_codes(image)
    assert sandbox.scan(payload)


def test_into_an_svg(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """A file that browsers open; what it shows is what JSON says beside it."""
    path = tmp_path / "code.svg"
    code = QRCode.model_validate_json(run("qr", "--json", "--output", str(path)).out)
    assert path.read_text() == code.svg()
    assert sandbox.scan(code.payload)


@pytest.mark.parametrize("name", ["code.jpg", "code", ".png"])
def test_a_name_that_says_no_format(run: Run, sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """Exit code 2, before a code is requested."""
    ran = run("qr", "--output", str(tmp_path / name))
    assert ran.exit_code == 2
    assert "ends in neither .png nor .svg" in ran.err
    assert sandbox.calls == ()


def test_a_missing_folder_is_said_before_any_call(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Exit code 2, before a code is requested."""
    ran = run("qr", "--output", str(tmp_path / "nowhere" / "code.png"))
    assert ran.exit_code == 2
    assert sandbox.calls == ()


def test_as_json(run: Run, sandbox: Sandbox) -> None:
    """One object on one line, which the model reads back."""
    ran = run("qr", "--json")
    assert (ran.exit_code, ran.err, ran.out.count("\n")) == (0, "", 1)
    code = QRCode.model_validate_json(ran.out)
    assert 0 < code.expires_in <= 20
    assert sandbox.scan(code.payload)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_already_connected(run: Run, sandbox: Sandbox, options: list[str]) -> None:
    """Exit code 3, with a sentence, and an event for scripts that want one."""
    sandbox.answer_next("already_connected")
    ran = run("qr", *options)
    assert ran.exit_code == 3
    assert "already connected to a phone" in ran.err
    assert not options or json.loads(ran.out)["code"] == "already_connected"


def test_an_encoding_without_half_blocks(
    *,
    run: Run,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The code is drawn in ASCII."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    assert run("qr").exit_code == 0
    [payload] = read_codes(paint_terminal(written.getvalue().decode("ascii"), columns=200))
    assert sandbox.scan(payload)


def test_in_ascii(
    run: Run,
    sandbox: Sandbox,
) -> None:
    """If it is asked for."""
    ran = run("qr", "--ascii")
    assert set(ran.out) == set("# \n")
    [payload] = read_codes(paint_terminal(ran.out, columns=200))
    assert sandbox.scan(payload)

"""Standard output as a window: its size, if it has one, its characters and colours."""

from __future__ import annotations

import io
import sys

import pytest

from plugchat_async.cli._terminal import window as module
from plugchat_async.cli._terminal.window import (
    UNLIMITED,
    Size,
    Window,
    draws_sextants,
    lacks_sextants,
    standard_output,
)


@pytest.mark.parametrize(
    ("window", "size", "expected"),
    [
        ((80, 24), (80, 24), True),
        ((80, 24), (81, 24), False),
        ((80, 24), (80, 25), False),
        (UNLIMITED, (10_000, 10_000), True),
    ],
)
def test_a_window_has_room_for_its_own_size_or_less(
    *, window: tuple[int, int], size: tuple[int, int], expected: bool
) -> None:
    """In both directions."""
    assert Size(*window).has_room_for(Size(*size)) is expected


@pytest.mark.parametrize(
    ("columns", "lines", "is_terminal", "expected"),
    [
        ("80", "24", True, (80, 24)),
        ("0", "0", True, UNLIMITED),
        ("80", "0", True, UNLIMITED),
        ("80", "24", False, UNLIMITED),
    ],
)
def test_the_size_of_a_window(
    *,
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
    lines: str,
    is_terminal: bool,
    expected: tuple[int, int],
) -> None:
    """A stream that is not a window, or has no known size, limits nothing."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", lines)
    window = Window(is_terminal=is_terminal, has_colors=False, encoding="utf-8")
    assert window.size == expected
    assert window.is_redrawn is (expected == (80, 24))


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_dumb_terminal_is_not_redrawn(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    """It moves no cursor."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", term)
    assert not Window(is_terminal=True, has_colors=False, encoding="utf-8").is_redrawn


@pytest.mark.parametrize(
    ("encoding", "characters", "expected"),
    [
        ("utf-8", "▀", True),
        ("cp437", "▀", True),
        ("cp1252", "▀", False),
        ("ascii", "▀", False),
        ("utf-8", "\U0001fb00", True),
        ("cp437", "\U0001fb00", False),
    ],
)
def test_an_encoding_has_characters_or_not(
    encoding: str, characters: str, *, expected: bool
) -> None:
    """The code page of old consoles has half blocks, that of Windows' pipes does not."""
    window = Window(is_terminal=True, has_colors=False, encoding=encoding)
    assert window.encodes(characters) is expected


@pytest.mark.parametrize("is_terminal", [True, False])
def test_only_a_terminal_is_one(monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool) -> None:
    """No variable of the environment makes a pipe a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    window = standard_output()
    assert (window.is_terminal, window.has_colors) == (is_terminal, is_terminal)


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": "unknown"}])
def test_a_terminal_without_colours(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """If the user wants none, or the terminal has none."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert not standard_output().has_colors


def test_an_old_console_of_windows_has_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows no escape sequences."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr("rich.console.detect_legacy_windows", lambda: True)
    monkeypatch.setattr(module, "os", type("Windows", (), {"name": "nt"}))
    assert not standard_output().has_colors


def test_a_stream_that_can_only_write_has_no_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the stream that an embedder puts there."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert not standard_output().encodes("▀")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "xterm-ghostty"}, True),
        ({"TERM": "foot"}, True),
        ({"TERM": "foot-extra"}, True),
        ({"TERM_PROGRAM": "ghostty"}, True),
        ({"TERM_PROGRAM": "WezTerm", "TERM_PROGRAM_VERSION": "20240203-110809-5046fc22"}, True),
        ({"TERM_PROGRAM": "WezTerm", "TERM_PROGRAM_VERSION": "20210502-154244-3f7122cb"}, False),
        ({"TERM_PROGRAM": "WezTerm"}, False),
        ({"TERM_PROGRAM": "Apple_Terminal"}, False),
        ({"VTE_VERSION": "7600"}, True),
        ({"VTE_VERSION": "6006"}, False),
        ({"VTE_VERSION": "new"}, False),
        ({"WT_SESSION": "a-session"}, False),
        ({"TERM": "alacritty"}, False),
        ({"TERM": "tmux-256color", "VTE_VERSION": "7600"}, False),
        ({"TERM": "screen", "TERM_PROGRAM": "ghostty"}, False),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"}, False),
        ({"TERM": "xterm-kitty", "STY": "1.pts"}, False),
    ],
)
def test_terminals_that_draw_sextants_themselves(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], *, expected: bool
) -> None:
    """By what they set; a multiplexer hides which one it is."""
    for variable in ("TERM_PROGRAM", "TERM_PROGRAM_VERSION", "VTE_VERSION", "TMUX", "STY"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert draws_sextants() is expected


@pytest.mark.parametrize(("term", "expected"), [("linux", True), ("dumb", True), ("xterm", False)])
def test_terminals_that_have_no_sextants(
    monkeypatch: pytest.MonkeyPatch, term: str, *, expected: bool
) -> None:
    """The console of Linux, for one."""
    monkeypatch.setenv("TERM", term)
    assert lacks_sextants() is expected

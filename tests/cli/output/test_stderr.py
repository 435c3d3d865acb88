"""Messages: coloured on a terminal, plain and on one line everywhere else."""

from __future__ import annotations

import sys

import pytest

from plugchat_async.cli._output.stderr import say, warn

LONG = ("word " * 40).rstrip()
LABEL = "\x1b[31m\x1b[1mError: \x1b[0m"


def test_elsewhere_a_message_is_one_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Logs and scripts get no escape sequences, and no line breaks."""
    say(LONG, label="Error", color="red")
    say("detail", dim=True)
    assert capsys.readouterr() == ("", f"Error: {LONG}\ndetail\n")


def test_on_a_terminal_words_stay_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines break between words, and styles are shown."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "62")
    say(LONG, label="Error", color="red")
    say("detail", dim=True)
    *lines, detail = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(LABEL)
    lines[0] = lines[0].replace(LABEL, "Error: ")
    assert max(map(len, lines)) <= 62
    assert " ".join(lines) == f"Error: {LONG}"
    assert detail == "\x1b[2mdetail\x1b[0m"


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colours(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
) -> None:
    """If the user wants none, or the terminal has none."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv(variable, value)
    say("message", label="Error", color="red")
    assert capsys.readouterr().err == "Error: message\n"


def test_a_warning_is_called_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In either language."""
    warn("it [bold]rains[/bold]")
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")
    warn("chove")
    assert capsys.readouterr().err == "Warning: it [bold]rains[/bold]\nAviso: chove\n"

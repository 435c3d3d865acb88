"""Messages: coloured on a terminal, plain and on one line everywhere else."""

from __future__ import annotations

import sys

import pytest

from plugchat_async.cli._output.stderr import say, warn

LONG = "word " * 40


def test_elsewhere_a_message_is_one_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Logs and scripts get no escape sequences, and no line breaks."""
    say((LONG, "bold red"))
    assert capsys.readouterr() == ("", LONG + "\n")


def test_on_a_terminal_words_stay_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines break between words, and styles are shown."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "62")
    say((LONG, "bold red"))
    err = capsys.readouterr().err
    assert "\x1b[1;31m" in err
    assert err.count("\n") == 4
    assert err.replace("\x1b[1;31m", "").replace("\x1b[0m", "").split() == ["word"] * 40


def test_markup_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """Paths and the API's words may have brackets."""
    say("[bold]a[/bold] [code] :smile:")
    assert capsys.readouterr().err == "[bold]a[/bold] [code] :smile:\n"


def test_a_warning_is_called_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In either language."""
    warn("it rains")
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")
    warn("chove")
    assert capsys.readouterr().err == "Warning: it rains\nAviso: chove\n"

"""A question at a terminal: Enter, the end of the input, Ctrl-C; nothing that was typed before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from plugchat_async.cli._terminal.keyboard import ask_for_enter

if TYPE_CHECKING:
    from tests.cli.keyboard import Keyboard


@pytest.mark.parametrize(
    ("keys", "goes_on"),
    [
        (b"\n", True),
        (b"yes\n", True),
        (b"sim\n", True),
        (b"n\n", False),
        (b" N\xc3\xa3o\n", False),
        (b"quit\n", False),
        (b"\x04", False),
    ],
)
def test_enter_after_a_no_or_the_end_of_the_input(
    keyboard: Keyboard, capsys: pytest.CaptureFixture[str], keys: bytes, *, goes_on: bool
) -> None:
    """Keys that were typed before the question are ignored."""
    keyboard.press(b"too early\n")
    keyboard.keys = iter([keys])
    assert ask_for_enter("Go on? ") is goes_on
    assert capsys.readouterr().out.rstrip("\n") == "Go on? "


@pytest.mark.usefixtures("keyboard")
def test_ctrl_c_goes_on_as_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what comes next begins a line."""

    def interrupt(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ask_for_enter("Go on? ")
    assert capsys.readouterr().out == "\n"


@pytest.mark.usefixtures("keyboard")
def test_without_a_way_to_forget_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows, say; the question is put all the same."""
    monkeypatch.setitem(sys.modules, "termios", None)
    monkeypatch.setattr("builtins.input", lambda _: "")
    assert ask_for_enter("Go on? ")

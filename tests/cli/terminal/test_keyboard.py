"""A question at a terminal: Enter, the end of the input, Ctrl-C; nothing that was typed before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from plugchat_async.cli._terminal.keyboard import ask, ask_for_letter

if TYPE_CHECKING:
    from tests.cli.keyboard import Keyboard


@pytest.mark.parametrize(
    ("keys", "letter"),
    [
        (b"\n", ""),
        (b"yes\n", "y"),
        (b"Sim\n", "s"),
        (b" N\xc3\xa3o\n", "n"),
        (b"\x04", None),
    ],
)
def test_the_first_letter_or_the_end_of_the_input(
    keyboard: Keyboard, capsys: pytest.CaptureFixture[str], keys: bytes, letter: str | None
) -> None:
    """Keys that were typed before the question are ignored."""
    keyboard.press(b"too early\n")
    keyboard.keys = iter([keys])
    assert ask_for_letter("Go on? ") == letter
    assert capsys.readouterr() == ("Go on? ", "\n" * (letter is None))


@pytest.mark.usefixtures("keyboard")
def test_ctrl_c_goes_on_as_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """And what comes next begins a line."""

    def interrupt(_: str) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask("Go on? ", read=interrupt)
    assert capsys.readouterr().err == "\n"


@pytest.mark.usefixtures("keyboard")
def test_without_a_way_to_forget_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows, say; the question is put all the same."""
    monkeypatch.setitem(sys.modules, "termios", None)
    assert ask("Go on? ", read=str.upper) == "GO ON? "

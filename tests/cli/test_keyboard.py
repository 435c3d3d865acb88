"""A question at a terminal: Enter, the end of the input, Ctrl-C; nothing that was typed before."""

from __future__ import annotations

import os
import pty
import sys
from typing import TYPE_CHECKING

import pytest

from plugchat_async.cli._keyboard import ask_for_enter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def type_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], int]]:
    """Sit at a terminal."""
    ours, theirs = pty.openpty()
    with open(theirs) as stdin:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(sys, "stdin", stdin)
        yield lambda keys: os.write(ours, keys)
    os.close(ours)


def answer_by(keys: bytes, type_keys: Callable[[bytes], int]) -> Callable[[str], str]:
    """Stand in for `input()`: the keys are pressed once the question is seen."""

    def answer(question: str) -> str:
        assert question == "Go on? "
        type_keys(keys)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line

    return answer


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
    monkeypatch: pytest.MonkeyPatch,
    type_keys: Callable[[bytes], int],
    keys: bytes,
    *,
    goes_on: bool,
) -> None:
    """What was typed while codes were on show is no answer."""
    type_keys(b"too early\n")
    monkeypatch.setattr("builtins.input", answer_by(keys, type_keys))
    assert ask_for_enter("Go on? ") is goes_on


@pytest.mark.usefixtures("type_keys")
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


@pytest.mark.usefixtures("type_keys")
def test_where_keys_cannot_be_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows, say; the question is put all the same."""
    monkeypatch.setitem(sys.modules, "termios", None)
    monkeypatch.setattr("builtins.input", lambda _: "")
    assert ask_for_enter("Go on? ")

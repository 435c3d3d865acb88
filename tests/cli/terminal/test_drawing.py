"""Codes in characters: what a camera sees is what was drawn, wherever Rich puts it."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING

import pytest
from rich.align import Align
from rich.console import Console
from rich.panel import Panel

from plugchat_async import QRCode
from plugchat_async.cli._terminal.drawing import (
    Drawing,
    draw,
    drawn_sizes,
    is_encodable,
    standard_output,
)
from tests.camera import read_codes
from tests.painted_terminal import paint_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

CODE = QRCode(payload="https://wa.me/settings/linked_devices#" + "aB3/" * 50)


def terminal(**environment: str) -> Console:
    """Give a console that is a terminal of 100 columns."""
    environment = {"TERM": "xterm-256color", **environment}
    return Console(file=io.StringIO(), force_terminal=True, width=100, _environ=environment)


def printed(console: Console, renderable: RenderableType) -> str:
    """Print on a console, and take what was written."""
    assert isinstance(console.file, io.StringIO)
    console.print(renderable)
    return console.file.getvalue()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("around", [lambda drawing: drawing, Align.center, Align.right, Panel.fit])
def test_a_drawing_is_read_wherever_it_stands(
    around: Callable[[Drawing], RenderableType],
    theme: str,
) -> None:
    """On both themes, aligned and framed."""
    console = terminal()
    text = printed(console, around(Drawing(CODE, console)))
    assert read_codes(paint_terminal(text, columns=100, theme=theme)) == [CODE.payload]


def test_both_whites_reach_the_terminal() -> None:
    """One that lacks the bright white keeps the other."""
    console = terminal()
    text = printed(console, Drawing(CODE, console))
    assert text.count("\x1b[30;47;107m") == text.count("\x1b[0m") == text.count("\n")
    assert text == CODE.terminal() + "\n"


def test_its_size_counts_what_is_seen() -> None:
    """Escape sequences take no room."""
    drawing, plain = Drawing(CODE, terminal()), CODE.terminal(color=False).split("\n")
    assert drawing.size == (len(plain[0]), len(plain))


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": "unknown"}])
def test_without_colours_it_is_drawn_light_on_dark(environment: dict[str, str]) -> None:
    """For those who asked for none, and for terminals that have none."""
    drawing = Drawing(CODE, terminal(**environment))
    assert not drawing.has_colors
    assert drawing.text == CODE.terminal(color=False)


@pytest.mark.parametrize(
    ("encoding", "has_half_blocks"),
    [("utf-8", True), ("cp437", True), ("cp1252", False), ("ascii", False)],
)
def test_half_blocks_need_an_encoding_that_has_them(
    encoding: str, *, has_half_blocks: bool
) -> None:
    """The code page of old consoles does, that of Windows' pipes does not."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    assert is_encodable(Console(file=file)) is has_half_blocks


@pytest.mark.parametrize("is_terminal", [True, False])
def test_only_a_terminal_is_one(monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool) -> None:
    """No variable of the environment makes a pipe a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    assert standard_output().is_terminal is is_terminal


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_in_ascii_it_is_read_on_both_themes(theme: str) -> None:
    """Both colours are among the eight that every terminal with colours has."""
    console = terminal()
    console.width = 140
    drawing = Drawing(CODE, console, ascii_only=True)
    text = printed(console, drawing)
    assert set(re.findall(r"\x1b\[([\d;]*)m", text)) == {"30;40", "30;47", "0"}
    assert drawing.size == (122, 61)
    assert read_codes(paint_terminal(text, columns=140, theme=theme)) == [CODE.payload]


def test_in_ascii_without_colours_the_light_modules_are_inked() -> None:
    """As half blocks are; nothing but the two characters."""
    text = Drawing(CODE, terminal(NO_COLOR="1"), border=1, ascii_only=True).text
    assert set(text) == set("# \n")
    assert {len(line) for line in text.split("\n")} == {118}
    assert read_codes(paint_terminal(text, columns=140)) == [CODE.payload]


def test_where_half_blocks_cannot_be_encoded_it_is_drawn_in_ascii() -> None:
    """By itself."""
    console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="cp1252"))
    drawing = Drawing(CODE, console)
    assert drawing.text == Drawing(CODE, terminal(NO_COLOR="1"), ascii_only=True).text


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("payload_size", [1, 17, 18, 62, 78, 79, 237, 2953])
def test_the_sizes_are_those_of_the_drawings(payload_size: int, *, ascii_only: bool) -> None:
    """To the last character that each symbol has room for."""
    code = QRCode(payload="https://wa.me/".ljust(payload_size, "a")[:payload_size])
    drawings = draw(code, Console(file=io.StringIO()), ascii_only=ascii_only)
    expected = tuple(drawing.size for drawing in drawings)
    assert drawn_sizes(payload_size, ascii_only=ascii_only) == expected

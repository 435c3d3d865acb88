"""The screen, in virtual time: redrawn in place on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from rich.console import Console

from plugchat_async import NetworkError, QRCode
from plugchat_async.cli._terminal.screen import has_room, open_screen
from tests.camera import read_codes
from tests.painted_terminal import paint_terminal

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.anyio

PAYLOAD = "https://wa.me/settings/linked_devices#" + "aB3/" * 50
# Codes expire by the clock on the wall, which stands still for these tests.
TOMORROW = datetime.now(UTC) + timedelta(days=1)
FIRST = QRCode(payload="2@first", round=1, rounds=2, expires_at=TOMORROW)
LAST = QRCode(payload=PAYLOAD, round=2, rounds=2, expires_at=TOMORROW)

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
HOME = "\x1b[H"


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


@pytest.fixture(autouse=True)
def _a_window_of_known_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "50")


class Terminal(Console):
    """A terminal of 80 x 50 that keeps what is written."""

    def __init__(self, *, encoding: str = "utf-8", **environment: str) -> None:
        self.written = io.BytesIO()
        super().__init__(
            file=io.TextIOWrapper(self.written, encoding=encoding),
            force_terminal=True,
            width=80,
            height=50,
            _environ={"TERM": "xterm-256color", **environment},
        )

    def frames(self) -> list[str]:
        """List what was drawn so far, a page each."""
        return self.written.getvalue().decode().split(HOME)[1:]


async def test_codes_are_drawn_in_place() -> None:
    """Each page is complete, and holds one code that scans."""
    terminal = Terminal()
    async with open_screen(terminal, heading="heading") as screen:
        await anyio.sleep(0.05)
        assert "Asking for a code..." in terminal.frames()[-1]
        screen.show(FIRST, seconds=15, note="note")
        assert read_codes(paint_terminal(terminal.frames()[-1], columns=80)) == ["2@first"]
        screen.show(LAST, seconds=15, note="another note")
        assert read_codes(paint_terminal(terminal.frames()[-1], columns=80)) == [PAYLOAD]
        assert "another note" in terminal.frames()[-1]
        screen.note("scanned")
        assert read_codes(paint_terminal(terminal.frames()[-1], columns=80)) == [PAYLOAD]
        assert "scanned" in terminal.frames()[-1]


async def test_the_countdown_goes_on_by_itself() -> None:
    """A page is drawn when a person could see a difference, and only then."""
    terminal = Terminal()
    async with open_screen(terminal, heading="heading") as screen:
        screen.show(LAST, seconds=10, note="note")
        await anyio.sleep(3.05)
        assert "expires in 7 s" in terminal.frames()[-1]
        await anyio.sleep(100)
        assert "expires in 0 s" in terminal.frames()[-1]
    # One without a code, then the bar's 20 cells and 10 seconds, which mostly change together.
    assert len(terminal.frames()) <= 32


async def test_a_window_that_changes_its_size_is_filled_anew() -> None:
    """Too small, the code gives way to words, and comes back."""
    terminal = Terminal()
    async with open_screen(terminal, heading="heading") as screen:
        screen.show(LAST, seconds=15, note="note")
        terminal.height = 24
        await anyio.sleep(0.15)
        assert "This window is too small for the code" in terminal.frames()[-1]
        terminal.height = 50
        await anyio.sleep(0.15)
        assert "█" in terminal.frames()[-1]


async def test_a_terminal_is_left_as_it_was() -> None:
    """Its first page, and its cursor."""
    terminal = Terminal()
    async with open_screen(terminal, heading="heading"):
        written = terminal.written.getvalue().decode()
        assert (ENTER in written, HIDE_CURSOR in written) == (True, True)
    written = terminal.written.getvalue().decode()
    assert written.index(ENTER) < written.index(LEAVE)
    assert written.index(HIDE_CURSOR) < written.index(SHOW_CURSOR)


async def test_a_failure_arrives_as_itself() -> None:
    """In no group, with its cause, and with the terminal as it was."""
    terminal = Terminal()
    cause = OSError("refused")
    with pytest.raises(NetworkError, match="nobody") as caught:
        async with open_screen(terminal, heading="heading"):
            raise NetworkError("nobody there") from cause
    assert caught.value.__cause__ is cause
    assert terminal.written.getvalue().decode().rstrip().endswith(LEAVE)


async def test_a_cancelled_screen_leaves_the_terminal_as_it_was() -> None:
    """That is what Ctrl-C comes to."""
    terminal = Terminal()
    with anyio.move_on_after(5):
        async with open_screen(terminal, heading="heading"):
            await anyio.sleep_forever()
    written = terminal.written.getvalue().decode()
    assert written.rindex(SHOW_CURSOR) > written.rindex(HIDE_CURSOR)
    assert LEAVE in written


async def test_no_color_keeps_the_place_and_drops_the_colours() -> None:
    """The cursor still moves, nothing is coloured."""
    terminal = Terminal(NO_COLOR="1")
    async with open_screen(terminal, heading="heading") as screen:
        screen.show(LAST, seconds=15, note="note")
        assert LAST.terminal(color=False).split("\n")[5] in terminal.frames()[-1]
    written = terminal.written.getvalue().decode()
    assert "\x1b[3" not in written
    assert "107m" not in written


@pytest.mark.parametrize("console", [Console(file=io.StringIO()), Terminal(TERM="dumb")])
async def test_elsewhere_codes_are_plain_lines(
    capsys: pytest.CaptureFixture[str], console: Console
) -> None:
    """In a log, through a pipe, or where a terminal can do nothing else."""
    async with open_screen(console, heading="heading") as screen:
        screen.show(FIRST, seconds=15, note="note")
        screen.note("scanned")
    assert capsys.readouterr().out == (
        "heading\n\nCode 1 of 2, a new one in 15 s.\n"
        f"{FIRST.terminal(color=False)}\nnote\nscanned\n"
    )


@pytest.mark.parametrize("is_dumb", [False, True])
async def test_an_encoding_without_half_blocks_tears_no_code(
    capsys: pytest.CaptureFixture[str], *, is_dumb: bool
) -> None:
    """The code is drawn in ASCII, in place as line by line."""
    environment = {"TERM": "dumb"} if is_dumb else {}
    terminal = Terminal(encoding="cp1252", **environment)
    async with open_screen(terminal, heading="heading") as screen:
        screen.show(FIRST, seconds=15, note="note")
    drawn = capsys.readouterr().out if is_dumb else terminal.frames()[-1]
    assert "##" in drawn
    assert "█" not in drawn


@pytest.mark.parametrize(
    ("size", "needed"), [((60, 33), None), ((58, 33), "59 x 33"), ((80, 32), "59 x 33")]
)
async def test_a_dumb_terminal_tears_no_code(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    needed: str | None,
) -> None:
    """It has a window, too."""
    monkeypatch.setenv("COLUMNS", str(size[0]))
    monkeypatch.setenv("LINES", str(size[1]))
    terminal = Terminal(TERM="dumb")
    async with open_screen(terminal, heading="heading", elsewhere="elsewhere") as screen:
        screen.show(LAST, seconds=15, note="note")
    out = capsys.readouterr().out
    if needed is None:
        assert LAST.terminal(color=False, border=1) in out
    else:
        assert "█" not in out
        assert f"It needs {needed} characters" in out
        assert "\nelsewhere\nnote\n" in out


async def test_a_note_of_two_lines_takes_two_rows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them pushes the code out of a window without a second page."""
    monkeypatch.setenv("LINES", "33")
    async with open_screen(Terminal(TERM="dumb"), heading="heading") as screen:
        screen.show(LAST, seconds=15, note="note\nremark")
    out = capsys.readouterr().out
    assert "It needs 59 x 34 characters and has 80 x 33." in out
    assert "\nnote\nremark\n" in out


@pytest.mark.parametrize(
    ("term", "window", "expected"),
    [
        ("xterm", (80, 24), False),
        ("xterm", (60, 33), True),
        ("xterm", (123, 30), True),
        ("dumb", (59, 33), True),
        ("dumb", (123, 32), False),
        ("dumb", (58, 33), False),
        ("xterm", (0, 0), True),
    ],
)
def test_the_room_for_a_payload_is_that_of_the_screen_which_suits_the_console(
    monkeypatch: pytest.MonkeyPatch, *, term: str, window: tuple[int, int], expected: bool
) -> None:
    """Pages have layouts, lines have rows, and an unknown size is not small."""
    monkeypatch.setenv("COLUMNS", str(window[0]))
    monkeypatch.setenv("LINES", str(window[1]))
    assert has_room(Terminal(TERM=term), len(PAYLOAD)) is expected


def test_ascii_takes_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoding without half blocks is part of the question."""
    monkeypatch.setenv("COLUMNS", "118")
    for rows, expected in (("61", False), ("62", True)):
        monkeypatch.setenv("LINES", rows)
        assert has_room(Terminal(encoding="cp1252"), len(PAYLOAD)) is expected


async def test_a_code_that_expired_is_taken_away() -> None:
    """Its successor is late; nobody scans in vain."""
    terminal = Terminal()
    now = datetime.now(UTC)
    stale = QRCode(payload="2@stale", fetched_at=now - timedelta(seconds=21))
    async with open_screen(terminal, heading="heading") as screen:
        screen.show(stale, seconds=15, note="note")
        assert "█" not in terminal.frames()[-1]
        assert "Asking for a code..." in terminal.frames()[-1]


async def test_no_note_is_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Where codes follow each other."""
    async with open_screen(
        Console(file=io.StringIO()), heading="heading", ascii_only=True
    ) as screen:
        screen.show(FIRST, seconds=15, note="")
    assert capsys.readouterr().out.endswith("#\n")

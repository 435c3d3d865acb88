"""The screen, in virtual time: redrawn in place on a terminal, plain lines elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from plugchat_async import NetworkError, QRCode
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._output.stderr import allows_colors
from plugchat_async.cli._terminal import screen as screen_module
from plugchat_async.cli._terminal.canvas import Canvas
from plugchat_async.cli._terminal.drawing import ASCII, HALF_BLOCKS, SEXTANTS, Form
from plugchat_async.cli._terminal.screen import Events
from plugchat_async.cli._terminal.window import Window
from tests.camera import read_codes
from tests.painted_terminal import paint_terminal

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from plugchat_async.cli._terminal.screen import Screen

pytestmark = pytest.mark.anyio

PAYLOAD = "https://wa.me/settings/linked_devices#" + "aB3/" * 50
# Codes expire by the clock on the wall, which stands still for these tests.
TOMORROW = datetime.now(UTC) + timedelta(days=1)
STALE = QRCode(payload="2@stale", fetched_at=datetime.now(UTC) - timedelta(seconds=21))

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
HOME = "\x1b[H"


def first_code() -> QRCode:
    """Make a code for one test: 20 s after it was first shown, it is expired by any clock."""
    return QRCode(payload="2@first", round=1, rounds=2, expires_at=TOMORROW)


def last_code() -> QRCode:
    """Make another one, which is larger."""
    return QRCode(payload=PAYLOAD, round=2, rounds=2, expires_at=TOMORROW)


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


@pytest.fixture(autouse=True)
def _a_window_of_known_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "50")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Return a terminal of 80 x 50 that records its output."""
    return Terminal(capsys, monkeypatch)


class Terminal:
    """Output to standard output, which is a terminal's window."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self._written = ""

    @property
    def written(self) -> str:
        """All that was written so far."""
        self._written += self._capsys.readouterr().out
        return self._written

    @property
    def window(self) -> Window:
        """The window that the command sees."""
        return Window(is_terminal=True, has_colors=allows_colors(), encoding="utf-8")

    @property
    def frames(self) -> list[str]:
        """The pages that were drawn so far."""
        return self.written.split(HOME)[1:]

    def resize(self, columns: int, rows: int) -> None:
        """Drag the window to another size."""
        self._monkeypatch.setenv("COLUMNS", str(columns))
        self._monkeypatch.setenv("LINES", str(rows))


PIPE = Window(is_terminal=False, has_colors=False, encoding="utf-8")


def open_screen(
    terminal: Terminal | None = None,
    *,
    forms: tuple[Form, ...] = (HALF_BLOCKS,),
    ways: tuple[str, ...] = (),
    words: tuple[str, ...] = (),
) -> AbstractAsyncContextManager[Screen]:
    """Open the screen that suits a terminal, or a pipe."""
    canvas = Canvas(terminal.window if terminal else PIPE, forms)
    return screen_module.open_screen(canvas, heading="heading", ways=ways, words=words)


async def test_codes_are_drawn_in_place(terminal: Terminal) -> None:
    """Each page is complete, and holds one code that scans."""
    async with open_screen(terminal) as screen:
        await anyio.sleep(0.05)
        assert "Requesting a QR code..." in terminal.frames[-1]
        screen.show(first_code(), seconds=15, note="note")
        assert read_codes(paint_terminal(terminal.frames[-1], columns=80)) == ["2@first"]
        screen.show(last_code(), seconds=15, note="another note")
        assert read_codes(paint_terminal(terminal.frames[-1], columns=80)) == [PAYLOAD]
        assert "another note" in terminal.frames[-1]
        screen.note("scanned")
        assert read_codes(paint_terminal(terminal.frames[-1], columns=80)) == [PAYLOAD]
        assert "scanned" in terminal.frames[-1]


async def test_the_countdown_goes_on_by_itself(terminal: Terminal) -> None:
    """A page is drawn when a person could see a difference, and only then."""
    async with open_screen(terminal) as screen:
        screen.show(last_code(), seconds=10, note="note")
        await anyio.sleep(3.05)
        assert "expires in 7 s" in terminal.frames[-1]
        await anyio.sleep(100)
        assert "expires in 0 s" in terminal.frames[-1]
    # One without a code, then the bar's 20 cells and 10 seconds, which mostly change together.
    assert len(terminal.frames) <= 32


async def test_a_window_that_changes_its_size_is_filled_anew(terminal: Terminal) -> None:
    """Too small, the code gives way to words, and comes back."""
    async with open_screen(terminal) as screen:
        screen.show(last_code(), seconds=15, note="note")
        terminal.resize(80, 24)
        await anyio.sleep(0.15)
        assert "This window is too small for the code" in terminal.frames[-1]
        terminal.resize(80, 50)
        await anyio.sleep(0.15)
        assert "█" in terminal.frames[-1]


@pytest.mark.parametrize("term", ["xterm", "linux"])
@pytest.mark.parametrize("payload_size", [271, 272])
async def test_a_code_that_is_longer_than_foreseen_is_drawn_in_sextants_at_last(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, payload_size: int, term: str
) -> None:
    """If the terminal may have them; else the size that it takes is said."""
    monkeypatch.setenv("TERM", term)
    terminal.resize(60, 33)
    code = QRCode(payload="2@".ljust(payload_size, "x"), expires_at=TOMORROW)
    async with open_screen(terminal, ways=("--open",)) as screen:
        screen.show(code, seconds=15, note="note")
        assert screen.has_room() is (payload_size == 271 or term == "xterm")
    painted = paint_terminal(terminal.frames[-1], columns=60)
    if payload_size == 271 or term == "xterm":
        assert read_codes(painted) == [code.payload]
        assert ("▀" in terminal.frames[-1]) is (payload_size == 271)
    else:
        assert read_codes(painted) == []
        assert "It needs 63 x 35 characters" in terminal.frames[-1]


async def test_a_terminal_is_left_as_it_was(terminal: Terminal) -> None:
    """Its first page, and its cursor."""
    async with open_screen(terminal):
        written = terminal.written
        assert (ENTER in written, HIDE_CURSOR in written) == (True, True)
    written = terminal.written
    assert written.index(ENTER) < written.index(LEAVE)
    assert written.index(HIDE_CURSOR) < written.index(SHOW_CURSOR)


async def test_a_failure_arrives_as_itself(terminal: Terminal) -> None:
    """In no group, with its cause, and with the terminal as it was."""
    cause = OSError("refused")
    with pytest.raises(NetworkError, match="nobody") as caught:
        async with open_screen(terminal):
            raise NetworkError("nobody there") from cause
    assert caught.value.__cause__ is cause
    assert terminal.written.rstrip().endswith(LEAVE)


async def test_a_cancelled_screen_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    """That is what Ctrl-C comes to."""
    with anyio.move_on_after(5):
        async with open_screen(terminal):
            await anyio.sleep_forever()
    written = terminal.written
    assert written.rindex(SHOW_CURSOR) > written.rindex(HIDE_CURSOR)
    assert LEAVE in written


async def test_no_color_keeps_the_place_and_drops_the_colours(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor still moves, nothing is coloured."""
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_screen(terminal) as screen:
        screen.show(last_code(), seconds=15, note="note")
        assert last_code().terminal(color=False).split("\n")[5] in terminal.frames[-1]
    assert "\x1b[3" not in terminal.written
    assert "107m" not in terminal.written


@pytest.mark.parametrize("is_dumb", [False, True])
async def test_elsewhere_codes_are_plain_lines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, *, is_dumb: bool
) -> None:
    """In a log, through a pipe, or if a terminal can do nothing else."""
    monkeypatch.setenv("TERM", "dumb")
    async with open_screen(terminal if is_dumb else None) as screen:
        assert screen.has_room()
        screen.show(first_code(), seconds=15, note="note")
        screen.note("scanned")
    assert terminal.written == (
        "heading\n\nCode 1 of 2, a new one in 15 s.\n"
        f"{first_code().terminal(color=False)}\nnote\nscanned\n"
    )


async def test_a_code_in_ascii(terminal: Terminal) -> None:
    """In place, as line by line."""
    async with open_screen(terminal, forms=(ASCII,)) as screen:
        screen.show(first_code(), seconds=15, note="note")
    assert "##" in terminal.frames[-1]
    assert "█" not in terminal.frames[-1]


@pytest.mark.parametrize(
    ("size", "needed"), [((60, 33), None), ((59, 33), "60 x 33"), ((80, 32), "60 x 33")]
)
async def test_a_dumb_terminal_tears_no_code(
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    needed: str | None,
) -> None:
    """It has a window, too."""
    monkeypatch.setenv("TERM", "dumb")
    terminal.resize(*size)
    async with open_screen(terminal, ways=("--open",)) as screen:
        screen.show(last_code(), seconds=15, note="note")
    if needed is None:
        assert last_code().terminal(color=False, border=1) in terminal.written
    else:
        assert "█" not in terminal.written
        assert f"It needs {needed} characters" in terminal.written
        assert "\nOr use one of: --open\nnote\n" in terminal.written


async def test_a_dumb_terminal_without_room_is_told_before_a_code_is_requested(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could see whether it was resized."""
    monkeypatch.setenv("TERM", "dumb")
    terminal.resize(80, 32)
    async with open_screen(terminal, ways=("--open",)) as screen:
        assert not screen.has_room()
        with pytest.raises(Failure, match="needs a window of 60 x 33"):
            screen.ask_for_room()


async def test_a_dumb_terminal_that_was_made_smaller_is_told_what_is_needed(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the code that was drawn before; no other is requested until then."""
    monkeypatch.setenv("TERM", "dumb")
    async with open_screen(terminal, ways=("--open",)) as screen:
        screen.show(last_code(), seconds=15, note="")
        terminal.resize(80, 24)
        assert not screen.has_room()
        screen.ask_for_room()
        terminal.resize(60, 33)
        assert screen.has_room()
    assert terminal.written.endswith(
        "█\nThis window is too small for the code\n"
        "It needs 60 x 33 characters and has 80 x 24.\nEnlarge it, and the code appears.\n"
        "Or use one of: --open\nNo code is requested before that.\n"
    )


@pytest.mark.parametrize(
    ("rows", "note", "expected"),
    [
        (33, "", ["more"]),
        (34, "", ["words", "more"]),
        (33, "note", []),
        (35, "note", ["words", "more"]),
        (34, "note" * 16, []),
        (36, "note\n" + "note" * 15, ["words", "more"]),
    ],
)
async def test_words_before_the_first_code_give_way(
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rows: int,
    note: str,
    expected: list[str],
) -> None:
    """The first of them first; with the cursor's row, nothing below them is scrolled off."""
    monkeypatch.setenv("TERM", "dumb")
    terminal.resize(60, rows)
    async with open_screen(terminal, words=("words", "more")) as screen:
        capsys.readouterr()
        screen.show(first_code().model_copy(update={"payload": PAYLOAD}), seconds=15, note=note)
    out, err = capsys.readouterr()
    assert err.split() == expected
    assert "█" in out
    taken = [-(-len(line) // 60) for line in (out.lstrip("\n") + err).splitlines()]
    assert sum(taken) + 1 <= rows


async def test_a_window_without_room_is_asked_to_grow(terminal: Terminal) -> None:
    """It says the size and the other ways, before the first code and after it has expired."""
    terminal.resize(80, 24)
    async with open_screen(terminal, ways=("--open",)) as screen:
        assert not screen.has_room()
        screen.ask_for_room()
        asked = terminal.frames[-1]
        assert "It needs 60 x 33 characters and has 80 x 24." in asked
        assert "Or use one of: --compact, --open" in asked
        terminal.resize(80, 50)
        assert screen.has_room()
        await anyio.sleep(0.15)
        assert "Requesting a QR code..." in terminal.frames[-1]
        screen.show(STALE.model_copy(update={"payload": PAYLOAD}), seconds=15, note="note")
        terminal.resize(80, 24)
        assert not screen.has_room()
        await anyio.sleep(0.15)
        assert terminal.frames[-1] == asked


async def test_the_room_is_that_of_a_code_like_the_last_one(terminal: Terminal) -> None:
    """Also after it has expired."""
    terminal.resize(60, 20)
    async with open_screen(terminal, ways=("--open",)) as screen:
        assert not screen.has_room()
        screen.show(STALE, seconds=15, note="note")
        assert screen.has_room()


async def test_a_program_is_never_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Its events need no window."""
    events = Events()
    events.ask_for_room()
    assert events.has_room()
    events.show(first_code(), seconds=15, note="")
    assert '"event": "code"' in capsys.readouterr().out


async def test_a_note_of_two_lines_takes_two_rows(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them pushes the code out of a window without a second page."""
    monkeypatch.setenv("TERM", "dumb")
    terminal.resize(80, 33)
    async with open_screen(terminal) as screen:
        screen.show(last_code(), seconds=15, note="note\nremark")
    assert "It needs 60 x 34 characters and has 80 x 33." in terminal.written
    assert "\nnote\nremark\n" in terminal.written


@pytest.mark.parametrize(
    ("term", "window", "form", "expected"),
    [
        ("xterm", (80, 24), HALF_BLOCKS, False),
        ("xterm", (80, 24), SEXTANTS, True),
        ("xterm", (60, 33), HALF_BLOCKS, True),
        ("xterm", (123, 30), HALF_BLOCKS, True),
        ("dumb", (60, 33), HALF_BLOCKS, True),
        ("dumb", (123, 32), HALF_BLOCKS, False),
        ("dumb", (59, 33), HALF_BLOCKS, False),
        ("xterm", (0, 0), HALF_BLOCKS, True),
        ("xterm", (118, 61), ASCII, False),
        ("xterm", (118, 62), ASCII, True),
    ],
)
def test_the_room_for_a_payload_is_that_of_the_screen_which_suits_the_window(
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    *,
    term: str,
    window: tuple[int, int],
    form: Form,
    expected: bool,
) -> None:
    """Pages have layouts, lines have rows, and an unknown size is not small."""
    monkeypatch.setenv("TERM", term)
    terminal.resize(*window)
    assert Canvas(terminal.window, (form,)).has_room() is expected


async def test_a_code_that_expired_is_taken_away(terminal: Terminal) -> None:
    """Its successor is late; nobody scans in vain."""
    async with open_screen(terminal) as screen:
        screen.show(STALE, seconds=15, note="note")
        assert "█" not in terminal.frames[-1]
        assert "Requesting a QR code..." in terminal.frames[-1]


async def test_an_empty_note_has_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    """If codes follow each other."""
    async with open_screen(forms=(ASCII,)) as screen:
        screen.show(first_code(), seconds=15, note="")
    assert capsys.readouterr().out.endswith("#\n")

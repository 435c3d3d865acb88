"""A page at every size of the window: a whole code that scans, or the size that one takes."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from plugchat_async import QRCode
from plugchat_async.cli._terminal.canvas import Canvas
from plugchat_async.cli._terminal.drawing import ASCII, HALF_BLOCKS, SEXTANTS, Form
from plugchat_async.cli._terminal.layout import Countdown, Layout
from plugchat_async.cli._terminal.window import Size, Window
from tests.camera import read_codes
from tests.painted_terminal import paint_terminal

# Drawn 61 x 31, as the codes of WhatsApp are, or 59 x 30 with a border of one module.
CODE = QRCode(payload="https://wa.me/settings/linked_devices#" + "aB3/" * 50, round=2, rounds=3)

HEADING = "A PlugChat on this machine: http://127.0.0.1:54321/api/whatsapp"
WINDOW = Window(is_terminal=True, has_colors=True, encoding="utf-8")
NOTE = "The sandbox's phone is about to scan this one."
WAYS = "--open, --output code.png"

WITH_ALL_WORDS = [(61, 44), (80, 50), (200, 60), (60, 43)]
SIDE_BY_SIDE = [(120, 31), (120, 40), (200, 43), (118, 30)]
WITH_FEW_WORDS = [(61, 34), (80, 43), (117, 42), (60, 33), (60, 42)]
TOO_SMALL = [(80, 24), (59, 60), (80, 32), (117, 32), (118, 29)]

IN_ASCII = [(122, 74), (118, 72), (200, 61), (200, 60), (177, 59), (118, 62)]
IN_SEXTANTS = [(80, 24), (60, 23), (92, 21), (80, 40)]
TOO_SMALL_IN_ASCII = [(117, 90), (118, 61), (176, 60), (200, 58)]


def draw(
    columns: int,
    rows: int,
    code: QRCode | None = CODE,
    *,
    form: Form = HALF_BLOCKS,
    note: str = NOTE,
    ways: str = WAYS,
) -> str:
    """Draw a layout on a terminal of a size."""
    console = Console(
        file=io.StringIO(),
        force_terminal=True,
        width=columns,
        height=rows,
        _environ={"TERM": "xterm-256color"},
    )
    drawings = () if code is None else Canvas(WINDOW, (form,)).draw(code)
    layout = Layout(
        heading=HEADING,
        drawings=drawings,
        needed=drawings[-1].size if drawings else None,
        countdown=None if code is None else Countdown.of(code, left=7.2, total=15),
        note=note,
        ways=ways,
        size=Size(columns, rows),
    )
    with console.capture() as capture:
        console.print(layout, end="")
    return capture.get()


@pytest.mark.parametrize("language", ["en_US", "pt_BR"])
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize(("columns", "rows"), [*WITH_ALL_WORDS, *SIDE_BY_SIDE, *WITH_FEW_WORDS])
def test_a_code_is_whole_and_scans(
    *,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    rows: int,
    theme: str,
    language: str,
) -> None:
    """On both themes, in both languages, and never in more rows than the window has."""
    monkeypatch.setenv("LC_ALL", language)
    text = draw(columns, rows)
    assert text.count("\n") <= rows
    assert read_codes(paint_terminal(text, columns=columns, theme=theme)) == [CODE.payload]


@pytest.mark.parametrize(("columns", "rows"), TOO_SMALL)
def test_a_code_is_never_torn(columns: int, rows: int) -> None:
    """The page says what is needed, what there is, and what else there is."""
    text = draw(columns, rows)
    assert "█" not in text
    assert f"It needs 60 x 33 characters and has {columns} x {rows}." in text
    assert f"Or use one of: {WAYS}" in text
    assert "No code is requested before that." in text
    assert text.count("\n") <= rows


def test_without_another_way_a_small_window_delays_nothing() -> None:
    """The code is in a file, or a simulated phone scans it: the countdown goes on."""
    text = draw(80, 24, ways="")
    assert "It needs 60 x 33 characters and has 80 x 24." in text
    assert "Code 2 of 3" in text
    assert NOTE in text
    assert "Or use one of" not in text


@pytest.mark.parametrize(
    ("windows", "form", "expected"),
    [
        ([*WITH_ALL_WORDS, *SIDE_BY_SIDE, *WITH_FEW_WORDS], HALF_BLOCKS, True),
        (TOO_SMALL, HALF_BLOCKS, False),
        (IN_ASCII, ASCII, True),
        (TOO_SMALL_IN_ASCII, ASCII, False),
        (IN_SEXTANTS, SEXTANTS, True),
        ([(59, 60), (80, 22)], SEXTANTS, False),
    ],
)
def test_whether_a_payload_fits_is_known_before_there_is_one(
    *,
    monkeypatch: pytest.MonkeyPatch,
    windows: list[tuple[int, int]],
    form: Form,
    expected: bool,
) -> None:
    """By its size alone, just as the layout of a code comes out."""
    for columns, rows in windows:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("LINES", str(rows))
        assert Canvas(WINDOW, (form,)).has_room() is expected
        assert ("needs" not in draw(columns, rows, form=form)) is expected


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("window", IN_SEXTANTS)
def test_a_code_in_sextants_is_whole_and_scans(*, window: tuple[int, int], theme: str) -> None:
    """In the usual window, too."""
    text = draw(*window, form=SEXTANTS)
    assert text.count("\n") <= window[1]
    screenshot = paint_terminal(text, columns=window[0], theme=theme)
    assert read_codes(screenshot) == [CODE.payload]


@pytest.mark.parametrize("size", [(80, 24), (60, 22), (60, 24), (80, 50), (101, 20)])
def test_a_note_of_two_lines_leaves_a_short_code_whole(size: tuple[int, int]) -> None:
    """Both lines are in the window, with the code."""
    short = QRCode(payload=CODE.payload[:62], round=2, rounds=3)
    text = draw(*size, short, note=f"{NOTE}\nremark")
    assert text.count("\n") <= size[1]
    assert read_codes(paint_terminal(text, columns=size[0])) == [short.payload]
    assert NOTE in text
    assert "remark" in text
    assert "It needs 60 x 22" in draw(60, 21, short, note=f"{NOTE}\nremark")


@pytest.mark.parametrize(("language", "rows"), [("en_US", 13), ("pt_BR", 14)])
def test_words_beside_a_code_may_take_more_rows_than_it(
    monkeypatch: pytest.MonkeyPatch, language: str, rows: int
) -> None:
    """Then they need these rows; none of them is cut off, nor is one of the code's 12."""
    monkeypatch.setenv("LC_ALL", language)
    short = QRCode(payload=CODE.payload[:62], round=2, rounds=3)
    text, too_small = (
        draw(90, each, short, form=SEXTANTS, note="/".join(["folder"] * 30))
        for each in (rows, rows - 1)
    )
    assert text.count("\n") <= rows
    assert read_codes(paint_terminal(text, columns=90)) == [short.payload]
    assert "Ctrl" in text
    assert "60 x 15" in too_small


def test_a_small_code_still_leaves_the_words_their_room() -> None:
    """A line that broke would push the code out of the window."""
    tiny = QRCode(payload="2@", round=1, rounds=3)
    assert "It needs 60 x 15 characters" in draw(59, 50, tiny)
    assert "Code 1 of 3" in draw(60, 15, tiny)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize(("columns", "rows"), IN_ASCII)
def test_a_code_in_ascii_is_whole_and_scans(
    *,
    columns: int,
    rows: int,
    theme: str,
) -> None:
    """Two characters to a module."""
    text = draw(columns, rows, form=ASCII)
    assert text.count("\n") <= rows
    assert not set(text) & set("▀▄█")
    screenshot = paint_terminal(text, columns=columns, theme=theme)
    assert read_codes(screenshot) == [CODE.payload]


@pytest.mark.parametrize(("columns", "rows"), TOO_SMALL_IN_ASCII)
def test_a_code_in_ascii_is_never_torn(columns: int, rows: int) -> None:
    """The size that it takes is its own."""
    text = draw(columns, rows, form=ASCII)
    assert "#" not in text
    assert f"It needs 118 x 62 characters and has {columns} x {rows}." in text


@pytest.mark.parametrize("size", [*WITH_ALL_WORDS, *SIDE_BY_SIDE])
def test_the_words_say_what_to_do_and_how_to_stop(size: tuple[int, int]) -> None:
    """If there is room for them."""
    text = draw(*size)
    for words in ("Link a phone", "Linked devices", "Code 2 of 3", NOTE, "Ctrl-C to stop"):
        assert words in text


def test_the_heading_takes_the_first_row_to_spare() -> None:
    """The code comes first, then what is being done."""
    assert HEADING in draw(80, 35)
    assert HEADING not in draw(80, 34)


def test_the_way_through_whatsapp_stays_where_words_are_few() -> None:
    """One line instead of four."""
    assert "On the phone: WhatsApp > Settings > Linked devices > Link a device" in draw(80, 34)
    assert "WhatsApp > Linked devices > Link a device" in draw(60, 34)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_before_the_first_code(size: tuple[int, int]) -> None:
    """The source of the codes, and what is being done."""
    text = draw(*size, code=None)
    assert HEADING in text
    assert NOTE in text


@pytest.mark.parametrize(
    ("round", "left", "lifetime", "cells_left"),
    [
        (1, 15.0, "a new one in 15 s", 20),
        (2, 14.01, "a new one in 15 s", 19),
        (2, 7.5, "a new one in 8 s", 10),
        (3, 7.5, "expires in 8 s", 10),
        (3, 0.1, "expires in 1 s", 1),
        (3, 0.0, "expires in 0 s", 0),
    ],
)
def test_the_countdown(round: int, left: float, lifetime: str, cells_left: int) -> None:  # noqa: A002 - the code's own
    """Seconds are rounded up: at 1 it is still valid."""
    code = QRCode(payload="2@code", round=round, rounds=3)
    countdown = Countdown.of(code, left=left, total=15.0)
    assert countdown == Countdown(f"Code {round} of 3", lifetime, cells_left)


def test_a_window_is_waited_for_without_a_code() -> None:
    """The size that it takes and the other ways, but no countdown."""
    layout = Layout(
        heading=HEADING,
        drawings=(),
        needed=Size(59, 30),
        countdown=None,
        note=NOTE,
        ways=WAYS,
        size=Size(80, 24),
    )
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24, _environ={})
    with console.capture() as capture:
        console.print(layout, end="")
    text = capture.get()
    assert "It needs 60 x 33 characters and has 80 x 24." in text
    assert f"Or use one of: {WAYS}" in text
    assert "Code" not in text

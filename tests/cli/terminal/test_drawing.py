"""Codes in characters: what a camera sees is what was drawn."""

from __future__ import annotations

import pytest

from plugchat_async import QRCode
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._terminal.drawing import (
    ASCII,
    HALF_BLOCKS,
    SEXTANTS,
    Form,
    check_room,
    draw,
    drawn_sizes,
    fitting,
    forms,
    other_ways,
)
from plugchat_async.cli._terminal.window import Size, Window
from tests.camera import read_codes
from tests.painted_terminal import paint_terminal

CODE = QRCode(payload="https://wa.me/settings/linked_devices#" + "aB3/" * 50)
FORMS = [HALF_BLOCKS, SEXTANTS, ASCII]
NAMES = ["half blocks", "sextants", "ASCII"]

TERMINAL = Window(is_terminal=True, has_colors=True, encoding="utf-8")
PLAIN = Window(is_terminal=True, has_colors=False, encoding="utf-8")
PIPE = Window(is_terminal=False, has_colors=False, encoding="utf-8")


@pytest.fixture(autouse=True)
def _a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("form", FORMS, ids=NAMES)
def test_a_camera_reads_a_code_in_colours(form: Form, theme: str) -> None:
    """With each quiet zone, on both themes."""
    for drawing in draw(CODE, TERMINAL, (form,)):
        screenshot = paint_terminal(drawing.text, columns=140, theme=theme)
        assert read_codes(screenshot) == [CODE.payload]


@pytest.mark.parametrize("form", FORMS, ids=NAMES)
def test_a_camera_reads_a_code_without_colours(form: Form) -> None:
    """On a dark theme."""
    for drawing in draw(CODE, PLAIN, (form,)):
        assert "\x1b" not in drawing.text
        assert read_codes(paint_terminal(drawing.text, columns=140)) == [CODE.payload]


@pytest.mark.parametrize("window", [TERMINAL, PLAIN])
def test_half_blocks_are_those_of_the_sdk(window: Window) -> None:
    """Both whites and all."""
    expected = [CODE.terminal(border=border, color=window.has_colors) for border in (2, 1)]
    assert [drawing.text for drawing in draw(CODE, window, (HALF_BLOCKS,))] == expected


def test_sextants_are_the_sixty_of_unicode_and_four_older_characters() -> None:
    """In the order of their bits."""
    assert len(set(SEXTANTS.inks)) == 64
    assert [SEXTANTS.inks[bits] for bits in (0, 21, 42, 63)] == [" ", "▌", "▐", "█"]
    sextants = "".join(ink for ink in SEXTANTS.inks if ink not in " ▌▐█")
    assert sextants == "".join(map(chr, range(0x1FB00, 0x1FB3C)))


def test_a_real_code_in_sextants_leaves_80_x_24_three_rows() -> None:
    """For two lines of words and a note."""
    assert drawn_sizes(237, (SEXTANTS,))[0] == (31, 21)


@pytest.mark.parametrize("form", FORMS, ids=NAMES)
@pytest.mark.parametrize("payload_size", [1, 17, 18, 62, 78, 79, 237, 2953])
def test_the_sizes_are_those_of_the_drawings(payload_size: int, form: Form) -> None:
    """To the last character that each QR code has room for."""
    code = QRCode(payload="https://wa.me/".ljust(payload_size, "a")[:payload_size])
    drawings = tuple(draw(code, PLAIN, (form,)))
    assert drawn_sizes(payload_size, (form,)) == tuple(drawing.size for drawing in drawings)
    for drawing in drawings:
        lines = drawing.text.split("\n")
        assert drawing.size == (len(lines[0]), len(lines))


def test_the_best_drawing_that_fits_is_taken() -> None:
    """The widest quiet zone first; none if the window has no room for any."""
    drawings = tuple(draw(CODE, PLAIN, (HALF_BLOCKS, SEXTANTS)))
    for rows, expected in ((33, 0), (32, 1), (31, 2), (22, 3)):
        assert fitting(drawings, Size(80, rows), rows_around=2) is drawings[expected]
    assert fitting(drawings, Size(80, 21), rows_around=2) is None


@pytest.mark.parametrize(
    ("window", "term", "ascii_only", "compact", "expected"),
    [
        (TERMINAL, "xterm", False, False, (HALF_BLOCKS,)),
        (TERMINAL, "foot", False, False, (HALF_BLOCKS, SEXTANTS)),
        (PIPE, "foot", False, False, (HALF_BLOCKS,)),
        (TERMINAL, "xterm", True, False, (ASCII,)),
        (TERMINAL, "xterm", False, True, (SEXTANTS,)),
        (PIPE, "linux", False, True, (SEXTANTS,)),
        (Window(True, True, "cp1252"), "foot", False, False, (ASCII,)),
        (Window(True, True, "cp437"), "foot", False, False, (HALF_BLOCKS,)),
    ],
)
def test_the_forms_that_a_window_can_show(
    monkeypatch: pytest.MonkeyPatch,
    window: Window,
    term: str,
    expected: tuple[Form, ...],
    *,
    ascii_only: bool,
    compact: bool,
) -> None:
    """Sextants by themselves only in terminals known to draw them."""
    monkeypatch.setenv("TERM", term)
    assert forms(window, ascii_only=ascii_only, compact=compact) == expected


@pytest.mark.parametrize(
    ("encoding", "term", "reason"),
    [
        ("iso-8859-1", "xterm", "its encoding is iso-8859-1, not UTF-8"),
        ("utf-8", "linux", "its font has no sextants"),
    ],
)
def test_sextants_that_cannot_be_shown(
    monkeypatch: pytest.MonkeyPatch, encoding: str, term: str, reason: str
) -> None:
    """By the locale, or by the terminal; exit code 2."""
    monkeypatch.setenv("TERM", term)
    with pytest.raises(Failure, match=reason) as caught:
        forms(Window(True, True, encoding), ascii_only=False, compact=True)
    assert caught.value.exit_code == 2


def test_a_window_without_room_is_told_what_it_would_need() -> None:
    """And what else there is, before a code is requested."""
    with pytest.raises(Failure) as caught:
        check_room(PLAIN, (HALF_BLOCKS,), rows_around=2, ways="--open")
    assert "needs a window of 59 x 32 characters; this one has 80 x 24" in caught.value.happened
    assert caught.value.to_do.endswith("use one of: --open")
    check_room(PLAIN, (HALF_BLOCKS, SEXTANTS), rows_around=2, ways="")
    check_room(PIPE, (HALF_BLOCKS,), rows_around=2, ways="")


@pytest.mark.parametrize(
    ("window", "term", "form", "expected"),
    [
        (TERMINAL, "xterm", HALF_BLOCKS, "--compact, --open"),
        (TERMINAL, "xterm", SEXTANTS, "--open"),
        (TERMINAL, "linux", HALF_BLOCKS, "--open"),
        (Window(True, True, "cp437"), "xterm", HALF_BLOCKS, "--open"),
    ],
)
def test_other_ways_are_those_that_are_possible(
    monkeypatch: pytest.MonkeyPatch, window: Window, term: str, form: Form, expected: str
) -> None:
    """Sextants are one if the terminal may have them."""
    monkeypatch.setenv("TERM", term)
    assert other_ways(window, (form,), "--open") == expected

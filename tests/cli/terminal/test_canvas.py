"""Forms of codes by the window, the room for them, and what is said if there is none."""

from __future__ import annotations

import pytest

from plugchat_async import QRCode
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._terminal.canvas import (
    COLUMNS_AROUND,
    Canvas,
    inverted,
    scan_this,
    with_few_words,
)
from plugchat_async.cli._terminal.drawing import ASCII, HALF_BLOCKS, SEXTANTS, Form
from plugchat_async.cli._terminal.window import Size, Window
from plugchat_async.cli._texts import text

CODE = QRCode(payload="https://wa.me/settings/linked_devices#" + "aB3/" * 50)

TERMINAL = Window(is_terminal=True, has_colors=True, encoding="utf-8")
PIPE = Window(is_terminal=False, has_colors=False, encoding="utf-8")


@pytest.fixture(autouse=True)
def _a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")


def test_the_best_drawing_that_fits_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The widest quiet zone first; none if the window has no room for any."""
    canvas = Canvas(TERMINAL, (HALF_BLOCKS, SEXTANTS))
    drawings = canvas.draw(CODE)
    for rows, expected in ((34, 0), (33, 1), (32, 2), (23, 3)):
        monkeypatch.setenv("LINES", str(rows))
        assert canvas.fitting(drawings) is drawings[expected]
    monkeypatch.setenv("LINES", "22")
    assert canvas.fitting(drawings) is None


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
    assert Canvas.of(window, ascii_only=ascii_only, compact=compact).forms == expected


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
        Canvas.of(Window(True, True, encoding), compact=True)
    assert caught.value.exit_code == 2


def test_a_window_without_room_is_told_what_it_would_need() -> None:
    """And what else there is, before a code is requested."""
    with pytest.raises(Failure) as caught:
        Canvas(TERMINAL, (HALF_BLOCKS,)).check_room("--open")
    assert "needs a window of 60 x 33 characters; this one has 80 x 24" in caught.value.happened
    assert caught.value.to_do.endswith("use one of: --compact, --open")
    Canvas(TERMINAL, (HALF_BLOCKS, SEXTANTS)).check_room("--open")
    Canvas(PIPE, (HALF_BLOCKS,)).check_room("--open")


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
    assert Canvas(window, (form,)).other_ways("--open") == expected
    assert Canvas(window, (form,)).other_ways() == ""


@pytest.mark.parametrize(
    ("window", "payload_size", "helps"),
    [
        ((80, 24), 238, True),
        ((60, 23), 238, True),
        ((59, 60), 238, False),
        ((80, 22), 238, False),
        ((80, 24), 300, True),
        ((80, 24), 400, False),
        ((80, 32), 400, True),
    ],
)
@pytest.mark.parametrize("form", [HALF_BLOCKS, ASCII])
def test_sextants_are_another_way_only_if_the_code_has_room_in_them(
    monkeypatch: pytest.MonkeyPatch,
    form: Form,
    window: tuple[int, int],
    payload_size: int,
    *,
    helps: bool,
) -> None:
    """In this window, a code as long as the last one; before it, one of the usual length."""
    monkeypatch.setenv("COLUMNS", str(window[0]))
    monkeypatch.setenv("LINES", str(window[1]))
    code = QRCode(payload="2@".ljust(payload_size, "x"))
    canvas = Canvas(TERMINAL, (form,))
    assert ("--compact" in canvas.other_ways("--open", code=code)) is helps
    compact = Canvas(TERMINAL, (SEXTANTS,))
    assert (compact.fitting(compact.draw(code)) is not None) is helps
    assert ("--compact" in canvas.other_ways("--open")) is (window[0] >= 60 and window[1] >= 23)


@pytest.mark.parametrize("language", ["en_US", "pt_BR"])
def test_each_line_with_a_code_fits_on_a_row(
    monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    """Of the smallest window that has room for the code; larger ones may have longer lines."""
    monkeypatch.setenv("LC_ALL", language)
    assert with_few_words(Size(0, 0)).columns == COLUMNS_AROUND
    lines = [
        *(text(f"demo.{name}") for name in ("waits", "scans", "short_code")),
        text("screen.valid_for", seconds=20, until="00:00:00"),
        text("screen.place", round=3, rounds=3) + ", " + text("screen.expires_in", seconds=20),
        text("screen.inverted_briefly"),
    ]
    assert max(map(len, lines)) <= COLUMNS_AROUND
    for columns in range(COLUMNS_AROUND, 131):
        assert max(len(scan_this(columns)), len(inverted(columns))) <= columns
    assert scan_this(130) == text("screen.scan_this")
    assert inverted(130) == text("screen.inverted")

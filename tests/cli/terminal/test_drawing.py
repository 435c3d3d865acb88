"""Codes in characters: what a camera sees is what was drawn."""

from __future__ import annotations

import pytest

from plugchat_async import QRCode
from plugchat_async.cli._terminal.drawing import (
    ASCII,
    HALF_BLOCKS,
    SEXTANTS,
    Form,
    draw,
    drawn_sizes,
)
from tests.camera import read_codes
from tests.painted_terminal import paint_terminal

CODE = QRCode(payload="https://wa.me/settings/linked_devices#" + "aB3/" * 50)
FORMS = [HALF_BLOCKS, SEXTANTS, ASCII]
NAMES = ["half blocks", "sextants", "ASCII"]


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("form", FORMS, ids=NAMES)
def test_a_camera_reads_a_code_in_colours(form: Form, theme: str) -> None:
    """With each quiet zone, on both themes."""
    for drawing in draw(CODE, (form,), has_colors=True):
        screenshot = paint_terminal(drawing.text, columns=140, theme=theme)
        assert read_codes(screenshot) == [CODE.payload]


@pytest.mark.parametrize("form", FORMS, ids=NAMES)
def test_a_camera_reads_a_code_without_colours(form: Form) -> None:
    """On a dark theme."""
    for drawing in draw(CODE, (form,), has_colors=False):
        assert "\x1b" not in drawing.text
        assert read_codes(paint_terminal(drawing.text, columns=140)) == [CODE.payload]


@pytest.mark.parametrize("has_colors", [True, False])
def test_half_blocks_are_those_of_the_sdk(*, has_colors: bool) -> None:
    """Both whites and all."""
    drawings = draw(CODE, (HALF_BLOCKS,), has_colors=has_colors)
    expected = [CODE.terminal(border=border, color=has_colors) for border in (2, 1)]
    assert [drawing.text for drawing in drawings] == expected


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
    drawings = tuple(draw(code, (form,), has_colors=False))
    assert drawn_sizes(payload_size, (form,)) == tuple(drawing.size for drawing in drawings)
    for drawing in drawings:
        lines = drawing.text.split("\n")
        assert drawing.size == (len(lines[0]), len(lines))

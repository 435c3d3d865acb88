"""A terminal as a camera sees it."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import pyte
from PIL import Image, ImageOps

# Shades of grey: ink and paper of a theme, and the colours that codes are drawn in.
_THEMES = {"dark": (229, 0), "light": (0, 255)}
_SHADES = {"black": 0, "white": 205, "brightwhite": 255}

# The parts of a cell, of which half blocks and sextants have some each.
_COLUMNS, _ROWS = 2, 6
_BLOCKS = {" ": "00" * 6, "▌": "10" * 6, "▐": "01" * 6, "▀": "111111000000", "▄": "000000111111"}


@cache
def _inked(character: str) -> list[str]:
    """Return the rows of a cell's parts, "1" for ink."""
    # Letters count as ink: one beside a code must not touch it.
    parts = _BLOCKS.get(character, "11" * _ROWS)
    if sextant := re.fullmatch(r"BLOCK SEXTANT-(\d+)", unicodedata.name(character, "")):
        pairs = ("12", "12", "34", "34", "56", "56")
        parts = "".join("01"[part in sextant[1]] for pair in pairs for part in pair)
    return [parts[start : start + _COLUMNS] for start in range(0, _COLUMNS * _ROWS, _COLUMNS)]


def paint_terminal(text: str, *, columns: int = 200, theme: str = "dark") -> Image.Image:
    """Obey the escape sequences of a text, and paint what a camera would see of the terminal."""
    screen = pyte.Screen(columns, text.count("\n") + 1)
    screen.set_mode(pyte.modes.LNM)
    pyte.Stream(screen).feed(text)
    defaults = dict(zip("10", _THEMES[theme], strict=True))
    shades = bytearray()
    for row in range(screen.lines):
        cells = [screen.buffer[row][column] for column in range(columns)]
        inked = [_inked(cell.data) for cell in cells]
        colours = [
            {
                part: defaults[part] if colour == "default" else _SHADES.get(colour, 128)
                for part, colour in (("1", cell.fg), ("0", cell.bg))
            }
            for cell in cells
        ]
        for y in range(_ROWS):
            for parts, shade in zip(inked, colours, strict=True):
                shades.extend(shade[part] for part in parts[y])
    screenshot = Image.frombytes("L", (_COLUMNS * columns, _ROWS * screen.lines), bytes(shades))
    # A cell is twice as high as wide.
    screenshot = screenshot.resize((6 * columns, 12 * screen.lines), Image.Resampling.NEAREST)
    return ImageOps.expand(screenshot, 16, _THEMES[theme][1])

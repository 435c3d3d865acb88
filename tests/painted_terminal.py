"""A terminal as a camera sees it."""

from __future__ import annotations

import pyte
from PIL import Image, ImageOps

# Shades of grey: ink and paper of a theme, and the colours that codes are drawn in.
_THEMES = {"dark": (229, 0), "light": (0, 255)}
_SHADES = {"black": 0, "white": 205, "brightwhite": 255}
_HALVES = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}


def paint_terminal(text: str, *, columns: int = 200, theme: str = "dark") -> Image.Image:
    """Obey the escape sequences of a text, and paint what a camera would see of the terminal."""
    screen = pyte.Screen(columns, text.count("\n") + 1)
    screen.set_mode(pyte.modes.LNM)
    pyte.Stream(screen).feed(text)
    ink, paper = _THEMES[theme]
    shades = bytearray()
    for row in range(screen.lines):
        cells = [screen.buffer[row][column] for column in range(columns)]
        for half in (0, 1):
            for cell in cells:
                # Letters count as ink: one beside a code must not touch it.
                is_inked = _HALVES.get(cell.data, (True, True))[half]
                colour, default = (cell.fg, ink) if is_inked else (cell.bg, paper)
                shades.append(default if colour == "default" else _SHADES.get(colour, 128))
    picture = Image.frombytes("L", (columns, 2 * screen.lines), bytes(shades))
    return ImageOps.expand(ImageOps.scale(picture, 4, Image.Resampling.NEAREST), 16, paper)

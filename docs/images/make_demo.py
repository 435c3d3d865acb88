"""Write `demo.svg`: what `plugchat demo --fast` shows in a terminal, as it was shown.

Run it as `python docs/images/make_demo.py` where `plugchat-async[cli]` and `pyte` are installed.
Half blocks become rectangles, so that the codes in the image can be scanned.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import pty
import struct
import termios
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COLUMNS, LINES = 80, 44
CELL_WIDTH, CELL_HEIGHT = 9, 18
SECONDS_A_FRAME = 2.5
LEFT_THE_PAGE = b"\x1b[?1049l"

COLORS = {
    "default": "#d8dee9",
    "black": "#000000",
    "brown": "#e5c07b",
    "green": "#7ec699",
    "red": "#e06c75",
    "cyan": "#6cb6c2",
    "blue": "#6ca0d8",
    "magenta": "#c792ea",
    "white": "#ffffff",
    "brightblack": "#6b7385",
    "brightwhite": "#ffffff",
    "brightgreen": "#7ec699",
    "brightyellow": "#e5c07b",
}
BACKGROUND = "#1d2330"
BLANK = pyte.screens.Char(" ")
INK = {"█": (0, 1), "▀": (0, 0.5), "▄": (0.5, 1)}


def run_demo() -> list[list[dict[int, pyte.screens.Char]]]:
    """Run the demo in a separate terminal, and keep each screen that shows something new."""
    pid, terminal = pty.fork()
    if pid == 0:
        environment = os.environ | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        os.execvpe("plugchat", ["plugchat", "demo", "--fast"], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    frames: dict[str, list[dict[int, pyte.screens.Char]]] = {}
    while True:
        try:
            output = os.read(terminal, 65536)
        except OSError:  # the demo has ended
            break
        page, left, after = output.partition(LEFT_THE_PAGE)
        stream.feed(page)
        keep(frames, screen)
        if left:
            screen.reset()
            stream.feed(after)
    keep(frames, screen)
    os.waitpid(pid, 0)
    return list(frames.values())


def keep(frames: dict[str, list[dict[int, pyte.screens.Char]]], screen: pyte.Screen) -> None:
    """Keep a screen under its words without the countdown: the last one of each moment stays."""
    words = "".join(char for line in screen.display for char in line if char.isalpha())
    if "Ctrl" in words or "Linkedthephone" in words:
        frames[words] = [dict(screen.buffer[line]) for line in range(LINES)]


def draw(frame: list[dict[int, pyte.screens.Char]]) -> str:
    """Draw one screen: backgrounds and half blocks as areas, the rest as text."""
    areas: dict[str, list[str]] = {}
    words: list[str] = []
    for line, cells in enumerate(frame):
        row = [cells.get(column, BLANK) for column in range(COLUMNS)]
        for start, end, cell in runs(row, key=lambda cell: cell.bg):
            if cell.bg != "default":
                areas.setdefault(color(cell.bg), []).append(area(line, start, end, 0, 1))
        for start, end, cell in runs(
            row, key=lambda cell: (cell.data in INK and cell.data, cell.fg)
        ):
            if cell.data in INK:
                part = area(line, start, end, *INK[cell.data])
                areas.setdefault(color(cell.fg), []).append(part)
        for start, end, cell in runs(row, key=lambda cell: (is_word(cell), cell.fg, cell.bold)):
            if is_word(cell):
                said = "".join(each.data for each in row[start:end])
                words.append(text(said, line, start, cell))
    drawn = [f'<path fill="{fill}" d="{"".join(parts)}"/>' for fill, parts in areas.items()]
    # The page is black ink on white paper: what was set first lies below.
    drawn.sort(key=lambda path: COLORS["black"] in path)
    return "".join(drawn + words)


def runs(
    row: list[pyte.screens.Char], key: Callable[[pyte.screens.Char], object]
) -> Iterator[tuple[int, int, pyte.screens.Char]]:
    """Cut a row where something changes."""
    start = 0
    for _, group in itertools.groupby(row, key):
        cells = list(group)
        yield start, start + len(cells), cells[0]
        start += len(cells)


def is_word(cell: pyte.screens.Char) -> bool:
    """Tell what is written from what is drawn, and from nothing."""
    return bool(cell.data.strip()) and cell.data not in INK


def area(line: int, start: int, end: int, top: float, bottom: float) -> str:
    """Draw a part of some cells."""
    x, y = start * CELL_WIDTH, line * CELL_HEIGHT + round(CELL_HEIGHT * top)
    width, height = (end - start) * CELL_WIDTH, round(CELL_HEIGHT * (bottom - top))
    return f"M{x} {y}h{width}v{height}h-{width}z"


def text(said: str, line: int, start: int, cell: pyte.screens.Char) -> str:
    """Write a word where its cells are."""
    weight = ' font-weight="bold"' if cell.bold else ""
    return (
        f'<text x="{start * CELL_WIDTH}" y="{line * CELL_HEIGHT + 14}" fill="{color(cell.fg)}"'
        f' textLength="{len(said) * CELL_WIDTH}"{weight}>{escape(said)}</text>'
    )


def color(name: str) -> str:
    """Return the SVG name of a colour of the terminal."""
    return COLORS.get(name, f"#{name}")


def animate(frames: list[list[dict[int, pyte.screens.Char]]]) -> str:
    """Show the frames one after the other, without end; without animation the last one stays."""
    total = SECONDS_A_FRAME * len(frames)
    share = 100 / len(frames)
    delays = [number * SECONDS_A_FRAME - total for number in range(len(frames))]
    groups = [
        f'<g class="frame" style="animation-delay:{delay}s">{draw(frame)}</g>'
        for delay, frame in zip(delays, frames, strict=True)
    ]
    width, height = COLUMNS * CELL_WIDTH + 32, LINES * CELL_HEIGHT + 32
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>plugchat demo</title>
<style>
text {{ font: 15px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace }}
.frame {{ visibility: hidden; animation: show {total}s step-end infinite }}
@keyframes show {{ 0% {{ visibility: visible }} {share}% {{ visibility: hidden }} }}
</style>
<rect width="{width}" height="{height}" rx="12" fill="{BACKGROUND}"/>
<g transform="translate(16 16)" shape-rendering="crispEdges">
{chr(10).join(groups)}
</g>
</svg>
"""


if __name__ == "__main__":
    screens = run_demo()
    Path(__file__).with_name("demo.svg").write_text(animate(screens), "utf-8")
    print(f"{len(screens)} screens")

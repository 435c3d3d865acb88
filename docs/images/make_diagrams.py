"""Draw the diagrams, each from some lines of text: `python docs/images/make_diagrams.py`."""

from __future__ import annotations

import ast
import inspect
import runpy
import textwrap
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from plugchat_async._session import MOVES, Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent

STYLE = """
text { font: 14px ui-sans-serif, system-ui, sans-serif; fill: #1f2328; }
.small { font-size: 12px; fill: #57606a; }
.box { fill: #f6f8fa; stroke: #57606a; }
.line { stroke: #57606a; fill: none; }
.dashed { stroke-dasharray: 4 3; }
@media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117; }
  text { fill: #e6edf3; }
  .small { fill: #9198a1; }
  .box { fill: #161b22; stroke: #9198a1; }
  .line { stroke: #9198a1; }
  .head { fill: #9198a1; }
}
""".strip()


@dataclass(frozen=True)
class Message:
    """Message from one lane to another, or an event in one."""

    sender: int
    receiver: int
    words: str
    gap: int = 34


LANES = ["Your app", "plugchat-async", "PlugChat", "The phone"]

PAIRING = [
    Message(0, 1, "async for qr in pairing"),
    Message(1, 2, "GET /qr-code"),
    Message(2, 1, "a code, valid for 20 s"),
    Message(1, 0, "QRCode, round 1 of 3"),
    Message(1, 2, "GET /status, every 2 s"),
    Message(2, 1, "not connected"),
    Message(1, 2, "GET /qr-code, 15 s after the first", gap=54),
    Message(1, 0, "QRCode, round 2 of 3"),
    Message(3, 2, "scans it", gap=44),
    Message(1, 2, "GET /status"),
    Message(2, 1, "connected"),
    Message(1, 0, "the loop ends: CONNECTED"),
]

PLACES = {
    Phase.WATCHED: (20, 60),
    Phase.LINGERING: (340, 60),
    Phase.GRACE: (660, 60),
    Phase.REPORTING: (340, 216),
    Phase.ENDED: (20, 372),
    Phase.KEPT: (340, 372),
    Phase.FORGOTTEN: (660, 372),
}


@dataclass(frozen=True)
class Way:
    """Corners of the arrow from one phase to another, and the place of its words."""

    points: tuple[tuple[float, float], ...]
    words: tuple[float, float]
    anchor: str = "middle"
    width: int = 17


WAYS = {
    (Phase.WATCHED, Phase.LINGERING): Way(((230, 85), (340, 85)), (285, 62)),
    (Phase.LINGERING, Phase.WATCHED): Way(((340, 125), (230, 125)), (285, 142)),
    (Phase.LINGERING, Phase.GRACE): Way(((550, 103), (660, 103)), (605, 95)),
    (Phase.GRACE, Phase.WATCHED): Way(((765, 60), (765, 30), (125, 30), (125, 60)), (445, 22)),
    (Phase.WATCHED, Phase.REPORTING): Way(((125, 146), (125, 250), (340, 250)), (232, 242)),
    (Phase.LINGERING, Phase.REPORTING): Way(((445, 146), (445, 216)), (455, 185), "start"),
    (Phase.GRACE, Phase.REPORTING): Way(((765, 146), (765, 250), (550, 250)), (658, 242)),
    (Phase.REPORTING, Phase.ENDED): Way(((340, 284), (125, 284), (125, 372)), (135, 320), "start"),
    (Phase.REPORTING, Phase.FORGOTTEN): Way(
        ((550, 284), (765, 284), (765, 372)), (755, 320), "end", 22
    ),
    (Phase.ENDED, Phase.KEPT): Way(((230, 397), (340, 397)), (285, 374)),
    (Phase.KEPT, Phase.ENDED): Way(((340, 437), (230, 437)), (285, 454)),
    (Phase.KEPT, Phase.FORGOTTEN): Way(((550, 415), (660, 415)), (605, 392)),
    (Phase.ENDED, Phase.FORGOTTEN): Way(
        ((125, 458), (125, 488), (765, 488), (765, 458)), (445, 504)
    ),
}

LAYERS = runpy.run_path(str(HERE.parents[1] / "tests" / "layers.py"))["LAYERS"]


def sequence() -> str:
    """Draw who says what to whom, from the first code to the scan."""
    lane_width, top = 210, 60
    places = [90 + lane_width * number for number in range(len(LANES))]
    parts: list[str] = []
    y = top + 10
    for message in PAIRING:
        y += message.gap
        start, end = places[message.sender], places[message.receiver]
        tip = 7 if end > start else -7
        parts.append(line(start, y, end - tip, y))
        parts.append(arrow_head(end, y, -tip, 4))
        parts.append(text((start + end) / 2, y - 7, message.words, kind="small"))
    bottom = y + 24
    for place, name in zip(places, LANES, strict=True):
        parts.insert(0, line(place, top, place, bottom, dashed=True))
        parts.append(box(place - 70, 20, 140, 40))
        parts.append(text(place, 45, name))
    return svg(places[-1] + 90, bottom + 16, parts, "A pairing, from the first code to the scan")


def layers() -> str:
    """Draw the layers of the package: imports run downwards only."""
    parts: list[str] = []
    for number, layer in enumerate(LAYERS):
        y = 20 + 58 * number
        parts += [
            text(20, y + 28, layer.name, anchor="start", kind="small"),
            box(110, y, 490, 46),
            text(355, y + 28, " · ".join(layer.modules)),
            text(620, y + 28, layer.knows, anchor="start", kind="small"),
        ]
    return svg(900, 20 + 58 * len(LAYERS) + 10, parts, "The layers of the package, from the top")


def phases() -> str:
    """Draw the phases of a session in the hub, and what moves it from one to the next."""
    meanings = dict(documented_values(inspect.getsource(Phase)))
    events: dict[tuple[str, str], list[str]] = {}
    for (start, event), end in MOVES.items():
        events.setdefault((start, end), []).append(event)
    parts: list[str] = []
    for phase in Phase:
        x, y = PLACES[phase]
        parts += [box(x, y, 210, 86), text(x + 105, y + 22, phase)]
        parts += paragraph(x + 105, y + 40, textwrap.wrap(meanings[phase].replace("`", ""), 31))
    for move, names in events.items():
        way = WAYS[move]
        words = textwrap.wrap(" or ".join(names), way.width)
        parts += [*path(way.points), *paragraph(*way.words, words, anchor=way.anchor)]
    return svg(890, 520, parts, "The phases of a session in the hub")


def documented_values(source: str) -> Iterator[tuple[str, str]]:
    """Give each value of an enum with its docstring, which only the source has."""
    body = next(node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    for assignment, docstring in pairwise(body):
        if isinstance(assignment, ast.Assign) and isinstance(docstring, ast.Expr):
            yield ast.literal_eval(assignment.value), ast.literal_eval(docstring.value)


def path(points: tuple[tuple[float, float], ...]) -> list[str]:
    """Draw an arrow with corners."""
    (x1, y1), (x2, y2) = points[-2:]
    lines = " L ".join(f"{x} {y}" for x, y in points)
    if x1 == x2:
        head = arrow_head(x2, y2, 0, 8 if y2 < y1 else -8, upright=True)
    else:
        head = arrow_head(x2, y2, 7 if x2 < x1 else -7, 4)
    return [f'<path class="line" d="M {lines}"/>', head]


def paragraph(x: float, y: float, lines: list[str], *, anchor: str = "middle") -> list[str]:
    """Write lines of small text, one below the other."""
    return [
        text(x, y + 15 * number, line, anchor=anchor, kind="small")
        for number, line in enumerate(lines)
    ]


def arrow_head(x: float, y: float, back: float, side: float, *, upright: bool = False) -> str:
    """Draw the head of an arrow whose tip is at x and y."""
    if upright:
        points = f"{x},{y} {x - 4},{y + side} {x + 4},{y + side}"
    else:
        points = f"{x},{y} {x + back},{y - side} {x + back},{y + side}"
    return f'<polygon class="head" fill="#57606a" points="{points}"/>'


def line(x1: float, y1: float, x2: float, y2: float, *, dashed: bool = False) -> str:
    """Draw a line."""
    kind = "line dashed" if dashed else "line"
    return f'<path class="{kind}" d="M {x1} {y1} L {x2} {y2}"/>'


def box(x: float, y: float, width: float, height: float) -> str:
    """Draw a box with round corners."""
    return f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'


def text(x: float, y: float, words: str, *, anchor: str = "middle", kind: str = "") -> str:
    """Write a line of text."""
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def svg(width: float, height: float, parts: list[str], title: str) -> str:
    """Put the parts on paper, light or dark by what the reader prefers."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" fill="#fff" width="{width}" height="{height}" rx="8"/>',
            *parts,
            "</svg>\n",
        ]
    )


DIAGRAMS = {"pairing.svg": sequence, "layers.svg": layers, "hub-states.svg": phases}

if __name__ == "__main__":
    for name, draw in DIAGRAMS.items():
        (HERE / name).write_text(draw(), "utf-8")

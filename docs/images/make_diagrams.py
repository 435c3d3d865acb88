"""Draw the diagrams, each from some lines of text: `python docs/images/make_diagrams.py`."""

from __future__ import annotations

import runpy
from dataclasses import dataclass
from html import escape
from pathlib import Path

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
    """Say something from one lane to another, or what happens in one."""

    sender: int
    receiver: int
    words: str
    gap: int = 34


LANES = ["Your app", "plugchat-async", "PlugChat", "The phone"]

PAIRING = [
    Message(0, 1, "async for qr in pairing"),
    Message(1, 2, "GET /qr-code"),
    Message(2, 1, "a code, alive for 20 s"),
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


def states() -> str:
    """Draw how a session of the hub goes from state to state."""
    parts = [
        *state(30, 130, "Starting", "the first code is on its way"),
        *state(300, 130, "ShowingCode", "a new one every 15 s"),
        *state(570, 30, "Connected", "scanned, or linked before"),
        *state(570, 130, "Expired", "three codes, no scan"),
        *state(570, 230, "Failed", "an error, with its code"),
        *arrow(210, 155, 300, 155),
        *arrow(480, 147, 570, 65),
        *arrow(480, 155, 570, 155),
        *arrow(480, 163, 570, 245),
        '<path class="line" d="M 390 130 C 370 85, 410 85, 396 123"/>',
        arrow_head(393, 130, -2, -8, upright=True),
        text(390, 88, "next round", kind="small"),
        '<path class="line dashed" d="M 660 280 C 640 335, 120 335, 120 190"/>',
        arrow_head(120, 180, 0, 8, upright=True),
        text(390, 338, "restart(): the button, after any of the three endings", kind="small"),
    ]
    return svg(780, 360, parts, "The states of a session in the hub")


def state(x: float, y: float, name: str, what: str) -> list[str]:
    """Draw a state and its meaning."""
    return [
        box(x, y, 180, 50),
        text(x + 90, y + 22, name),
        text(x + 90, y + 40, what, kind="small"),
    ]


def arrow(x1: float, y1: float, x2: float, y2: float) -> list[str]:
    """Draw an arrow to the right."""
    return [line(x1, y1, x2 - 6, y2), arrow_head(x2, y2, -7, 4)]


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


DIAGRAMS = {"pairing.svg": sequence, "layers.svg": layers, "hub-states.svg": states}

if __name__ == "__main__":
    for name, draw in DIAGRAMS.items():
        (HERE / name).write_text(draw(), "utf-8")

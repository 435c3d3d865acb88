"""How long the event loop is held while one code is drawn, beside segno's default `segno.make`.

It is the CPU time of the loop's thread: how long the loop is held on a separate core. Ours
includes writing the SVG, PNG or text; segno's alone makes the symbol. Each turn has
another payload, so that nothing is drawn from memory, unless the same code is drawn again. A code
has about 240 characters; one of 2,000 is much denser.
"""

from __future__ import annotations

import itertools
import random
import string
import time
from functools import partial
from typing import TYPE_CHECKING

import segno

from plugchat_async import QRCode

from .figures import Figure

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 20
LENGTHS = (240, 2000)
USUAL = 240
RENDERINGS: dict[str, Callable[[QRCode], object]] = {
    "svg": QRCode.svg,
    "png": QRCode.png,
    "terminal": QRCode.terminal,
}

_choice = random.Random(0).choices


def measure() -> list[Figure]:
    """Draw in each form, at each length."""
    return [
        figure
        for length, rendering in itertools.product(LENGTHS, RENDERINGS)
        for figure in _measure(rendering, length)
    ]


def _measure(rendering: str, length: int) -> list[Figure]:
    draw = RENDERINGS[rendering]
    draw(_code(length))
    fresh, again = [], []
    for _ in range(RUNS):
        code = _code(length)
        first = _milliseconds(partial(draw, code))
        second = _milliseconds(partial(draw, code))
        default = _milliseconds(partial(segno.make, code.payload))
        fresh.append((first, default))
        again.append((second, default))
    compare = partial(Figure.from_pairs, unit="ms of CPU", against="`segno.make`")
    what = f"`{rendering}()`, {length:,} characters"
    if length != USUAL:
        return [compare(fresh, what=what)]
    return [
        compare(fresh, what=what, ratio_goal=0.35),
        compare(again, what=f"{what}, again", ratio_goal=0.01),
    ]


def _code(length: int) -> QRCode:
    characters = string.ascii_letters + string.digits + "+/,="
    return QRCode(payload="2@" + "".join(_choice(characters, k=length - 2)))


def _milliseconds(draw: Callable[[], object]) -> float:
    began = time.thread_time()
    draw()
    return (time.thread_time() - began) * 1000

"""One core for what is measured, another one for the server, if the system can pin them."""

from __future__ import annotations

import os
import sys


def pin_client() -> None:
    """Run this process, and what it starts, on the first core."""
    _pin(0)


def pin_server() -> None:
    """Run this process on the last core."""
    _pin(-1)


def unpin() -> None:
    """Run this process, and what it starts, on all cores."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


def _pin(place: int) -> None:
    # A child inherits its parent's mask, so that the machine's cores are asked for.
    unpin()
    if sys.platform == "linux":
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[place]})

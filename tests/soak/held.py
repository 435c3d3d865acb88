"""Resources of a process: tasks, descriptors, memory."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import NamedTuple

import anyio


class Held(NamedTuple):
    """Count what has to be given back.

    Attributes:
        tasks: Tasks of the running event loop.
        descriptors: Open files and sockets of the process.
        blocks: Pieces of memory that Python has in use: two or more for each object that is kept.
    """

    tasks: int
    descriptors: int
    blocks: int

    @classmethod
    def now(cls) -> Held:
        """Count, after all garbage was collected."""
        gc.collect()
        return cls(
            len(anyio.get_running_tasks()),
            len([*Path("/dev/fd").iterdir()]),
            sys.getallocatedblocks(),
        )

    def left_since(self, before: Held) -> Held:
        """Subtract what was held before."""
        return Held(*(now - then for now, then in zip(self, before, strict=True)))

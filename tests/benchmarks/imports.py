"""The import of the client, beside that of the two libraries that it stands on.

Each runs in a fresh interpreter that has compiled the modules before, and tells the CPU time,
user and system, of the import alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from tempfile import TemporaryDirectory

from .figures import Figure

RUNS = 60
OURS = "from plugchat_async import AsyncPlugChat"
THEIRS = "import httpx; from pydantic import BaseModel"


def measure() -> list[Figure]:
    """Import both in turns, after a first one that compiles."""
    with TemporaryDirectory() as compiled:
        _import(OURS, compiled)
        _import(THEIRS, compiled)
        pairs = [(_import(OURS, compiled), _import(THEIRS, compiled)) for _ in range(RUNS)]
    return [
        Figure.from_pairs(
            pairs, what=f"`{OURS}`", unit="ms of CPU", against=f"`{THEIRS}`", ratio_goal=1.10
        )
    ]


def _import(statement: str, compiled: str) -> float:
    program = (
        "import time; began = time.process_time();"
        f" {statement}; print((time.process_time() - began) * 1000)"
    )
    run = subprocess.run(
        [sys.executable, "-P", "-c", program],
        # An empty value is none: what was compiled is kept, whatever the environment says.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(run.stdout)

"""The import of the client, beside that of the two libraries that it stands on.

Each runs in a fresh interpreter that has compiled the modules before, and tells the CPU time,
user and system, of the import alone. The least that such a client can do is one model with one
checked field, for which pydantic imports most of what it has.
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
ONE_MODEL = """
import anyio, httpx
from pydantic import BaseModel, Field

class Code(BaseModel):
    payload: str = Field(min_length=1)
"""


def measure() -> list[Figure]:
    """Import each beside ours in turns, after a first time that compiles."""
    return [
        _compare(THEIRS, f"`{THEIRS}`", 1.10),
        _compare(ONE_MODEL, "httpx, anyio, and a model of one field", None),
    ]


def _compare(theirs: str, against: str, ratio_goal: float | None) -> Figure:
    with TemporaryDirectory() as compiled:
        _import(OURS, compiled)
        _import(theirs, compiled)
        pairs = [(_import(OURS, compiled), _import(theirs, compiled)) for _ in range(RUNS)]
    return Figure.from_pairs(
        pairs, what=f"`{OURS}`", unit="ms of CPU", against=against, ratio_goal=ratio_goal
    )


def _import(statement: str, compiled: str) -> float:
    program = (
        "import time; began = time.process_time()\n"
        f"{statement}\nprint((time.process_time() - began) * 1000)"
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

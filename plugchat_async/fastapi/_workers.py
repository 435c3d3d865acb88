"""How many worker processes the server runs, each of which has a separate hub in memory."""

from __future__ import annotations

import os
from inspect import currentframe
from traceback import walk_stack
from typing import Final

# Used by uvicorn from two workers on.
_UVICORN_WORKER: Final = "uvicorn.supervisors.multiprocess"
_UVICORN: Final = "uvicorn.server"
# Modules that call an app in a worker, with the variable and its attribute that hold the number.
_WORKERS: Final = {
    "gunicorn.arbiter": ("self", "num_workers"),
    "hypercorn.asyncio.run": ("config", "workers"),
    "hypercorn.trio.run": ("config", "workers"),
    "granian.server.common": ("self", "workers"),
}


def has_several_workers() -> bool:
    """Return whether the server that calls this code has several workers, if that can be told.

    A worker does not know of the others, but its call stack shows which server started it.
    """
    callers = {frame.f_globals.get("__name__"): frame for frame, _ in walk_stack(currentframe())}
    if _UVICORN_WORKER in callers:
        return True
    for module, (variable, attribute) in _WORKERS.items():
        if module in callers:
            owner = callers[module].f_locals.get(variable)
            return int(getattr(owner, attribute, 1)) > 1
    if _UVICORN in callers:
        return False
    concurrency = os.environ.get("WEB_CONCURRENCY", "")
    return concurrency.isdecimal() and int(concurrency) > 1

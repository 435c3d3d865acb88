"""JSON for scripts: one object on each line. `plugchat pair --help` documents its events.

A program that reads them ignores the keys that it does not know: new ones keep the version.
"""

from __future__ import annotations

import sys
from contextlib import suppress

_VERSION = 1


def wants_json() -> bool:
    """Return whether this process was asked for JSON, be it by a mistaken `--json=1`."""
    return any(argument.partition("=")[0] == "--json" for argument in sys.argv[1:])


def print_json(**values: object) -> None:
    """Print one object immediately, however standard output is buffered."""
    sys.stdout.write(as_line(**values))
    sys.stdout.flush()


def print_failure(code: str, message: str) -> None:
    """Print a failure if that is possible: people read it on standard error in any case."""
    with suppress(OSError):
        print_json(**failure(code, message))


def failure(code: str, message: str) -> dict[str, str]:
    """Return a failure, whose shape is the same in all commands."""
    return {"event": "failed", "code": code, "message": message}


def as_line(**values: object) -> str:
    """Return one object as a line."""
    import json  # not for `--help`, which needs none

    return json.dumps({"version": _VERSION, **values}, ensure_ascii=False) + "\n"

"""Events for scripts: a JSON object on each line. `plugchat pair --help` documents them.

A program that reads them ignores the keys that it does not know: new ones keep the version.
"""

from __future__ import annotations

import json

import typer

_VERSION = 1


def print_event(event: str, **values: object) -> None:
    """Print one event immediately, however standard output is buffered."""
    typer.echo(json.dumps({"version": _VERSION, "event": event, **values}, ensure_ascii=False))

"""JSON for scripts: one object on each line. `plugchat pair --help` documents its events.

A program that reads them ignores the keys that it does not know: new ones keep the version.
"""

import json

import typer

_VERSION = 1


def print_json(**values: object) -> None:
    """Print one object immediately, however standard output is buffered."""
    typer.echo(json.dumps({"version": _VERSION, **values}, ensure_ascii=False))

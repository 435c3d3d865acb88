"""JSON for scripts: one object on each line. `plugchat pair --help` documents its events.

A program that reads them ignores the keys that it does not know: new ones keep the version.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

_VERSION = 1


def print_event(event: str, **values: object) -> None:
    """Print one event immediately, however standard output is buffered."""
    _print(event=event, **values)


def print_result(model: BaseModel) -> None:
    """Print the result of a call."""
    _print(**model.model_dump(mode="json"))


def _print(**values: object) -> None:
    typer.echo(json.dumps({"version": _VERSION, **values}, ensure_ascii=False))

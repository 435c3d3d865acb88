"""What scripts read: one event a line, each a JSON object. `plugchat pair --help` documents them.

A program that reads them ignores the keys that it does not know: new ones keep the version.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from .stderr import say

if TYPE_CHECKING:
    from plugchat_async import QRCode

_VERSION = 1


class Events:
    """Show codes to a program; a screen."""

    def show(self, code: QRCode, *, seconds: float, note: str) -> None:
        """Print a code with its payload: whoever reads it can link a phone while it lives."""
        print_event("code", **code.model_dump(mode="json"), shown_for=seconds)
        self.note(note)

    def note(self, note: str) -> None:
        """Say it beside the events."""
        if note:
            say(note)


def print_event(event: str, **values: object) -> None:
    """Print one event at once, however standard output is buffered."""
    typer.echo(json.dumps({"version": _VERSION, "event": event, **values}, ensure_ascii=False))

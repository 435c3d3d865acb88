"""Messages on standard error: standard output is for the result alone."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap

import typer

from plugchat_async.cli._texts import text


def is_dumb() -> bool:
    """Return whether the terminal lacks escape sequences."""
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}


def allows_colors() -> bool:
    """Return whether the environment allows colours on a terminal."""
    return not (is_dumb() or os.environ.get("NO_COLOR"))


def say(message: str, *, label: str = "", color: str | None = None, dim: bool = False) -> None:
    """Write one message, wrapped on a terminal and on one line elsewhere.

    The label names its kind, such as an error. One that matters less is dim.
    """
    is_terminal = sys.stderr.isatty()
    label = f"{label}: " if label else ""
    if is_terminal:
        width = shutil.get_terminal_size().columns
        message = textwrap.fill(label + message, width, break_on_hyphens=False)[len(label) :]
    if is_terminal and allows_colors():
        label = label and typer.style(label, bold=True, fg=color)
        message = typer.style(message, dim=True) if dim else message
    typer.echo(label + message, err=True, color=is_terminal)


def warn(warning: str) -> None:
    """Write a warning."""
    say(warning, label=text("warning"), color="yellow")

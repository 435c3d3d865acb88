"""What is said on standard error, so that standard output holds only what was asked for."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from plugchat_async.cli._texts import texts


def say(*parts: str | tuple[str, str]) -> None:
    """Write one message; a part may come with its style."""
    is_terminal = sys.stderr.isatty()
    console = Console(stderr=True, force_terminal=is_terminal, highlight=False)
    # What is no terminal has no width: scripts and logs want a message on one line.
    console.print(Text.assemble(*parts), soft_wrap=not is_terminal)


def warn(warning: str) -> None:
    """Write a warning."""
    say((f"{texts().warning}: ", "bold yellow"), warning)

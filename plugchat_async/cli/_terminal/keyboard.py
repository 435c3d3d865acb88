"""Questions at the terminal."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def ask(question: str, read: Callable[[str], str] = input) -> str | None:
    """Return the line that is typed after the question was asked; None if the input is over.

    To `read` it, `getpass.getpass` shows no key.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    with suppress(ImportError):  # Windows has none, and forgets no keys
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    try:
        return read(question)
    except (EOFError, KeyboardInterrupt) as end:
        sys.stderr.write("\n")
        if isinstance(end, KeyboardInterrupt):
            raise
        return None


def ask_for_letter(question: str) -> str | None:
    """Return the first letter of what is typed, in lower case; empty for Enter alone."""
    line = ask(question)
    return None if line is None else line.strip()[:1].lower()

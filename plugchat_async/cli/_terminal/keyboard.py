"""Questions at the terminal."""

from __future__ import annotations

import sys
from contextlib import suppress


def ask(question: str) -> str | None:
    """Wait for a line that is typed after the question was asked.

    Returns:
        The line; None if the input is over.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    with suppress(ImportError):  # Windows has none, and forgets no keys
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    try:
        return input(question)
    except EOFError:
        sys.stdout.write("\n")
        return None
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        raise


def ask_for_enter(question: str) -> bool:
    """Return whether Enter was pressed, and neither "no" nor "quit" typed before it."""
    line = ask(question)
    return line is not None and line.strip()[:1].lower() not in {"n", "q"}

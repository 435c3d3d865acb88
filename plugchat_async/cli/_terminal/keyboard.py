"""Questions at the terminal."""

from __future__ import annotations

import sys
from contextlib import suppress


def ask(question: str) -> str | None:
    """Wait for a line that is typed after the question was asked.

    Returns:
        Its first letter, in lower case; empty for Enter alone, None if the input is over.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    with suppress(ImportError):  # Windows has none, and forgets no keys
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    try:
        return input(question).strip()[:1].lower()
    except EOFError:
        sys.stdout.write("\n")
        return None
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        raise


def ask_for_enter(question: str) -> bool:
    """Return whether Enter was pressed, and neither "no" nor "quit" typed before it."""
    return ask(question) not in {None, "n", "q"}

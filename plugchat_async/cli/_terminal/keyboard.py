"""Asking somebody at the terminal."""

from __future__ import annotations

import sys
from contextlib import suppress


def ask_for_enter(question: str) -> bool:
    """Wait for Enter, pressed after the question was put.

    Returns:
        False where there will be none: the input is over, or somebody typed "no" or "quit" first.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    _forget_keys()
    try:
        answer = input(question)
    except EOFError:
        sys.stdout.write("\n")
        return False
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        raise
    return answer.strip()[:1].lower() not in {"n", "q"}


def _forget_keys() -> None:
    """Throw away what was pressed while codes were on show: it answers no question."""
    with suppress(ImportError):  # Windows has none
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)

"""Standard input at a terminal."""

from __future__ import annotations

import os
import pty
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Keyboard:
    """A pseudo-terminal as standard input, at which somebody presses keys for each line.

    Attributes:
        keys: What is pressed for each line, in turn; Ctrl-D (4) is the end of the input.
    """

    keys: Iterator[bytes]

    def __init__(self) -> None:
        self._pressed, terminal = pty.openpty()
        self._terminal = os.fdopen(terminal)

    def press(self, keys: bytes) -> None:
        """Press keys for which nobody has asked."""
        os.write(self._pressed, keys)

    def readline(self) -> str:
        """Read a line, for which the next keys are pressed."""
        self.press(next(self.keys))
        return self._terminal.readline()

    def fileno(self) -> int:
        """Return the terminal's descriptor."""
        return self._terminal.fileno()

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._terminal.isatty()

    def close(self) -> None:
        """Close both ends."""
        self._terminal.close()
        os.close(self._pressed)

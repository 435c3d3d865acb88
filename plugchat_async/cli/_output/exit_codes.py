"""What the process tells the one that started it."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Name the exit codes; they are as public as the commands."""

    DONE = 0
    FAILURE = 1
    USAGE = 2
    ALREADY_CONNECTED = 3
    EXPIRED = 4
    INTERRUPTED = 130

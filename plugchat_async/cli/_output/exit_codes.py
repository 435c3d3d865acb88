"""Exit codes, by error code."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes, as public as the commands."""

    DONE = 0
    FAILURE = 1
    USAGE = 2
    ALREADY_CONNECTED = 3
    EXPIRED = 4
    INTERRUPTED = 130


_OF_FAILURES = {
    "already_connected": ExitCode.ALREADY_CONNECTED,
    "expired": ExitCode.EXPIRED,
    "demo_expired": ExitCode.EXPIRED,
    **dict.fromkeys(
        (
            *("no_token", "token_unusable", "token_quoted", "token_file_unreadable"),
            *("base_url_unusable", "base_url_quoted", "base_url_insecure"),
            *("output_wanted", "output_suffix", "output_unwritable", "output_exists"),
            *("compact_impossible", "not_confirmed"),
        ),
        ExitCode.USAGE,
    ),
}


def exit_code(code: str) -> ExitCode:
    """Return the exit code of a failure, given its error code."""
    return _OF_FAILURES.get(code, ExitCode.FAILURE)

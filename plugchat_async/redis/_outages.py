"""Log of outages of the server."""

from __future__ import annotations

import logging

import anyio
from coredis.exceptions import RedisError

logger = logging.getLogger("plugchat_async")

FAILURES = (
    RedisError,
    OSError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    RuntimeError,  # a user-supplied client was closed
)
_MAX_CAUSE = 200


class OutageLog:
    """Log of outages: each cause once, until a command succeeds again.

    Args:
        timeout: Seconds for a command.
        is_encrypted: Whether the connection was to be encrypted, which a server may not speak.
    """

    def __init__(self, timeout: float, *, is_encrypted: bool) -> None:
        self._timeout = timeout
        self._is_encrypted = is_encrypted
        self._causes: set[str] = set()

    def write(self, cause: str) -> None:
        """Log a cause, unless it was logged in this outage."""
        if cause not in self._causes:
            self._causes.add(cause)
            logger.warning("the pairing sessions in Redis can't be reached: %s", cause)

    def end(self) -> None:
        """Log the same causes again in the next outage."""
        self._causes.clear()

    def cause_of(self, error: BaseException) -> str:
        """Return what to say of an error."""
        text = str(error)
        if not text and isinstance(error, TimeoutError):
            text = f"no response within {self._timeout:g} s"
            if self._is_encrypted:
                text += ": check that the server speaks TLS on this port"
        return f"{type(error).__name__}: {text or 'the connection was closed'}"[:_MAX_CAUSE]


def first_of(group: BaseExceptionGroup[Exception]) -> BaseException:
    """Return the first exception that is not a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

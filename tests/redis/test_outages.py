"""Log of outages of the server."""

from __future__ import annotations

import anyio
import pytest
from coredis.exceptions import ConnectionError as CannotConnect

from plugchat_async.redis._outages import OutageLog, first_of


def test_a_cause_is_logged_once_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    """However many commands fail by it; the next outage begins anew."""
    outages = OutageLog(2.0, is_encrypted=False)
    for cause in ("refused", "refused", "no such host", "refused"):
        outages.write(cause)
    assert [record.args for record in caplog.records] == [("refused",), ("no such host",)]
    outages.end()
    outages.write("refused")
    assert len(caplog.records) == 3


@pytest.mark.parametrize(
    ("error", "is_encrypted", "cause"),
    [
        (CannotConnect("refused"), False, "ConnectionError: refused"),
        (TimeoutError(), False, "TimeoutError: no response within 2 s"),
        (
            TimeoutError(),
            True,
            "TimeoutError: no response within 2 s: check that the server speaks TLS on this port",
        ),
        (anyio.EndOfStream(), True, "EndOfStream: the connection was closed"),
        (OSError("x" * 999), False, "OSError: " + "x" * 191),
    ],
)
def test_a_cause_says_what_is_known(error: Exception, is_encrypted: bool, cause: str) -> None:
    """An error without a text, too, in at most 200 characters."""
    assert OutageLog(2.0, is_encrypted=is_encrypted).cause_of(error) == cause


def test_the_first_error_of_groups_in_groups() -> None:
    """As coredis wraps it."""
    error = ValueError()
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [error]), OSError()])
    assert first_of(group) is error

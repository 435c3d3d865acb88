"""A call on one line."""

from __future__ import annotations

from plugchat_async.cli._output import record as _record
from plugchat_async.sandbox import Call, Scan


def test_a_call_is_one_line_without_its_token() -> None:
    """When, what, and how it was answered, in columns."""
    call = Call("/qr-code", 12.34, "a-token", 200, "already_connected")
    assert _record.line(call) == "  12.3 s  GET /qr-code        200  already_connected"


def test_a_scan_is_one_line_without_token_and_phone() -> None:
    """With its time, in the same column."""
    assert (
        _record.line(Scan(5.0, "a-token", "5511999990000"))
        == "   5.0 s  the phone scanned the code"
    )

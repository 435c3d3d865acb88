"""A call or a scan on one line."""

from __future__ import annotations

from plugchat_async.cli._output.sandbox_log import SandboxLog
from plugchat_async.sandbox import Call, Scan


def test_a_call_is_one_line_without_its_token() -> None:
    """When, whose, what, and the response, in columns."""
    call = Call("/qr-code", 12.34, "a-token", 200, "already_connected")
    line = SandboxLog().line(call)
    assert line == "  12.3 s  #1  GET /qr-code         200  already_connected"


def test_a_scan_is_one_line_without_token_and_phone() -> None:
    """With its time, in the same column."""
    line = SandboxLog().line(Scan(5.0, "a-token", "5511999990000"))
    assert line == "   5.0 s  #1  the phone scanned the code"


def test_each_instance_has_a_name() -> None:
    """The same from its first call on; a call without a token belongs to none."""
    log = SandboxLog()
    tokens = ["one", "another", "one", None]
    lines = [log.line(Call("/status", 1.0, token, 200, "status")) for token in tokens]
    assert [line.split()[2] for line in lines] == ["#1", "#2", "#1", "-"]

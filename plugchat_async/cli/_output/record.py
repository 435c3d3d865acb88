"""The sandbox's record of calls and scans, for people to read."""

from __future__ import annotations

from plugchat_async.cli._texts import texts
from plugchat_async.sandbox import Call, Scan


def line(event: Call | Scan) -> str:
    """Write one event on one line: its time, and what was requested and returned, or the scan."""
    if isinstance(event, Scan):
        return f"{event.at:6.1f} s  {texts().sandbox_scanned}"
    return f"{event.at:6.1f} s  GET {event.endpoint:<14}  {event.status}  {event.answer}"

"""The sandbox's log of calls and scans, for people to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugchat_async.cli._texts import text
from plugchat_async.sandbox import Scan

if TYPE_CHECKING:
    from plugchat_async.sandbox import Call


class SandboxLog:
    """Lines about calls and scans, with a name for each instance instead of its token."""

    def __init__(self) -> None:
        self._names: dict[str | None, str] = {None: "-"}

    def line(self, event: Call | Scan) -> str:
        """Return one event on one line: its time, its instance, and what happened."""
        name = self._names.setdefault(event.token, f"#{len(self._names)}")
        what = text("sandbox.scanned")
        if not isinstance(event, Scan):
            what = f"GET {event.endpoint:<16} {event.status}  {event.answer}"
        return f"{event.at:6.1f} s  {name:<3} {what}"

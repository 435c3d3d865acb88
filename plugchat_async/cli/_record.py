"""The sandbox's record of calls, for people to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugchat_async.sandbox import Call


def line(call: Call) -> str:
    """Tell one call: when it came, what it asked, and which answer it got."""
    return f"{call.at:6.1f} s  GET {call.endpoint:<14}  {call.status}  {call.answer}"

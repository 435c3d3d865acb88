"""Calls to a sandbox, and their times."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugchat_async.sandbox import Sandbox


def codes_requested(sandbox: Sandbox) -> int:
    """Count the codes that were requested as text."""
    return len(requested_at(sandbox, "/qr-code"))


def requested_at(sandbox: Sandbox, endpoint: str) -> list[int]:
    """Return the seconds at which an endpoint was asked, by the sandbox's clock."""
    return [round(call.at) for call in sandbox.calls if call.endpoint == endpoint]

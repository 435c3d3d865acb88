"""Local PlugChat simulator, for tests and demonstrations, with every known response."""

from __future__ import annotations

from ._answers import ANSWERS
from ._sandbox import Call, Sandbox, Scan

__all__ = ["ANSWERS", "Call", "Sandbox", "Scan"]

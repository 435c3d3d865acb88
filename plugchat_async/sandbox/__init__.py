"""A PlugChat of one's own: for tests, demonstrations, and every answer it can give."""

from __future__ import annotations

from ._answers import ANSWERS
from ._sandbox import Call, Sandbox, Scan

__all__ = ["ANSWERS", "Call", "Sandbox", "Scan"]

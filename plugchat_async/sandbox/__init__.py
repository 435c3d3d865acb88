"""Local PlugChat simulator, for tests and demonstrations, with every known response."""

from __future__ import annotations

from ._answers import ANSWERS
from ._record import Action, Call, Scan
from ._sandbox import Sandbox

__all__ = ["ANSWERS", "Action", "Call", "Sandbox", "Scan"]

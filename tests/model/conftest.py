"""A profile for more than each run has the time for."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("thorough")

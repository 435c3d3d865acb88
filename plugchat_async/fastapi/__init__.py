"""The live page for FastAPI apps; needs the extra `[fastapi]`."""

from __future__ import annotations

try:
    from ._router import pairing_router
except ImportError as _missing:
    raise ImportError(
        "the live page needs FastAPI 0.135 or later, and Jinja2:"
        " pip install 'plugchat-async[fastapi]'"
    ) from _missing

__all__ = ["pairing_router"]

"""The live page for FastAPI apps; needs the extra `[fastapi]`."""

from __future__ import annotations

try:
    from ._router import pairing_router
except ImportError as _missing:
    from plugchat_async._extras import missing

    raise ImportError(
        missing("the live page", "FastAPI 0.135 or later and Jinja2", "fastapi")
    ) from _missing

__all__ = ["pairing_router"]

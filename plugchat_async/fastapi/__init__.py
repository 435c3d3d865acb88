"""The live page for FastAPI apps; needs the extra `[fastapi]`."""

from __future__ import annotations

try:
    from ._links import PairingLinks, PairingTicket
    from ._router import pairing_router
    from ._theme import PairingTheme
except ImportError as _missing:
    from plugchat_async._extras import missing

    raise ImportError(
        missing("the live page", "FastAPI 0.135 or later, itsdangerous and Jinja2", "fastapi")
    ) from _missing

__all__ = ["PairingLinks", "PairingTheme", "PairingTicket", "pairing_router"]

"""One session per instance across processes and hosts, over Redis; needs the extra `[redis]`."""

from __future__ import annotations

try:
    from ._hub import RedisPairingHub
except ImportError as _missing:
    from plugchat_async._extras import missing

    raise ImportError(
        missing("the hub over Redis", "coredis 6.5 or later and cryptography", "redis")
    ) from _missing

__all__ = ["RedisPairingHub"]

"""One session per instance across processes and hosts, over Redis; needs the extra `[redis]`."""

from __future__ import annotations

try:
    from . import _seal as _seal
    from . import _store as _store
except ImportError as _missing:
    from plugchat_async._extras import missing

    raise ImportError(
        missing("the hub over Redis", "coredis 6.5 or later and cryptography", "redis")
    ) from _missing

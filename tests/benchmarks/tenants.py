"""One more tenant: a client by `for_token()`, beside a separate `httpx.AsyncClient()`.

None of them makes a call. Memory is what the process grows by while the clients are kept, so that
OpenSSL's copy of the CA bundle counts, too.
"""

from __future__ import annotations

import time
from functools import partial

import httpx

from plugchat_async import AsyncPlugChat

from .figures import Figure
from .processes import in_fresh_process, resident_kibibytes

RUNS = 5
OURS_IN_PARALLEL = 100_000
THEIRS_IN_PARALLEL = 50


def measure() -> list[Figure]:
    """Make many clients of each kind, in turns."""
    costs = [(in_fresh_process(_make_ours), in_fresh_process(_make_theirs)) for _ in range(RUNS)]
    compare = partial(
        Figure.from_pairs,
        what="another tenant's client by `for_token()`",
        against="`httpx.AsyncClient()`",
    )
    microseconds = [(ours[0], theirs[0]) for ours, theirs in costs]
    kibibytes = [(ours[1], theirs[1]) for ours, theirs in costs]
    return [
        compare(microseconds, unit="µs of CPU", goal=30.0),
        compare(kibibytes, unit="KiB", goal=1.0),
    ]


def _make_ours() -> tuple[float, float]:
    client = AsyncPlugChat("token")
    client.for_token("token")
    tokens = [f"token-of-tenant-{number:08}" for number in range(OURS_IN_PARALLEL)]
    size, began = resident_kibibytes(), time.process_time()
    kept = [client.for_token(token) for token in tokens]
    took, grown = time.process_time() - began, resident_kibibytes() - size
    return took * 1e6 / len(kept), grown / len(kept)


def _make_theirs() -> tuple[float, float]:
    httpx.AsyncClient()
    size, began = resident_kibibytes(), time.process_time()
    kept = [httpx.AsyncClient() for _ in range(THEIRS_IN_PARALLEL)]
    took, grown = time.process_time() - began, resident_kibibytes() - size
    return took * 1e6 / len(kept), grown / len(kept)

"""10,000 streams in one process, their rounds spread over 15 s, on an API that answers in 100 ms.

Each stream is of a tenant of its own, made by `for_token()`, and asks for three codes. A code is
late by the time from the moment it was due to its arrival, beyond the API's own 100 ms.
`gc.freeze()` is called once all streams have started.
"""

from __future__ import annotations

from functools import partial

import anyio

from .figures import Figure, percentile_99
from .processes import in_fresh_process
from .server import Sightings, serving
from .streams import INTERVAL, Run, run_streams

STREAMS = 10_000
ROUNDS = 3
SLOTS = 100
API_SECONDS = 0.1


def measure() -> list[Figure]:
    """Run the streams on both event loops, and once more with `gc.freeze()`."""
    on_asyncio, frozen, on_trio = (
        in_fresh_process(_run, backend, freeze_at)
        for backend, freeze_at in (("asyncio", None), ("asyncio", INTERVAL), ("trio", None))
    )
    return [
        *_figures("asyncio", *on_asyncio, latest=100.0, cores=0.6),
        *_figures("trio", *on_trio, latest=200.0, cores=None),
        Figure.from_pairs(
            [(_lateness(frozen[0]), _lateness(on_asyncio[0]))],
            what="99 % of codes late by less, with `gc.freeze()`",
            unit="ms",
            against="without it",
        ),
    ]


def _run(backend: str, freeze_at: float | None) -> tuple[Run, Sightings]:
    with serving() as server:
        server.take(API_SECONDS)
        start = partial(
            run_streams,
            server.base_url,
            starts=[INTERVAL * number / STREAMS for number in range(STREAMS)],
            max_rounds=ROUNDS,
            freeze_at=freeze_at,
        )
        return anyio.run(start, backend=backend), server.take(0)


def _figures(
    backend: str, run: Run, seen: Sightings, *, latest: float, cores: float | None
) -> list[Figure]:
    expected = STREAMS * ROUNDS
    return [
        Figure(
            what=f"codes missing of {expected:,}, {backend}",
            measured=expected - len(run.waits),
            unit="codes",
            goal=0,
        ),
        Figure(
            what=f"connections opened, {backend}",
            measured=seen.opened,
            unit="connections",
            goal=SLOTS,
        ),
        Figure(
            what=f"99 % of codes late by less, {backend}",
            measured=_lateness(run),
            unit="ms",
            goal=latest,
        ),
        Figure(
            what=f"CPU, {backend}",
            measured=run.cpu_seconds / run.seconds,
            unit="of a core",
            goal=cores,
        ),
    ]


def _lateness(run: Run) -> float:
    return (percentile_99(run.waits) - API_SECONDS) * 1000

"""10,000 streams in one process, their rounds spread over 15 s, on an API that responds in 100 ms.

Each stream is of a separate tenant, made by `for_token()`, and asks for three codes. A code is
late by the time from the moment it was due to its arrival, beyond the API's own 100 ms. GC tuning
is what the guide to scaling says about the garbage collector.
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
    """Run the streams on both event loops, with Python's collector as it is and held back."""
    return [
        figure
        for backend, latest, cores in (("asyncio", 100.0, 0.6), ("trio", 200.0, None))
        for held_back in (False, True)
        for figure in _figures(
            f"{backend}, with GC tuning" if held_back else backend,
            *in_fresh_process(_run, backend, held_back),
            latest=latest,
            cores=cores,
        )
    ]


def _run(backend: str, holds_collector_back: bool) -> tuple[Run, Sightings]:
    with serving() as server:
        server.take(API_SECONDS)
        start = partial(
            run_streams,
            server.base_url,
            starts=[INTERVAL * number / STREAMS for number in range(STREAMS)],
            max_rounds=ROUNDS,
            holds_collector_back=holds_collector_back,
        )
        return anyio.run(start, backend=backend), server.take(0)


def _figures(
    how: str, run: Run, seen: Sightings, *, latest: float, cores: float | None
) -> list[Figure]:
    expected = STREAMS * ROUNDS
    return [
        Figure(
            what=f"codes missing of {expected:,}, {how}",
            measured=expected - len(run.waits),
            unit="codes",
            goal=0,
        ),
        Figure(
            what=f"connections opened, {how}",
            measured=seen.opened,
            unit="connections",
            goal=SLOTS,
        ),
        Figure(
            what=f"p99 lateness of codes, {how}",
            measured=(percentile_99(run.waits) - API_SECONDS) * 1000,
            unit="ms",
            goal=latest,
        ),
        Figure(
            what=f"CPU, {how}",
            measured=run.cpu_seconds / run.seconds,
            unit="of a core",
            goal=cores,
        ),
    ]

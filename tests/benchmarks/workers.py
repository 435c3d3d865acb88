"""Four processes with one Redis: how late changes are, and what an instance costs.

A change is timed from the moment at which the process that leads hands a code to its store to the
moment at which a watcher in another process sees it. Between two codes, the same process publishes
a message of the same length with the same client, coredis, and the same other processes subscribe
to it. The processes are not pinned to cores, and the API is a mock in each of them. Commands are
scripts that Redis was sent by all processes, each of which watches the instance. An instance that
waits is one that nobody watches any more, with a code that may still be scanned. The environment
variable `INSTANCES` sets how many instances show a code, 1,000 by default.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from .figures import Figure, percentile_99
from .redis_process import serve_redis
from .workers_process import worker

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from .redis_process import RedisProcess
    from .workers_process import Worker

PROCESSES = 4
ROUNDS = 300
INSTANCES = int(os.environ.get("INSTANCES", "1000"))
SECONDS = 15.0


def measure() -> list[Figure]:
    """Measure one thing after another, each with separate processes."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    with serve_redis() as redis:
        return [*_lateness(redis), *_costs_of_one(redis), *_costs_of_many(redis)]


@contextmanager
def _workers(redis: RedisProcess, **settings: Any) -> Generator[list[Worker]]:
    redis.ask("FLUSHALL")
    with ExitStack() as stack:
        yield [stack.enter_context(worker(redis.url, **settings)) for _ in range(PROCESSES)]


def _lateness(redis: RedisProcess) -> list[Figure]:
    settings = {"interval": 0.1, "max_rounds": ROUNDS, "status_interval": None}
    with _workers(redis, **settings) as (leader, *others):
        leader.call("cpu_seconds")  # as soon as it is ready
        leader.begin("lead", ROUNDS)
        time.sleep(1.0)
        for other in others:
            other.call("follow")
        leader.result()
        written, published = leader.call("moments", "written", "published")
        pairs = []
        for other in others:
            seen, heard = other.call("moments", "seen", "heard")
            pairs += [
                ((seen[key] - written[key]) * 1000, (heard[key] - published[key]) * 1000)
                for key in sorted(seen.keys() & written.keys() & heard.keys())
            ]
            other.call("leave")
    latest = [(percentile_99([one for one, _ in pairs]), percentile_99([two for _, two in pairs]))]
    against = "a bare publish/subscribe"
    return [
        Figure.from_pairs(each, what=what, unit="ms", against=against, ratio_goal=2.0)
        for each, what in [
            (pairs, "a change at watchers in other processes, median"),
            (latest, "the same, 99th percentile"),
        ]
    ]


def _costs_of_one(redis: RedisProcess) -> list[Figure]:
    figures = []
    with _workers(redis) as workers:
        _together(workers, "watch", 1, "showing_code")
        figures.append(_commands(redis, "shows a code"))
        (key,) = redis.ask("KEYS", "plugchat:{*").split()
        kibibytes = int(redis.ask("MEMORY", "USAGE", key, "SAMPLES", "0")) / 1024
        _together(workers, "leave")
        time.sleep(3.0)
        figures.append(_commands(redis, "waits"))
    with _workers(redis, interval=0.1, max_rounds=1) as workers:
        _together(workers, "watch", 1, "expired")
        figures.append(_commands(redis, "has ended"))
        _together(workers, "leave")
    memory = Figure(what="memory in Redis for an instance", measured=kibibytes, unit="KiB")
    return [*figures, memory]


def _costs_of_many(redis: RedisProcess) -> list[Figure]:
    with _workers(redis, interval=20) as workers:
        _together(workers, "watch", INSTANCES, "showing_code")
        workers_before, redis_before = _together(workers, "cpu_seconds"), _cpu_seconds(redis)
        redis.ask("CONFIG", "RESETSTAT")
        began = time.monotonic()
        time.sleep(SECONDS)
        scripts, seconds = _scripts(redis), time.monotonic() - began
        used = [
            (after - before) / seconds
            for before, after in zip(workers_before, _together(workers, "cpu_seconds"), strict=True)
        ]
        of_redis = (_cpu_seconds(redis) - redis_before) / seconds
        _together(workers, "leave")
    what = f"{INSTANCES:,} instances that show a code"
    return [
        Figure(what=f"{what}, each process", measured=statistics.mean(used), unit="cores"),
        Figure(what=f"{what}, Redis", measured=of_redis, unit="cores"),
        Figure(what=f"{what}, commands", measured=scripts / seconds, unit="a second"),
    ]


def _together(workers: list[Worker], name: str, *arguments: object) -> list[Any]:
    for each in workers:
        each.begin(name, *arguments)
    return [each.result() for each in workers]


def _commands(redis: RedisProcess, what: str) -> Figure:
    redis.ask("CONFIG", "RESETSTAT")
    time.sleep(SECONDS)
    rate = _scripts(redis) / SECONDS
    return Figure(what=f"commands of an instance that {what}", measured=rate, unit="a second")


def _scripts(redis: RedisProcess) -> int:
    found = re.findall(r"cmdstat_eval(?:sha)?:calls=(\d+)", redis.ask("INFO", "commandstats"))
    return sum(map(int, found))


def _cpu_seconds(redis: RedisProcess) -> float:
    found = re.findall(r"used_cpu_(?:sys|user):([\d.]+)", redis.ask("INFO", "cpu"))
    return sum(map(float, found))

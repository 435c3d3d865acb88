"""Results of a run: its figures, each beside its alternative, and the machine."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

PACKAGES = (
    *("httpx", "httpcore", "anyio", "pydantic", "segno", "trio"),
    *("httpx-aiohttp", "aiohttp", "coredis"),
)

Pairs = Sequence[tuple[float, float]]
"""The measured value and its alternative, from each turn."""


class Ratio(BaseModel):
    """One thing over the other: the median of all turns, and where half of them lie."""

    model_config = ConfigDict(frozen=True)

    median: float
    lower_quartile: float
    upper_quartile: float


class Figure(BaseModel):
    """One row of the table.

    Attributes:
        what: What was measured.
        measured: What came out, in `unit`.
        unit: Of `measured` and of `alternative`.
        against: What it is compared with.
        alternative: What came out there.
        ratio: The one over the other.
        goal: The most that `measured` may be.
        ratio_goal: The most that the ratio's median may be.
    """

    model_config = ConfigDict(frozen=True)

    what: str
    measured: float
    unit: str
    against: str = ""
    alternative: float | None = None
    ratio: Ratio | None = None
    goal: float | None = None
    ratio_goal: float | None = None

    @classmethod
    def from_pairs(
        cls,
        pairs: Pairs,
        *,
        what: str,
        unit: str,
        against: str,
        goal: float | None = None,
        ratio_goal: float | None = None,
    ) -> Self:
        """Compare two things that were measured in turns, or counted once."""
        measured, alternative = zip(*pairs, strict=True)
        ratios = [one / other for one, other in pairs]
        lower, median, upper = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        return cls(
            what=what,
            measured=statistics.median(measured),
            unit=unit,
            against=against,
            alternative=statistics.median(alternative),
            ratio=Ratio(median=median, lower_quartile=lower, upper_quartile=upper),
            goal=goal,
            ratio_goal=ratio_goal,
        )

    @property
    def is_met(self) -> bool | None:
        """Whether the goal was reached; None if there is none."""
        if self.ratio_goal is not None and self.ratio is not None:
            return self.ratio.median <= self.ratio_goal
        return None if self.goal is None else self.measured <= self.goal


def _describe_machine() -> str:
    cpus = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (cpus.read_text("utf-8").splitlines() if cpus.exists() else [])
        if line.startswith("model name")
    ]
    model = models[0] if models else platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores of {model}, {platform.system()} {platform.release()}"


class Report(BaseModel):
    """The figures of one run, by subject, and what they were measured on."""

    day: date = Field(default_factory=date.today)
    machine: str = Field(default_factory=_describe_machine)
    load_before: float = Field(default_factory=lambda: os.getloadavg()[0])
    versions: dict[str, str] = Field(
        default_factory=lambda: {
            "Python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
        }
    )
    figures: dict[str, list[Figure]] = {}


def percentile_99(values: Sequence[float]) -> float:
    """Give what 99 of 100 values stay below."""
    return statistics.quantiles(values, n=100)[98]

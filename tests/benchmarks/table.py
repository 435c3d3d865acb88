"""The figures as a table: for a terminal, and as a page of the documentation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .figures import Figure, Report

HEADINGS = ("what", "measured", "beside", "ratio (quartiles)", "goal", "met")
VERDICTS = {True: "yes", False: "no", None: ""}
# Where nothing tells the width, as in a log, it is this.
WIDTH_OF_A_LOG = 150


def show(report: Report) -> None:
    """Print the table."""
    table = Table(*HEADINGS, title=f"{report.day}, {report.machine}")
    for figures in report.figures.values():
        for figure in figures:
            table.add_row(*_cells(figure))
        table.add_section()
    console = Console(markup=False, width=None if sys.stdout.isatty() else WIDTH_OF_A_LOG)
    console.print(table)


def page(report: Report, subjects: Mapping[str, str]) -> str:
    """Write the page: what each subject says of itself, and its figures."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    parts = [
        _INTRODUCTION,
        f"Measured on {report.day} on {report.machine}, with {versions}.",
        f"The load average of the minute before was {report.load_before:.1f}.\n",
    ]
    for subject, figures in report.figures.items():
        summary, _, details = subjects[subject].partition("\n\n")
        parts += [
            f"## {subject}\n",
            " ".join(summary.split()) + "\n",
            *([details.strip() + "\n"] if details else []),
            _row(HEADINGS),
            _row(["---"] * len(HEADINGS)),
            *(_row(_cells(figure)) for figure in figures),
            "",
        ]
    return "\n".join(parts)


_INTRODUCTION = """\
# Benchmarks

Each figure stands beside an alternative that was measured in the same run. Look at the ratio: a
slower machine slows both. Both take turns, A B A B; the table shows the median of the ratios and
their interquartile range. The server is a separate process on another core. Goals are upper
limits: of the ratio or, with a unit, of the figure itself.

```console
$ nox -s bench -- --json figures.json --markdown docs/reference/benchmarks.md
$ nox -s bench -- per_call drawing
```

The first command measures everything and writes this page. The second one measures two subjects.
Timings in seconds and milliseconds need an otherwise idle machine.
"""


def _cells(figure: Figure) -> list[str]:
    return [
        figure.what,
        _quantity(figure.measured, figure.unit),
        ""
        if figure.alternative is None
        else f"{_quantity(figure.alternative, figure.unit)}, {figure.against}",
        _ratio(figure),
        _goal(figure),
        VERDICTS[figure.is_met],
    ]


def _ratio(figure: Figure) -> str:
    if figure.ratio is None:
        return ""
    lower, upper = _number(figure.ratio.lower_quartile), _number(figure.ratio.upper_quartile)
    median = _number(figure.ratio.median)
    return median if lower == upper else f"{median} ({lower} to {upper})"


def _goal(figure: Figure) -> str:
    if figure.ratio_goal is not None:
        return f"≤ {figure.ratio_goal:.2f}"
    return "" if figure.goal is None else f"≤ {_quantity(figure.goal, figure.unit)}"


def _quantity(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}".strip()


def _number(value: float) -> str:
    """Write three digits that count, and whole numbers as they are."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:#.3g}"


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"

"""Results of a run of the tools: scores, complaints and the tables of the page. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .mutants import keys

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .mutants import Mutant

    Scores = Mapping[tuple[str, str], tuple[int, int]]
    Reasons = Mapping[str, Mapping[str, str]]

MIN_PERCENT = 95

MARK = "<!-- as found -->\n"
TOTALS = """
| Module | Tool | Mutants | Killed | Survived | Score |
|---|---|---|---|---|---|
"""
SURVIVORS = """
## Surviving mutants

| Function | Mutation | Why it makes no difference |
|---|---|---|
"""


def scores(mutants: Collection[Mutant]) -> Scores:
    """Count the mutants of each module and tool, and those of them that were killed."""
    counted: dict[tuple[str, str], tuple[int, int]] = {}
    for mutant in mutants:
        count, killed = counted.get((mutant.module, mutant.tool), (0, 0))
        counted[mutant.module, mutant.tool] = count + 1, killed + mutant.is_killed
    return counted


def complaints(mutants: Collection[Mutant], reasons: Reasons) -> list[str]:
    """List what must not stay: survivors without a reason, reasons without one, low scores."""
    survived = keys(mutant for mutant in mutants if not mutant.is_killed)
    given = {(where, change) for where, changes in reasons.items() for change in changes}
    return [
        *(f"no reason for {where}: {change}" for where, change in sorted(survived - given)),
        *(f"no survivor in {where}: {change}" for where, change in sorted(given - survived)),
        *(
            f"killed too few: {module}, {tool}, {killed} of {count}"
            for (module, tool), (count, killed) in scores(mutants).items()
            if 100 * killed < MIN_PERCENT * count
        ),
    ]


def page(published: str, mutants: Collection[Mutant], reasons: Reasons) -> str:
    """Return the page with the tables of this run below its mark."""
    totals = [
        f"| `{module}` | {tool} | {count} | {killed} | {count - killed} |"
        f" {100 * killed / count:.1f} % |\n"
        for (module, tool), (count, killed) in scores(mutants).items()
    ]
    prose, mark, _ = published.partition(MARK)
    return f"{prose}{mark}{TOTALS}{''.join(totals)}{survivors(reasons)}"


def survivors(reasons: Reasons) -> str:
    """Return the table of what no test notices, and why it makes no difference."""
    rows = [
        f"| `{where}` | {_code(change)} | {reason} |\n"
        for where, changes in sorted(reasons.items())
        for change, reason in sorted(changes.items())
    ]
    return SURVIVORS + "".join(rows)


def _code(text: str) -> str:
    return f"`` {text} ``".replace("|", "\\|")

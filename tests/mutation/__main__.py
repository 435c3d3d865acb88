"""Report which changes to the code the tests notice: `nox -s mutation`, after the tools have run.

It writes the tables of the documentation's page. It fails where the tests notice too little, where
a change that they do not notice has no reason in `survivors.toml`, and where a reason is out of
date.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "mutation.md"
MODULES = ("_wire", "_stream", "_pairing", "_hub", "_http")
TOOLS = ("mutmut", "cosmic-ray")
LEAST_PERCENT = 95

# A run that does not end in its time was noticed, too.
KILLED = {"killed", "timeout"}
MUTANT_OF_MUTMUT = re.compile(r" *plugchat_async\.(\w+)\.x(?:_|ǁ([^ǁ]+)ǁ)(\w+)__mutmut_\d+: (.+)")

MARK = "<!-- as found -->\n"
TOTALS = """
| Module | Tool | Mutants | Killed | Survived | Score |
|---|---|---|---|---|---|
"""
SURVIVORS = """
## What no test notices

| Where | What was there | What it became | Why it makes no difference |
|---|---|---|---|
"""


class Mutant(NamedTuple):
    """One change, where it was made, and whether a test failed by it."""

    module: str
    tool: str
    is_killed: bool
    place: str
    was: str
    became: str


def main() -> None:
    """Report on the run in a folder, the present one."""
    mutants = [*by_mutmut(), *by_cosmic_ray()]
    survivors = {mutant for mutant in mutants if not mutant.is_killed}
    reasons = {
        (entry["was"], became): entry["reason"]
        for entry in tomllib.loads((HERE / "survivors.toml").read_text("utf-8"))["survivors"]
        for became in entry["became"]
    }
    changes = {(mutant.was, mutant.became) for mutant in survivors}
    scores = {
        (module, tool): score(
            [each.is_killed for each in mutants if (each.module, each.tool) == (module, tool)]
        )
        for module in MODULES
        for tool in TOOLS
    }
    complaints = [
        *(f"no test notices, for no reason: {change}" for change in sorted(changes - {*reasons})),
        *(f"a reason for what is noticed: {change}" for change in sorted({*reasons} - changes)),
        *(f"too little: {at}" for at, (*_, percent) in scores.items() if percent < LEAST_PERCENT),
    ]
    if complaints:
        sys.exit("\n".join(complaints))
    prose, mark, _ = PAGE.read_text("utf-8").partition(MARK)
    PAGE.write_text(prose + mark + tables(scores, survivors, reasons), "utf-8")


def by_mutmut() -> Iterator[Mutant]:
    """Read what mutmut found."""
    for line in output("mutmut", "results", "--all", "true").splitlines():
        found = MUTANT_OF_MUTMUT.fullmatch(line)
        assert found, line
        module, owner, function, status = found.groups()
        is_killed = status in KILLED
        diff = "" if is_killed else output("mutmut", "show", line.split(":")[0].strip())
        place = f"{owner}.{function}" if owner else function
        yield Mutant(module, "mutmut", is_killed, place, sides(diff, "-"), sides(diff, "+"))


def by_cosmic_ray() -> Iterator[Mutant]:
    """Read what cosmic-ray found."""
    for module in MODULES:
        for line in output("cosmic-ray", "dump", f"{module}.sqlite").splitlines():
            work, result = json.loads(line)
            # Filtered, or a change that the tool failed to make.
            if result["worker_outcome"] != "normal":
                continue
            (mutation,) = work["mutations"]
            is_killed = result["test_outcome"] in KILLED
            place = mutation["definition_name"] or "the module"
            diff = result["diff"]
            yield Mutant(module, "cosmic-ray", is_killed, place, sides(diff, "-"), sides(diff, "+"))


def output(*command: str) -> str:
    """Run a tool, and take what it prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def sides(diff: str, sign: str) -> str:
    """Take what was removed, or added, in one line."""
    lines = (line for line in diff.splitlines() if line[:1] == sign and line[:3] != sign * 3)
    return " ".join(line[1:].strip() for line in lines)


def score(killed: list[bool]) -> tuple[int, int, float]:
    """Count the mutants and the killed ones, and tell their share."""
    return len(killed), sum(killed), 100 * sum(killed) / len(killed)


def tables(
    scores: Mapping[tuple[str, str], tuple[int, int, float]],
    survivors: set[Mutant],
    reasons: Mapping[tuple[str, str], str],
) -> str:
    """Write what the page says below its mark."""
    totals = [
        f"| `{module}.py` | {tool} | {count} | {killed} | {count - killed} | {percent:.1f} % |\n"
        for (module, tool), (count, killed, percent) in scores.items()
    ]
    rows = {
        f"| `{mutant.module}.py`, `{mutant.place}` | {code(mutant.was)} | {code(mutant.became)}"
        f" | {reasons[mutant.was, mutant.became]} |\n"
        for mutant in survivors
    }
    return TOTALS + "".join(totals) + SURVIVORS + "".join(sorted(rows))


def code(text: str) -> str:
    """Show code in a cell."""
    return f"`` {text} ``".replace("|", "\\|") if text else "nothing"


if __name__ == "__main__":
    main()

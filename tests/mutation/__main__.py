"""Report which changes to the code the tests notice: `nox -s mutation`, after the tools have run.

It writes the tables of the documentation's page. It fails if the tests kill too few mutants, if a
survivor has no reason in `survivors.toml`, and if a reason has no survivor.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path

from .mutants import by_cosmic_ray, by_mutmut
from .report import complaints, page

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "mutation.md"


def main(folder: Path) -> None:
    """Report on the run in a folder."""
    run = partial(output, folder)
    mutants = [
        *by_mutmut(run("mutmut", "results", "--all", "true"), partial(run, "mutmut", "show"))
    ]
    for session in sorted(folder.glob("*.sqlite")):
        dump = run("cosmic-ray", "dump", session.name)
        mutants += by_cosmic_ray(dump, lambda path: (folder / path).read_text("utf-8"))
    reasons = tomllib.loads((HERE / "survivors.toml").read_text("utf-8"))
    if complained := complaints(mutants, reasons):
        sys.exit("\n".join(complained))
    PAGE.write_text(page(PAGE.read_text("utf-8"), mutants, reasons), "utf-8")


def output(folder: Path, *command: str) -> str:
    """Run a tool, and return what it prints."""
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The package has the dependencies that its documentation lists."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "dependencies.md"


def declared() -> set[tuple[str, ...]]:
    """Read package, lowest version and extra of each direct dependency."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {
        (*requirement.split(">="), extra)
        for extra, requirements in groups.items()
        for requirement in requirements
        if not requirement.startswith("plugchat-async")
    }


def documented() -> list[list[str]]:
    """Read the rows of the page's table."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def test_each_dependency_is_documented() -> None:
    """With the lowest version and the extra that `pyproject.toml` gives it, and no other is."""
    assert {tuple(row[:3]) for row in documented()} == declared()


def test_each_dependency_has_a_reason_and_a_licence() -> None:
    """Nothing is there by habit."""
    assert all(reason and licence for *_, reason, licence in documented())

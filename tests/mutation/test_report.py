"""The report of a run: what it complains of, and the tables that it writes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from pkgutil import resolve_name

from .mutants import Mutant
from .report import MARK, complaints, page, survivors

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "mutation.md"

KILLED = Mutant("_stream", "rounds", "mutmut", is_killed=True, diff="")
SURVIVOR = Mutant(
    "_hub",
    "Watcher.__init__",
    "cosmic-ray",
    is_killed=False,
    diff="-    self._seen: State = None\n+    self._seen: State = x | y\n",
)
REASONS = {"_hub.Watcher.__init__": {"None -> x | y": "Both are new."}}


def test_a_survivor_with_its_reason_is_fine() -> None:
    """As long as the others of its module and tool are killed."""
    others = [SURVIVOR._replace(is_killed=True)] * 19
    assert complaints([KILLED, SURVIVOR, *others], REASONS) == []


def test_survivors_reasons_and_scores_are_complained_of() -> None:
    """Each by its function and mutation, a score by its module and tool."""
    mutants = [KILLED, SURVIVOR, *[SURVIVOR._replace(is_killed=True)] * 18]
    stale = {"_hub.Watcher.__init__": {"None -> y": "?"}, "_stream": {"1 -> 2": "?"}}
    assert complaints(mutants, stale) == [
        "no reason for _hub.Watcher.__init__: None -> x | y",
        "no survivor in _hub.Watcher.__init__: None -> y",
        "no survivor in _stream: 1 -> 2",
        "killed too few: _hub, cosmic-ray, 18 of 19",
    ]


def test_the_page_has_the_tables_of_the_run() -> None:
    """Below its mark, and the prose above unchanged."""
    published = f"# Mutation testing\n\n{MARK}\n| old |\n"
    assert page(published, [KILLED, KILLED, SURVIVOR], REASONS) == (
        f"# Mutation testing\n\n{MARK}"
        "\n"
        "| Module | Tool | Mutants | Killed | Survived | Score |\n"
        "|---|---|---|---|---|---|\n"
        "| `_stream` | mutmut | 2 | 2 | 0 | 100.0 % |\n"
        "| `_hub` | cosmic-ray | 1 | 0 | 1 | 0.0 % |\n"
        "\n"
        "## Surviving mutants\n"
        "\n"
        "| Function | Mutation | Why it makes no difference |\n"
        "|---|---|---|\n"
        "| `_hub.Watcher.__init__` | `` None -> x \\| y `` | Both are new. |\n"
    )


def test_the_published_page_has_the_reasons() -> None:
    """Also those that were written since its run."""
    reasons = tomllib.loads((HERE / "survivors.toml").read_text("utf-8"))
    assert PAGE.read_text("utf-8").endswith(survivors(reasons))


def test_each_reason_is_of_a_function_that_exists() -> None:
    """One that was renamed takes its reasons along."""
    for where in tomllib.loads((HERE / "survivors.toml").read_text("utf-8")):
        assert resolve_name(f"plugchat_async.{where}")

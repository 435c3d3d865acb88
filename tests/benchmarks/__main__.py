"""Measure, print the table, and write it down."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from . import table
from .cores import pin_client
from .figures import Report
from .processes import in_fresh_process

SUBJECTS = (
    "per_call",
    "aiohttp_transport",
    "imports",
    "command",
    "tenants",
    "memory",
    "scale",
    "simultaneous",
    "cancelling",
    "user_supplied",
    "drawing",
    "broadcast",
    "viewers",
    "first_code",
    "workers",
    "alternatives",
)


def main() -> None:
    """Run the subjects that were asked for."""
    arguments = _arguments()
    modules = {name: importlib.import_module(f".{name}", __package__) for name in SUBJECTS}
    if arguments.figures_from is not None:
        report = Report.model_validate_json(arguments.figures_from.read_bytes())
    else:
        pin_client()
        report = Report()
        for name in arguments.subjects or SUBJECTS:
            report.figures[name] = in_fresh_process(modules[name].measure)
    table.show(report)
    if arguments.json is not None:
        arguments.json.write_text(report.model_dump_json(indent=2) + "\n", "utf-8")
    if arguments.markdown is not None:
        explanations = {name: module.__doc__ or "" for name, module in modules.items()}
        arguments.markdown.write_text(table.page(report, explanations), "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument(
        "subjects", nargs="*", metavar="SUBJECT", help=f"one of {', '.join(SUBJECTS)}; all of them"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the figures as a page")
    parser.add_argument(
        "--from",
        dest="figures_from",
        type=Path,
        metavar="FILE",
        help="show the figures of an earlier run's JSON, and measure nothing",
    )
    arguments = parser.parse_args()
    for subject in arguments.subjects:
        if subject not in SUBJECTS:
            parser.error(f"no such subject: {subject}")
    return arguments


if __name__ == "__main__":
    main()

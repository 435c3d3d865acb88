# /// script
# dependencies = ["nox[uv]"]
# ///
"""What is run here and in CI: `nox -s tests`, `nox -s types`, `nox -s lint`."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.sessions = ["tests", "types", "lint"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
IN_REAL_PROGRAMS = "*_in_browser.py,*_in_tmux.py"


def install_wheel(session: nox.Session, *groups: str, extras: str = "all") -> None:
    """Build the wheel and install it, so that it is tested and not the tree."""
    folder = Path(session.create_tmp()) / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    session.install("build", "hatchling")
    session.run(
        "python", "-m", "build", "--wheel", "--no-isolation", f"--outdir={folder}", silent=True
    )
    (wheel,) = folder.glob("*.whl")
    session.install(
        f"plugchat-async[{extras}] @ {wheel.resolve().as_uri()}",
        *(nox.project.dependency_groups(PROJECT, *groups)),
    )


def pytest(session: nox.Session, *arguments: str, concurrency: str = "thread") -> None:
    # By its path: `python -m` would put this folder, and with it the tree, in front of the wheel.
    program = str(Path(session.bin) / "pytest")
    # A file of its own, so that sessions can run side by side.
    session.env["COVERAGE_FILE"] = str(Path(session.create_tmp()).resolve() / "coverage")
    session.run("coverage", "erase")
    session.run("coverage", "run", f"--concurrency={concurrency}", program, *arguments)
    session.run("coverage", "combine")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests against the built wheel, on each supported Python that is there."""
    install_wheel(session, "tests")
    pytest(session, *session.posargs)
    if not session.posargs:
        # What needs a terminal or a browser is covered by the session of its own.
        session.run("coverage", "report", f"--omit={IN_REAL_PROGRAMS}")


@nox.session(python=PYTHONS[0])
def types(session: nox.Session) -> None:
    """Check the types as strictly as mypy and pyright can."""
    install_wheel(session, "types")
    session.run("mypy")
    session.run("pyright")


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(python=PYTHONS[0])
def journeys(session: nox.Session) -> None:
    """Drive a real terminal (tmux) and a real browser (Chromium) through the package."""
    install_wheel(session, "tests", "browser")
    # Playwright runs its loop in a greenlet.
    pytest(session, "-m", "browser or tmux", *session.posargs, concurrency="greenlet,thread")
    if not session.posargs:
        session.run("coverage", "report", f"--include={IN_REAL_PROGRAMS}")


@nox.session(python=PYTHONS[0])
def bench(session: nox.Session) -> None:
    """Print ratios against the alternatives, measured in one run: `nox -s bench -- --json FILE`."""
    install_wheel(session)
    session.run("python", "tests/benchmarks/broadcast.py", *session.posargs)

"""One call of other packages, beside httpx by hand: HTTP clients, and SDKs of similar gateways.

Each has a separate environment, made for this run from PyPI, with httpx and sniffio in it. The
call is the one that asks for a code as text, or else the nearest that the package has.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

from .contenders import CONTENDERS
from .figures import Figure
from .server import Server, serving


def measure() -> list[Figure]:
    """Make the environments, and measure in one after another."""
    with serving() as server, TemporaryDirectory() as folder:
        return [
            figure
            for package in CONTENDERS
            for figure in _measure(package, Path(folder) / package, server)
        ]


def _measure(package: str, environment: Path, server: Server) -> list[Figure]:
    venv.create(environment, with_pip=True)
    python = str(environment / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    install = [python, "-m", "pip", "install", "-qq", "httpx", "sniffio", package]
    if subprocess.run(install, check=False).returncode != 0:
        print(f"{package} does not install, and is left out", file=sys.stderr)
        return []
    run = subprocess.run(
        [python, "-P", "-m", "benchmarks.contenders", package, server.origin],
        check=True,
        capture_output=True,
        text=True,
    )
    return [
        Figure.from_pairs(
            json.loads(run.stdout),
            what=f"{package}, {CONTENDERS[package].__doc__}".rstrip("."),
            unit="µs of CPU",
            against="httpx by hand",
        )
    ]

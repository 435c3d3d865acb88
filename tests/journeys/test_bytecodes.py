"""A call costs less than one that is written by hand, on both event loops."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = Path(__file__).parents[1] / "benchmarks" / "bytecodes.py"


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, float]]:
    """Count in a separate process: here, something else may be tracing."""
    counted = subprocess.run(
        [sys.executable, COUNT, "--json"], check=True, capture_output=True, text=True
    )
    figures: dict[str, dict[str, float]] = json.loads(counted.stdout)
    return figures


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_call_runs_fewer_bytecodes_than_httpx_by_hand(
    figures: dict[str, dict[str, float]], backend: str
) -> None:
    """Deadline, limits, retries, reading of the response and model included."""
    assert figures[backend]["ratio"] <= 1.0

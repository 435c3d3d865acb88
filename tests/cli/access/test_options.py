"""Options that are wrong are told before anything is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_timeout_is_a_positive_number_of_seconds(run: Run, seconds: str) -> None:
    """Exit code 2, naming the option."""
    ran = run("status", "--timeout", seconds)
    assert ran.exit_code == 2
    assert "--timeout" in ran.err


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon"])
def test_a_scan_comes_after_a_number_of_seconds(run: Run, seconds: str) -> None:
    """Exit code 2, naming the option."""
    ran = run("sandbox", "--scan-after", seconds)
    assert ran.exit_code == 2
    assert "--scan-after" in ran.err


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_is_between_0_and_65535(run: Run, port: str) -> None:
    """Exit code 2, naming the option."""
    ran = run("sandbox", "--port", port)
    assert ran.exit_code == 2
    assert "--port" in ran.err

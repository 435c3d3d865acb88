"""Many tenants link their phones in parallel while much goes wrong; the ledger has to be right.

The small run is a journey; `nox -s soak` makes the large one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio
import looptime
import pytest

from .play import Soak
from .scripts import VIRTUAL

if TYPE_CHECKING:
    from collections.abc import Generator

    from .conftest import Audit
    from .ledger import Session

pytestmark = [pytest.mark.anyio, pytest.mark.journey]

A_LEAK = 1000
"""Blocks of memory; a large run that kept one object for each session would keep more."""


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


@pytest.fixture(autouse=True)
def _without_log() -> Generator[None]:
    """Keep pytest from keeping records, if an example has set the level of the root logger."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


async def play(seed: int, *, tenants: int, sessions: int) -> list[Session]:
    """Play a soak and give its ledger."""
    began = anyio.current_time()

    def clock() -> float:
        return anyio.current_time() - began

    soak = Soak(seed, tenants, sessions, VIRTUAL, clock)
    return await soak.run(soak.sandbox.client("nobody"))


@pytest.mark.parametrize(
    ("tenants", "sessions"), [(10, 100), pytest.param(200, 2000, marks=pytest.mark.soak)]
)
async def test_every_session_obeys_the_rules_and_leaves_nothing(
    audit: Audit, seed: int, tenants: int, sessions: int
) -> None:
    """One outcome that agrees with the phone, no call after it, and nothing held afterwards."""
    await play(seed, tenants=5, sessions=20)  # fills what is filled once
    left = await audit(play(seed, tenants=tenants, sessions=sessions), at_least=sessions)
    assert (left.tasks, left.descriptors) == (0, 0)
    assert left.blocks < A_LEAK


def test_a_seed_tells_the_whole_soak(seed: int) -> None:
    """It can be played again, event by event; trio takes turns in a random order."""

    async def lines() -> list[str]:
        return [session.line() for session in await play(seed, tenants=3, sessions=20)]

    def told() -> list[str]:
        options = {"loop_factory": lambda: looptime.new_event_loop(start=0)}
        return anyio.run(lines, backend_options=options)

    assert told() == told()

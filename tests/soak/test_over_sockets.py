"""The same over real sockets, at fifty times the speed: codes are valid for 0.4 s.

The small run is a journey; `nox -s soak` makes the large one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from plugchat_async import AsyncPlugChat

from .play import Soak
from .scripts import OVER_SOCKETS

if TYPE_CHECKING:
    from .conftest import Audit
    from .ledger import Session

pytestmark = [pytest.mark.anyio, pytest.mark.journey]


async def play(seed: int, *, tenants: int, sessions: int) -> list[Session]:
    """Play a soak over one pool of connections, fewer than there are tenants."""
    began = time.monotonic()

    def clock() -> float:
        return (time.monotonic() - began) / OVER_SOCKETS.unit

    soak = Soak(seed, tenants, sessions, OVER_SOCKETS, clock)
    async with (
        soak.sandbox.serve() as base_url,
        AsyncPlugChat("nobody", base_url=base_url, max_connections=(tenants + 1) // 2) as client,
    ):
        return await soak.run(client)


@pytest.mark.parametrize(
    ("tenants", "sessions"), [(4, 8), pytest.param(40, 200, marks=pytest.mark.soak)]
)
async def test_every_session_obeys_the_rules_and_gives_its_sockets_back(
    audit: Audit, seed: int, tenants: int, sessions: int
) -> None:
    """One outcome that agrees with the phone, no call after it, and nothing held afterwards."""
    await play(seed, tenants=1, sessions=1)  # opens what is opened once
    left = await audit(play(seed, tenants=tenants, sessions=sessions), at_least=sessions)
    assert (left.tasks, left.descriptors) == (0, 0)

"""Clean-up is bounded, and goes on during a cancellation."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from plugchat_async._http.closing import close

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let seconds pass in no time."""
    return virtual_time


class Peer:
    """A connection whose peer takes some seconds to let go."""

    is_closed = False

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def aclose(self) -> None:
        """Wait for the peer."""
        await anyio.sleep(self.seconds)
        self.is_closed = True


@pytest.mark.parametrize(("seconds", "is_closed"), [(0.9, True), (3600, False)])
@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_closing_takes_a_second_at_most(
    seconds: float, is_closed: bool, is_cancelled: bool
) -> None:
    """A peer that never lets go is left, whatever is being cancelled."""
    peer = Peer(seconds)
    with anyio.CancelScope() as giving_up:
        if is_cancelled:
            giving_up.cancel()
        await close(peer)
    assert peer.is_closed is is_closed
    assert anyio.current_time() < 60

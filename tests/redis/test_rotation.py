"""Replacing the secret by three deploys, each of which leaves no process without a session."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from plugchat_async import Expired, ShowingCode
from plugchat_async.sandbox import Sandbox
from tests.sandbox_calls import codes_requested

from .memory_hub import MemoryHub
from .memory_store import MemoryServer

pytestmark = pytest.mark.anyio

OLD, NEW = "o" * 32, "n" * 32
DEPLOYS = [[OLD], [OLD, NEW], [NEW, OLD], [NEW]]


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


@pytest.mark.parametrize("begins_after", [False, True], ids=["begun before", "begun after"])
@pytest.mark.parametrize("number", [1, 2, 3])
async def test_the_processes_of_two_deploys_share_a_session(
    number: int, begins_after: bool
) -> None:
    """Whichever of them began it; and any of them may be started again meanwhile."""
    sandbox, server = Sandbox(clock=anyio.current_time), MemoryServer()
    before, after = DEPLOYS[number - 1 : number + 1]
    async with AsyncExitStack() as stack:
        hubs = [
            await stack.enter_async_context(MemoryHub(server, secret=secret))
            for secret in (before, after, before, after)
        ]
        first, second = hubs[begins_after], hubs[not begins_after]
        async with first.watch(sandbox.client()) as states:
            while not isinstance(await anext(states), ShowingCode):
                pass
            async with second.watch(sandbox.client()) as others:
                while not isinstance(await anext(others), Expired):
                    pass
    assert codes_requested(sandbox) == 3


async def test_a_deploy_that_is_left_out_is_refused() -> None:
    """The processes of the one before can't be started again."""
    server = MemoryServer()
    async with MemoryHub(server, secret=DEPLOYS[0]), MemoryHub(server, secret=DEPLOYS[2]):
        with pytest.raises(ValueError, match="another secret is in use"):
            async with MemoryHub(server, secret=DEPLOYS[0]):
                pass  # pragma: no cover

"""The guard of the whole suite: inside the package, nothing holds up asyncio's loop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from blockbuster import BlockingError

if TYPE_CHECKING:
    from plugchat_async import AsyncPlugChat

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


async def test_a_call_that_would_block_is_caught(plugchat_client: AsyncPlugChat) -> None:
    """The guard is on, and sees whatever is called from a module of the package."""
    with pytest.raises(BlockingError, match=r"time\.sleep"):
        await plugchat_client.pairing().wait(lambda _: time.sleep(0))


async def test_blocking_calls_of_a_test_itself_are_allowed() -> None:
    """Servers and files of the tests may block."""
    time.sleep(0)  # noqa: ASYNC251 - that it blocks is what is tested

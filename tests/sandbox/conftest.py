"""Fixtures of the sandbox's tests: a clock that only they move, and calls over plain httpx."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import Mock

import httpx
import pytest

from plugchat_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@pytest.fixture
def clock() -> Mock:
    """Return a clock that shows its `return_value`."""
    return Mock(return_value=100.0)


@pytest.fixture
def sandbox(clock: Mock) -> Sandbox:
    """Return a sandbox on the time of `clock`."""
    return Sandbox(clock=clock)


@pytest.fixture
def ask(sandbox: Sandbox) -> Callable[..., Awaitable[httpx.Response]]:
    """Return a function that calls the sandbox in-process, without the SDK."""

    async def ask(
        endpoint: str, token: str = "token-a", *, of: Sandbox = sandbox
    ) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(of)) as client:
            return await client.get(
                f"http://sandbox.localhost/api/whatsapp{endpoint}",
                headers={"Authorization": token},
            )

    return ask

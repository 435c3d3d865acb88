"""Fixtures for pytest: a local PlugChat simulator, and a client that talks to it.

Name the module in the `conftest.py` at the root of your tests:

    pytest_plugins = ["plugchat_async.testing"]

Then test on asyncio, with pytest-asyncio or anyio's plugin, or on trio:

    @pytest.mark.anyio
    async def test_my_bot_links_the_phone(plugchat_sandbox, plugchat_client):
        qr = await plugchat_client.qr_code()
        assert plugchat_sandbox.scan(qr.payload)
        assert (await plugchat_client.status()).connected
"""

from __future__ import annotations

try:
    import pytest
except ImportError as _missing:
    raise ImportError("plugchat_async.testing needs pytest: pip install pytest") from _missing

from typing import TYPE_CHECKING

from plugchat_async.sandbox import Sandbox

if TYPE_CHECKING:
    from plugchat_async import AsyncPlugChat

__all__ = ["plugchat_client", "plugchat_sandbox"]


@pytest.fixture
def plugchat_sandbox() -> Sandbox:
    """Return a fresh sandbox that accepts any token; needs the extra `[sandbox]`."""
    return Sandbox()


@pytest.fixture
def plugchat_client(plugchat_sandbox: Sandbox) -> AsyncPlugChat:
    """Return a client of `plugchat_sandbox`, in-process; there is nothing to close."""
    return plugchat_sandbox.client()

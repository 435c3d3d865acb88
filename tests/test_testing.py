"""The fixtures work under every plugin that runs async tests, and open nothing by themselves."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from plugchat_async import AsyncPlugChat
    from plugchat_async.sandbox import Sandbox


async def link(sandbox: Sandbox, client: AsyncPlugChat) -> None:
    """Go the whole way from a code to a linked phone."""
    qr = await client.qr_code()
    assert sandbox.scan(qr.payload)
    assert (await client.status()).connected
    assert [call.endpoint for call in sandbox.calls] == ["/qr-code", "/status"]


@pytest.mark.anyio
async def test_the_fixtures_work_under_anyio_s_plugin(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """The client talks to the sandbox, on asyncio and on trio."""
    await link(plugchat_sandbox, plugchat_client)


@pytest.mark.asyncio
async def test_the_fixtures_work_under_pytest_asyncio(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """The client talks to the sandbox in strict mode."""
    await link(plugchat_sandbox, plugchat_client)


def test_nothing_is_asked_before_the_first_call(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """A test that is not async can have the fixtures as well, each test fresh ones."""
    assert "token" not in repr(plugchat_client)
    assert plugchat_sandbox.calls == ()


def test_the_module_names_its_fixtures() -> None:
    """The names are sorted, and each is there."""
    module = importlib.import_module("plugchat_async.testing")
    assert module.__all__ == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


def test_without_pytest_the_module_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ImportError says what to install."""
    monkeypatch.setitem(sys.modules, "pytest", None)
    monkeypatch.delitem(sys.modules, "plugchat_async.testing")
    with pytest.raises(ImportError, match="pip install pytest"):
        importlib.import_module("plugchat_async.testing")

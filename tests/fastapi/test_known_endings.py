"""Which browsers that connect again are told to stop, in virtual time and of both hubs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from plugchat_async import (
    AsyncPlugChat,
    Connected,
    Expired,
    PairingHub,
    ShowingCode,
    Starting,
)
from plugchat_async.fastapi._events import event_id
from plugchat_async.fastapi._known_endings import KnownEndings
from plugchat_async.sandbox import Sandbox
from tests.redis.memory_hub import MemoryHub
from tests.sandbox_calls import codes_requested

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from plugchat_async import PairingState

pytestmark = pytest.mark.anyio

EXPIRED_ELSEWHERE = event_id(Expired(), "elsewhere")


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


@pytest.fixture(params=[PairingHub, MemoryHub])
async def hub(anyio_backend: object, request: pytest.FixtureRequest) -> AsyncGenerator[PairingHub]:
    """Give a hub whose endings are forgotten as soon as nobody watches, if a phone is linked."""
    async with request.param(linger=0, max_rounds=1) as hub:
        yield hub


@pytest.fixture
async def sandbox(anyio_backend: object) -> Sandbox:
    """Give a sandbox in virtual time."""
    return Sandbox(clock=anyio.current_time)


class Page:
    """The stream of a page whose `EventSource` nobody closes.

    Attributes:
        endings: What the router remembers.
        last_event_id: The identifier of the event that the browser has seen last.
    """

    def __init__(self, hub: PairingHub, client: AsyncPlugChat) -> None:
        self.endings = KnownEndings()
        self.last_event_id = ""
        self._hub = hub
        self._client = client

    async def is_told_to_stop(self) -> bool:
        """Return whether a request gets 204."""
        return await self.endings.include(self._hub, self._client, self.last_event_id)

    async def see(self, *kinds: type[PairingState]) -> None:
        """Watch until a state of one of the kinds is told."""
        async with self._hub.watch(self._client) as watcher:
            async for state in watcher:
                self.last_event_id = event_id(state, watcher.version)
                if isinstance(state, kinds):
                    break
            self.endings.add(self._client, watcher.version)


async def test_the_present_ending_is_told_once(hub: PairingHub, sandbox: Sandbox) -> None:
    """A browser that has seen it is told to stop; any other must see it."""
    page = Page(hub, sandbox.client())
    assert not await page.is_told_to_stop()
    await page.see(ShowingCode)
    assert not await page.is_told_to_stop()
    await page.see(Expired)
    await anyio.sleep(60)
    assert await page.is_told_to_stop()
    first = page.last_event_id
    await hub.restart(sandbox.client())
    await page.see(Expired)
    assert await page.is_told_to_stop()
    page.last_event_id = first
    assert not await page.is_told_to_stop()


async def test_a_running_session_is_never_withheld(hub: PairingHub, sandbox: Sandbox) -> None:
    """Whatever the browser has seen before."""
    page = Page(hub, sandbox.client())
    await page.see(Expired)
    await hub.restart(sandbox.client())
    async with hub.watch(sandbox.client()) as watcher:
        while isinstance(await anext(watcher), Expired):
            pass
        assert not await page.is_told_to_stop()


async def test_an_ending_that_was_forgotten_is_known_for_as_long_as_browsers_come_back(
    hub: PairingHub, sandbox: Sandbox
) -> None:
    """They begin no session; one that comes later does, since the phone may be unlinked by then."""
    client, other = sandbox.client(), sandbox.client().for_token("another")
    sandbox.answer_next("already_connected")
    page = Page(hub, client)
    await page.see(Connected)
    await anyio.sleep(5)
    assert await hub.state(client) is None
    assert await page.is_told_to_stop()
    assert codes_requested(sandbox) == 1
    assert not await page.endings.include(hub, client, EXPIRED_ELSEWHERE)
    assert not await page.endings.include(hub, other, page.last_event_id)
    await anyio.sleep(6)
    assert not await page.is_told_to_stop()
    page.endings.add(other, "")
    await page.see(Starting)
    assert not await page.is_told_to_stop()

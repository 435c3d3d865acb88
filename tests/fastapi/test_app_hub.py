"""Which hub the routes use, and for how long it is open."""

from __future__ import annotations

from contextlib import AsyncExitStack, nullcontext
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI

from plugchat_async import PairingHub, TooManyWatchers
from plugchat_async.fastapi._app_hub import AppHub
from plugchat_async.sandbox import Sandbox
from tests.redis.memory_hub import MemoryHub

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


async def test_a_separate_hub_is_open_for_as_long_as_the_app_runs(sandbox: Sandbox) -> None:
    """An app that runs again, as in tests, gets a new one."""
    client, app_hub = sandbox.client(), AppHub(None)
    for _ in range(2):
        async with app_hub.lifespan(FastAPI()):
            hub = app_hub.hub
            assert await hub.state(client) is None
        with pytest.raises(RuntimeError, match="closed"):
            await hub.state(client)


async def test_its_own_hub_has_a_limit(sandbox: Sandbox) -> None:
    """A hundred windows of one instance, and not one more."""
    app_hub = AppHub(None)
    async with app_hub.lifespan(FastAPI()), AsyncExitStack() as stack:
        client = sandbox.client()
        for _ in range(100):
            await stack.enter_async_context(app_hub.hub.watch(client))
        with pytest.raises(TooManyWatchers):
            await stack.enter_async_context(app_hub.hub.watch(client))


async def test_without_a_lifespan_the_error_says_what_to_do() -> None:
    """As in an app that is mounted."""
    app_hub = AppHub(None)
    with pytest.raises(RuntimeError, match="Pass hub="):
        _ = app_hub.hub
    with pytest.raises(ZeroDivisionError):
        async with app_hub.lifespan(FastAPI()):
            raise ZeroDivisionError
    with pytest.raises(RuntimeError, match="Pass hub="):
        _ = app_hub.hub


async def test_a_router_that_is_included_twice_has_one_hub() -> None:
    """The app runs its lifespan twice, one inside of the other."""
    app, app_hub = FastAPI(), AppHub(None)
    async with app_hub.lifespan(app):
        hub = app_hub.hub
        async with app_hub.lifespan(app):
            assert app_hub.hub is hub
        assert app_hub.hub is hub


async def test_a_router_of_two_apps_at_the_same_time_is_refused() -> None:
    """At the start of the second, with what to do; one after the other is fine."""
    app_hub = AppHub(None)
    async with app_hub.lifespan(FastAPI()):
        hub = app_hub.hub
        with pytest.raises(RuntimeError, match=r"another app .* calling pairing_router\(\) twice"):
            async with app_hub.lifespan(FastAPI()):
                raise AssertionError
        assert app_hub.hub is hub
    async with app_hub.lifespan(FastAPI()):
        assert app_hub.hub is not hub


async def test_a_hub_that_was_given_is_used_and_left_open(sandbox: Sandbox) -> None:
    """Its owner opens and closes it."""
    async with PairingHub() as hub:
        app_hub = AppHub(hub)
        async with app_hub.lifespan(FastAPI()):
            assert app_hub.hub is hub
        assert await app_hub.hub.state(sandbox.client()) is None


@pytest.mark.parametrize(
    ("make_hub", "workers", "is_alone"),
    [(nullcontext, "1", True), (PairingHub, "1", True), (PairingHub, "2", False)]
    + [(MemoryHub, workers, False) for workers in ("1", "2")],
)
async def test_a_hub_in_memory_is_alone_in_one_process(
    make_hub: Callable[[], PairingHub | nullcontext[None]],
    workers: str,
    is_alone: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Requests may reach any of several workers, and Redis is there for several processes."""
    monkeypatch.setenv("WEB_CONCURRENCY", workers)
    async with make_hub() as hub:
        assert AppHub(hub).is_alone is is_alone


@pytest.mark.parametrize(
    ("make_hub", "warnings"),
    [(nullcontext, 1), (PairingHub, 1), (MemoryHub, 0)],
    ids=["its own", "in memory", "over Redis"],
)
async def test_several_workers_without_a_shared_hub_are_warned_of(
    make_hub: Callable[[], PairingHub | nullcontext[None]],
    warnings: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once, with the guide that says what to do."""
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    async with make_hub() as hub:
        app_hub = AppHub(hub)
        for _ in range(2):
            async with app_hub.lifespan(FastAPI()):
                app_hub.warn_of_several_workers()
    assert caplog.text.count("docs/guides/workers.md") == warnings

"""When a session begins with the request of the page, in virtual time."""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException

from plugchat_async import (
    AsyncPlugChat,
    Failed,
    PairingEnd,
    PairingHub,
    PairingOutcome,
    ShowingCode,
)
from plugchat_async.fastapi import PairingLinks, pairing_router
from plugchat_async.sandbox import Sandbox
from tests.redis.memory_hub import MemoryHub
from tests.sandbox_calls import codes_requested

from .test_navigation import NAVIGATION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

pytestmark = pytest.mark.anyio

LINKS = PairingLinks("a secret of more than 32 characters")


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let seconds pass in milliseconds."""
    return virtual_time


@pytest.fixture
async def sandbox(anyio_backend: object) -> Sandbox:
    """Give a sandbox in virtual time."""
    return Sandbox(clock=anyio.current_time)


class Site:
    """An app with the page, opened by a browser.

    Attributes:
        app: The app, whose lifespan does not run.
    """

    def __init__(
        self,
        get_client: Callable[..., Any],
        hub: PairingHub | None,
        links: PairingLinks | None = None,
    ) -> None:
        self.app = FastAPI()
        prefix = "/whatsapp" if links is None else "/whatsapp/{ticket}"
        router = pairing_router(get_client, dependencies=[], hub=hub, links=links)
        self.app.include_router(router, prefix=prefix)

    async def open(
        self,
        path: str = "/whatsapp",
        *,
        method: str = "GET",
        headers: Mapping[str, str] = NAVIGATION,
        expected: int = 200,
    ) -> None:
        """Load the page, and no more; the app is done with the request."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app.example") as browser:
            response = await browser.request(method, path, headers=headers)
        assert response.status_code == expected


def tenant_of(sandbox: Sandbox) -> Callable[..., object]:
    """Return a dependency that gives a client of one tenant."""

    # Not in a thread, during which virtual time would go on.
    async def get_client() -> AsyncPlugChat:
        return sandbox.client()

    return get_client


async def test_the_first_code_is_there_when_the_page_asks_for_events(sandbox: Sandbox) -> None:
    """The page's stream joins the session, which requests no other code."""
    async with PairingHub() as hub:
        await Site(tenant_of(sandbox), hub).open()
        await anyio.sleep(0.1)
        async with hub.watch(sandbox.client()) as states:
            assert isinstance(await anext(states), ShowingCode)
            await anyio.sleep(10)
    assert codes_requested(sandbox) == 1


@pytest.mark.parametrize("comes_after", [1, 3, 15])
async def test_a_page_that_loads_slowly_sees_the_code_all_the_same(
    sandbox: Sandbox, comes_after: int
) -> None:
    """Also after the session has lingered: the code is valid."""
    async with PairingHub() as hub:
        await Site(tenant_of(sandbox), hub).open()
        await anyio.sleep(comes_after)
        async with hub.watch(sandbox.client()) as states:
            assert isinstance(await anext(states), ShowingCode)
    assert codes_requested(sandbox) == 1


@pytest.mark.parametrize("times", [1, 10])
async def test_a_page_that_never_asks_for_events_costs_one_code(
    sandbox: Sandbox, times: int
) -> None:
    """However often it is loaded; the app is told once that nobody scanned it."""
    endings: list[PairingEnd] = []
    async with PairingHub(on_end=lambda _, end: endings.append(end)) as hub:
        site = Site(tenant_of(sandbox), hub)
        for _ in range(times):
            await site.open()
        await anyio.sleep(60)
        assert await hub.state(sandbox.client()) is None
    assert [(end.outcome, end.codes) for end in endings] == [(PairingOutcome.CANCELLED, 1)]
    assert codes_requested(sandbox) == 1


async def test_an_ending_is_left_to_the_button(sandbox: Sandbox) -> None:
    """The page shows it, and nothing begins anew."""
    sandbox.answer_next("unauthorized")
    async with PairingHub() as hub:
        site = Site(tenant_of(sandbox), hub)
        for _ in range(2):
            await site.open()
            await anyio.sleep(5)
            assert isinstance(await hub.state(sandbox.client()), Failed)
    assert codes_requested(sandbox) == 1


# What begins no session.


async def begins(site: Site, hub: PairingHub, client: AsyncPlugChat, **request: Any) -> bool:
    """Load the page, and return whether there is a session then."""
    await site.open(**request)
    return await hub.state(client) is not None


def kinds_of_get_client(sandbox: Sandbox) -> dict[str, Callable[..., object]]:
    """Return all that FastAPI takes for a dependency, with and without a `yield`."""
    client = sandbox.client()

    async def plain() -> AsyncPlugChat:
        return client

    def held() -> Iterator[AsyncPlugChat]:
        yield client

    async def held_by_async() -> AsyncIterator[AsyncPlugChat]:
        yield client

    class Held:
        async def __call__(self) -> AsyncIterator[AsyncPlugChat]:
            yield client

    @wraps(held_by_async)
    def decorated() -> object:
        return held_by_async()

    dependency = Depends(held_by_async)

    async def below(client: object = dependency) -> object:
        return client

    return {
        "plain": plain,
        "partial of plain": partial(plain),
        "held": held,
        "held by async": held_by_async,
        "held by an instance": Held(),
        "held by a decorated function": decorated,
        "held by a partial of that": partial(decorated),
        "held below": below,
        "held below a partial": partial(below),
    }


@pytest.mark.parametrize("kind", kinds_of_get_client(Sandbox()))
async def test_a_client_that_may_close_with_the_page_begins_none(
    sandbox: Sandbox, kind: str
) -> None:
    """A dependency with `yield` is over with its request, when the first code may be on its way."""
    async with PairingHub() as hub:
        site = Site(kinds_of_get_client(sandbox)[kind], hub)
        assert await begins(site, hub, sandbox.client()) is not kind.startswith("held")


async def test_an_app_with_overrides_begins_none(sandbox: Sandbox) -> None:
    """An override may have a `yield`."""
    kinds = kinds_of_get_client(sandbox)
    async with PairingHub() as hub:
        site = Site(kinds["plain"], hub)
        site.app.dependency_overrides[kinds["plain"]] = kinds["held"]
        assert not await begins(site, hub, sandbox.client())


@pytest.mark.parametrize(
    ("linger", "interval", "may_begin"),
    [(0, 15, False), (0.9, 15, False), (1, 15, True), (5, 5, True), (6, 5, False)],
)
async def test_how_long_a_session_must_linger(
    sandbox: Sandbox, linger: float, interval: float, may_begin: bool
) -> None:
    """Long enough for the page to come, and not until the next code."""
    async with PairingHub(linger=linger, interval=interval) as hub:
        assert await begins(Site(tenant_of(sandbox), hub), hub, sandbox.client()) is may_begin


@pytest.mark.parametrize(
    ("make_hub", "workers"),
    [(PairingHub, "2"), (partial(MemoryHub, max_watchers=2), "1")],
    ids=["several workers", "over Redis"],
)
async def test_a_session_that_other_processes_may_have_begins_later(
    sandbox: Sandbox,
    make_hub: Callable[[], PairingHub],
    workers: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page's stream may reach another process, which begins its own or has to take it over."""
    monkeypatch.setenv("WEB_CONCURRENCY", workers)
    async with make_hub() as hub:
        assert not await begins(Site(tenant_of(sandbox), hub), hub, sandbox.client())


async def test_the_page_of_a_link_waits_for_its_button(sandbox: Sandbox) -> None:
    """No code is requested before it is pressed."""
    async with PairingHub() as hub:
        site = Site(tenant_of(sandbox), hub, LINKS)
        path = f"/whatsapp/{LINKS.create('acme')}"
        assert not await begins(site, hub, sandbox.client(), path=path)


async def test_a_program_that_loads_the_page_begins_none(sandbox: Sandbox) -> None:
    """It does not run the script that asks for the events."""
    async with PairingHub() as hub:
        assert not await begins(Site(tenant_of(sandbox), hub), hub, sandbox.client(), headers={})


async def test_a_page_that_is_not_given_begins_none(sandbox: Sandbox) -> None:
    """Neither without the login, nor by another method."""

    async def refuse() -> AsyncPlugChat:
        raise HTTPException(401)

    async with PairingHub() as hub:
        assert not await begins(Site(refuse, hub), hub, sandbox.client(), expected=401)
        site = Site(tenant_of(sandbox), hub)
        assert not await begins(site, hub, sandbox.client(), method="HEAD", expected=405)


# What goes wrong is told by the page's stream.


async def test_the_page_is_there_whatever_becomes_of_the_session(sandbox: Sandbox) -> None:
    """Without a hub, with a closed one, and for something that is not a client."""
    await Site(tenant_of(sandbox), None).open()
    await Site(tenant_of(sandbox), PairingHub()).open()
    async with PairingHub() as hub:
        await Site(lambda: "a token", hub).open()


async def test_the_last_place_is_left_to_the_page(sandbox: Sandbox) -> None:
    """It is free when the page has come; and a place that is taken is not an error."""
    async with PairingHub(max_watchers=1) as hub:
        site = Site(tenant_of(sandbox), hub)
        await site.open()
        async with hub.watch(sandbox.client()) as states:
            await anyio.sleep(0.1)
            await site.open()
            assert isinstance(await anext(states), ShowingCode)
    assert codes_requested(sandbox) == 1


async def test_tasks_of_other_dependencies_run_after_the_session_began(sandbox: Sandbox) -> None:
    """However long they take."""
    found: list[bool] = []

    async with PairingHub() as hub:

        async def look() -> None:
            found.append(await hub.state(sandbox.client()) is not None)

        async def get_client(background: BackgroundTasks) -> AsyncPlugChat:
            background.add_task(look)
            return sandbox.client()

        await Site(get_client, hub).open()
    assert found == [True]

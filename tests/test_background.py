"""Tasks that belong to nobody else, on both event loops."""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from typing import Any

import anyio
import pytest

from plugchat_async._background import BackgroundTasks

pytestmark = pytest.mark.anyio

CONTEXT = ContextVar("CONTEXT", default="none")


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


async def test_one_task_opens_what_another_closes() -> None:
    """No cancel scope of either encloses what runs in between."""
    tasks = BackgroundTasks()
    ran: list[str] = []

    async def run(what: str) -> None:
        await anyio.sleep(1)
        ran.append(what)

    async with anyio.create_task_group() as opener:
        opener.start_soon(tasks.open)
    assert tasks.is_open
    with anyio.CancelScope() as scope:
        tasks.start_soon(partial(run, "started in a scope that is cancelled"))
        scope.cancel()
        await anyio.sleep(0.5)
    async with anyio.create_task_group() as closer:
        closer.start_soon(tasks.close, 5)
    assert ran == ["started in a scope that is cancelled"]
    assert not tasks.is_open


async def test_closing_waits_for_some_seconds_also_when_it_is_cancelled() -> None:
    """Then what still runs is cancelled."""
    tasks = BackgroundTasks()
    cancelled_at: list[float] = []

    async def never_end() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled_at.append(anyio.current_time() - began)

    await tasks.open()
    tasks.start_soon(never_end)
    began = anyio.current_time()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await tasks.close(5)
    await anyio.sleep(1)
    assert cancelled_at == [5]


async def test_opening_that_is_cancelled_leaves_nothing_open() -> None:
    """As when a server is stopped while it starts."""
    tasks = BackgroundTasks()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await tasks.open()
    assert scope.cancelled_caught
    assert not tasks.is_open


async def test_tasks_see_the_context_in_which_they_were_opened() -> None:
    """As a tracer needs it, on trio as well as on asyncio."""
    tasks = BackgroundTasks()
    seen: list[str] = []

    async def look() -> None:
        seen.append(CONTEXT.get())

    CONTEXT.set("opened")
    await tasks.open()
    tasks.start_soon(look)
    await tasks.close(5)
    assert seen == ["opened"]


def test_tasks_that_are_left_open_end_with_their_event_loop(
    virtual_time: tuple[str, dict[str, Any]],
) -> None:
    """A hub that nobody closes holds no event loop up, and can be entered in the next one."""
    tasks: BackgroundTasks

    async def leave_open() -> None:
        nonlocal tasks
        tasks = BackgroundTasks()
        await tasks.open()
        tasks.start_soon(anyio.sleep_forever)

    backend, options = virtual_time
    anyio.run(leave_open, backend=backend, backend_options=options)
    assert not tasks.is_open

"""The app's hook for endings: whatever it does, it is called once, and for a bounded time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from plugchat_async import AsyncPlugChat, PairingEnd, PairingOutcome
from plugchat_async._end_hook import EndHook

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

CLIENT = AsyncPlugChat("sandbox-token", name="acme")
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
ENDING = PairingEnd(
    name="acme",
    outcome=PairingOutcome.CONNECTED,
    error_code=None,
    codes=1,
    started_at=MOMENT,
    ended_at=MOMENT,
)
SECRET = "a-secret-of-the-app"  # no secret
THREAD_MAY_END = threading.Event()


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_callback_is_given_the_client_and_the_ending(is_async: bool) -> None:
    """A plain function or an async one."""
    heard: list[object] = []

    def remember(client: AsyncPlugChat, ending: PairingEnd) -> None:
        heard.extend([client, ending])

    async def remember_later(client: AsyncPlugChat, ending: PairingEnd) -> None:
        await anyio.sleep(1)
        remember(client, ending)

    await EndHook(remember_later if is_async else remember, 10).call(CLIENT, ENDING)
    assert heard == [CLIENT, ENDING]


async def test_without_a_callback_nothing_is_called() -> None:
    """Nor logged."""
    await EndHook(None, 10).call(CLIENT, ENDING)


async def fail_later(*_: object) -> None:
    """Raise from a coroutine."""
    raise ValueError(SECRET)


def fail(*_: object) -> None:
    """Raise right away."""
    raise ValueError(SECRET)


@pytest.mark.parametrize("on_end", [fail, fail_later])
async def test_a_callback_that_raises_is_logged_by_type_and_place(
    on_end: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    """Its message may hold what it was about to store, so no line shows it."""
    await EndHook(on_end, 10).call(CLIENT, ENDING)
    (record,) = caplog.records
    line = on_end.__code__.co_firstlineno + 2
    assert record.getMessage() == f"on_end raised ValueError at {__file__}:{line}"
    assert (record.levelname, record.exc_info) == ("ERROR", None)
    assert SECRET not in caplog.text


async def test_a_callback_that_hangs_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    """After its seconds, and the log says so."""
    began = anyio.current_time()
    await EndHook(lambda *_: anyio.sleep_forever(), 10).call(CLIENT, ENDING)
    assert anyio.current_time() - began == 10
    assert [record.getMessage() for record in caplog.records] == [
        "on_end took longer than 10 s, and was cancelled"
    ]


async def shield_oneself(*_: object) -> None:
    """Ignore the cancellation."""
    with anyio.CancelScope(shield=True):
        await anyio.sleep(60)


async def wait_for_a_thread(*_: object) -> None:
    """Run what no cancellation reaches."""
    await anyio.to_thread.run_sync(THREAD_MAY_END.wait)


@pytest.mark.parametrize("on_end", [shield_oneself, wait_for_a_thread])
async def test_a_callback_that_resists_its_cancellation_holds_nobody_up(
    on_end: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    """After its seconds it is left alone, and the log says so once."""
    THREAD_MAY_END.clear()
    began = anyio.current_time()
    try:
        await EndHook(on_end, 10).call(CLIENT, ENDING)
        assert anyio.current_time() - began == 10
    finally:
        THREAD_MAY_END.set()
    await anyio.sleep(60)
    assert [record.getMessage() for record in caplog.records] == [
        "on_end took longer than 10 s, and was cancelled"
    ]


@pytest.mark.parametrize("kind", [GeneratorExit, BaseException, BaseExceptionGroup])
async def test_a_callback_may_raise_what_is_not_an_exception(
    kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged as one is, and nobody else hears of it."""

    def fail_oddly(*_: object) -> None:
        raise kind(SECRET, [KeyboardInterrupt()]) if kind is BaseExceptionGroup else kind(SECRET)

    await EndHook(fail_oddly, 10).call(CLIENT, ENDING)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"on_end raised {kind.__name__} at {__file__}:")


async def test_a_callback_has_its_time_when_its_caller_is_cancelled() -> None:
    """Storing the ending is worth more than a prompt end."""
    heard: list[PairingEnd] = []

    async def remember(_client: AsyncPlugChat, ending: PairingEnd) -> None:
        await anyio.sleep(1)
        heard.append(ending)

    with anyio.CancelScope() as scope:
        scope.cancel()
        await EndHook(remember, 10).call(CLIENT, ENDING)
    assert heard == [ENDING]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_callback_that_cancels_its_task_cancels_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It may use asyncio, which allows that; the log says so."""
    import asyncio

    async def cancel_oneself(*_: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await anyio.sleep(1)

    await EndHook(cancel_oneself, 10).call(CLIENT, ENDING)
    await anyio.lowlevel.checkpoint()
    assert "on_end raised CancelledError at " in caplog.text


async def test_a_callback_that_cancels_a_scope_of_its_own_is_left_in_peace() -> None:
    """It is over, and that is all."""

    async def cancel_a_scope(*_: object) -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anyio.sleep(1)

    await EndHook(cancel_a_scope, 10).call(CLIENT, ENDING)


async def test_when_in_a_hurry_all_calls_share_the_time_of_one() -> None:
    """Those under way, and those to come."""
    hook = EndHook(lambda *_: anyio.sleep_forever(), 10)
    began = anyio.current_time()

    async def hurry() -> None:
        await anyio.sleep(5)
        hook.hurry()
        await anyio.sleep(3)
        await hook.call(CLIENT, ENDING)
        assert anyio.current_time() - began == 15

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hurry)
        await hook.call(CLIENT, ENDING)
        assert anyio.current_time() - began == 10

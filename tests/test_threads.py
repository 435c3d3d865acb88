"""Codes are drawn and images read in threads of our own, a few at a time, in each event loop."""

from __future__ import annotations

import threading
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import to_thread

from plugchat_async import AsyncPlugChat, QRCode
from plugchat_async._threads import run_decoding, run_drawing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from plugchat_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

both = pytest.mark.parametrize(("run", "most"), [(run_drawing, 4), (run_decoding, 2)])


@pytest.fixture
async def _busy_app() -> AsyncGenerator[None]:
    """Take all the threads that anyio shares out, as an app does whose work is slow."""
    limiter = to_thread.current_default_thread_limiter()
    async with AsyncExitStack() as stack:
        for _ in range(int(limiter.total_tokens)):
            await limiter.acquire_on_behalf_of(borrower := object())
            stack.callback(limiter.release_on_behalf_of, borrower)
        yield


@both
@pytest.mark.usefixtures("_busy_app")
async def test_an_app_s_busy_threads_hold_nothing_up(run: Any, most: int) -> None:
    """Forty slow downloads of an app leave room for a code."""
    with anyio.fail_after(60):
        assert await run(lambda: "done") == "done"


@pytest.mark.usefixtures("_busy_app")
async def test_a_client_draws_and_reads_while_an_app_is_busy(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """Either endpoint may give the other form of a code."""
    plugchat_sandbox.answer_next("code_as_image", endpoint="/qr-code")
    plugchat_sandbox.answer_next("code_as_text", endpoint="/qr-code/image")
    with anyio.fail_after(60):
        code = await plugchat_client.qr_code()
        image = await plugchat_client.qr_code_image()
    assert plugchat_sandbox.scan(image.decode().payload) or plugchat_sandbox.scan(code.payload)


@both
async def test_no_more_than_a_few_run_at_a_time(run: Any, most: int) -> None:
    """Each takes memory and a core, however many ask."""
    running, peak, lock = 0, 0, threading.Lock()
    enough = threading.Barrier(most, timeout=60)

    def work() -> None:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        enough.wait()
        with lock:
            running -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(3 * most):
            tasks.start_soon(run, work)
    assert peak == most


@both
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_each_event_loop_has_separate_threads(run: Any, most: int, backend: str) -> None:
    """One loop after another, and side by side: none waits for another's."""
    held, release = threading.Barrier(most + 1, timeout=60), threading.Event()

    def hold() -> None:
        held.wait()
        assert release.wait(60)

    async def hold_all() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(most):
                tasks.start_soon(run, hold)

    async def draw() -> object:
        with anyio.fail_after(60):
            return await run(QRCode(payload="2@code").png)

    other = threading.Thread(target=anyio.run, args=(hold_all,), kwargs={"backend": backend})
    other.start()
    held.wait()
    try:
        assert anyio.run(draw, backend=backend) == anyio.run(draw, backend=backend)
    finally:
        release.set()
        other.join()

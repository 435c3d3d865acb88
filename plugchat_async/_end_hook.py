"""The app's hook for endings: called once for each, for a bounded time, whatever it does."""

from __future__ import annotations

import inspect
import logging
import math
import traceback
from functools import partial
from typing import TYPE_CHECKING

import anyio

from ._background import start_task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from ._client import AsyncPlugChat
    from ._pairing_state import PairingEnd

    OnEnd: TypeAlias = Callable[[AsyncPlugChat, PairingEnd], Awaitable[object] | object]

logger = logging.getLogger("plugchat_async")


class EndHook:
    """The hook of one hub, and how long a call of it may take.

    Args:
        on_end: The app's callback; None for none.
        timeout: Seconds for one call.
    """

    def __init__(self, on_end: OnEnd | None, timeout: float) -> None:
        self._on_end = on_end
        self._timeout = timeout
        self._deadline = math.inf
        self._waiting: set[anyio.CancelScope] = set()
        self._calls: set[_Call] = set()

    def hurry(self) -> None:
        """Give all calls, present and future, no more time than one has from now on."""
        self._deadline = anyio.current_time() + self._timeout
        for scope in self._waiting:
            scope.deadline = min(scope.deadline, self._deadline)

    async def call(self, client: AsyncPlugChat, ending: PairingEnd) -> None:
        """Tell the app an ending; whatever the callback does is logged, without secrets."""
        if self._on_end is None:
            return
        deadline = min(anyio.current_time() + self._timeout, self._deadline)
        call = _Call(partial(self._on_end, client, ending))
        # In a separate task: nobody has to wait for a callback that resists its cancellation.
        self._calls.add(call)
        call.task = start_task(partial(self._run, call))
        # What the callback stores is worth more than a prompt end of whoever calls it.
        with anyio.CancelScope(deadline=deadline, shield=True) as scope:
            self._waiting.add(scope)
            try:
                await call.ended.wait()
            finally:
                self._waiting.remove(scope)
        if not call.ended.is_set():
            logger.error("on_end took longer than %g s, and was cancelled", self._timeout)
            call.scope.cancel()

    async def _run(self, call: _Call) -> None:
        try:
            await call.run()
        finally:
            self._calls.remove(call)


class _Call:
    """One call of the callback.

    Attributes:
        scope: What it runs in.
        ended: Set when it has ended.
        task: The task that runs it.
    """

    def __init__(self, on_end: Callable[[], Awaitable[object] | object]) -> None:
        # An event loop that ends cancels its tasks: on trio, this one has its time even then.
        self.scope = anyio.CancelScope(shield=True)
        self.ended = anyio.Event()
        self.task: object = None
        self._on_end = on_end

    async def run(self) -> None:
        """Call it; only what ends an event loop leaves, as from any other task."""
        try:
            with self.scope:
                result = self._on_end()
                if inspect.isawaitable(result):
                    await result
        except (KeyboardInterrupt, SystemExit) as error:
            _log(error)
            raise
        except BaseException as error:  # noqa: BLE001  # watchers must not wait for the app's mistake
            _log(error)
        finally:
            self.ended.set()


def _log(error: BaseException) -> None:
    # Neither message nor source lines: they may show what the app was about to store.
    place = traceback.extract_tb(error.__traceback__, limit=-1)[0]
    logger.error("on_end raised %s at %s:%s", type(error).__name__, place.filename, place.lineno)

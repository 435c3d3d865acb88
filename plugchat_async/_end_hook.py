"""The app's hook for endings: called once for each, for a bounded time, whatever it does."""

from __future__ import annotations

import inspect
import logging
import math
import traceback
from typing import TYPE_CHECKING

import anyio

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
        self._calls: set[anyio.CancelScope] = set()

    def hurry(self) -> None:
        """Give all calls, present and future, no more time than one has from now on."""
        self._deadline = anyio.current_time() + self._timeout
        for scope in self._calls:
            scope.deadline = min(scope.deadline, self._deadline)

    async def call(self, client: AsyncPlugChat, ending: PairingEnd) -> None:
        """Tell the app an ending; whatever the callback does is logged, without secrets."""
        if self._on_end is None:
            return
        deadline = min(anyio.current_time() + self._timeout, self._deadline)
        # What the callback stores is worth more than a prompt end of whoever calls it.
        with anyio.CancelScope(deadline=deadline, shield=True) as scope:
            self._calls.add(scope)
            try:
                # In a task of its own: a callback that cancels its task cancels no session.
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._call, self._on_end, client, ending)
            finally:
                self._calls.remove(scope)
        if scope.cancelled_caught:
            logger.error("on_end took longer than %g s, and was cancelled", self._timeout)

    async def _call(self, on_end: OnEnd, client: AsyncPlugChat, ending: PairingEnd) -> None:
        try:
            result = on_end(client, ending)
            if inspect.isawaitable(result):
                await result
        except Exception as error:  # noqa: BLE001  # watchers must not wait for the app's mistake
            # Neither message nor source lines: they may show what the app was about to store.
            place = traceback.extract_tb(error.__traceback__, limit=-1)[0]
            logger.error(  # noqa: TRY400  # for the same reason
                "on_end raised %s at %s:%s", type(error).__name__, place.filename, place.lineno
            )

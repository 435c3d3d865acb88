"""One session, one outcome: codes until one is scanned, or none is left."""

from __future__ import annotations

import inspect
from enum import StrEnum
from typing import TYPE_CHECKING, Self

import anyio

from ._errors import AlreadyConnected
from ._rounds import Do, Rounds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from ._models import QRCode
    from ._requests import Requests
    from ._schedule import Schedule

_ITERATED_ALREADY = "this session is being iterated already, by another task"


class PairingOutcome(StrEnum):
    """The way in which a session has ended."""

    CONNECTED = "connected"
    """A code of this session was scanned."""
    ALREADY_CONNECTED = "already_connected"
    """The instance was linked before the first code."""
    EXPIRED = "expired"
    """All rounds went by unscanned: ask the user before going on."""
    CANCELLED = "cancelled"
    """The session was left early."""


class Pairing:
    """One session to link one phone: iterate it for the codes, then read its outcome.

    Made by `client.pairing()`. It is both an iterator and a context manager. It runs only while it
    is iterated, needs no separate task, and never restarts.
    """

    def __init__(self, requests: Requests, schedule: Schedule) -> None:
        self._requests = requests
        self._schedule = schedule
        self._rounds = Rounds(schedule)
        self._outcome: PairingOutcome | None = None
        self._is_over = False
        self._step: anyio.CancelScope | None = None
        self._is_waited_for = False

    @property
    def outcome(self) -> PairingOutcome | None:
        """How the session ended; None while it runs, and when it ended by an exception."""
        return self._outcome

    @property
    def qr(self) -> QRCode | None:
        """The current code; None before the first one and after the end."""
        fetched = self._rounds.fetched
        return None if self._is_over or fetched is None else fetched.code

    async def check(self) -> bool:
        """Ask now whether the phone is linked, for a button "I have scanned it".

        It may be called from another task than the one that iterates, which then ends immediately.

        Returns:
            Whether it is; False as well if `/status` did not tell.

        Raises:
            RuntimeError: The client was closed.
        """
        if not self._is_over and await self._requests.is_connected():
            self._end_connected()
            self._wake()
        return self._outcome in {PairingOutcome.CONNECTED, PairingOutcome.ALREADY_CONNECTED}

    async def wait(
        self, on_code: Callable[[QRCode], Awaitable[object] | object] | None = None
    ) -> PairingOutcome:
        """Run the session to its end.

        Args:
            on_code: Called with each code, to show it; a plain or an async function.

        Returns:
            The outcome.

        Raises:
            PlugChatError: A code could not be fetched; transient failures have been retried.
            RuntimeError: The client was closed, or the session is being iterated elsewhere.
            TypeError: `on_code` can't be called.
        """
        if on_code is not None and not callable(on_code):
            raise TypeError(f"on_code must be callable, not {type(on_code).__name__}")
        if self._is_waited_for or self._step is not None:
            raise RuntimeError(_ITERATED_ALREADY)
        self._is_waited_for = True
        try:
            async with self:
                async for code in self:
                    shown = None if on_code is None else on_code(code)
                    if inspect.isawaitable(shown):
                        await shown
        finally:
            self._is_waited_for = False
        if self._outcome is None:
            raise RuntimeError(
                "this session has failed already: make a new one with client.pairing()"
            )
        return self._outcome

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> QRCode:
        if self._step is not None:
            raise RuntimeError(_ITERATED_ALREADY)
        if self._is_over:
            raise StopAsyncIteration
        # Another task may end the session by check(), and wakes this one by the scope.
        self._step = anyio.CancelScope()
        try:
            with self._step:
                await self._advance()
        except Exception:
            if not self._is_over:  # otherwise check() has ended it in the meantime
                self._is_over = True
                raise
        finally:
            self._step = None
        code = self.qr
        if code is None:
            raise StopAsyncIteration
        return code

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._is_over:
            self._end(PairingOutcome.CANCELLED)
            self._wake()

    async def _advance(self) -> None:
        """Wait until the next code is due, and fetch it, unless the session ends before."""
        while True:
            step = self._rounds.next(anyio.current_time())
            await anyio.sleep_until(step.at)
            if step.do is Do.END:
                return self._end(PairingOutcome.EXPIRED)
            if step.do is Do.REQUEST_CODE:
                return await self._fetch_code()
            if await self._requests.sees_scan(step, self._rounds):
                return self._end_connected()

    async def _fetch_code(self) -> None:
        number, of = self._rounds.next_round, self._schedule.max_rounds
        self._rounds.begin()  # so that a request that is cancelled, as by a time-out, counts
        try:
            self._rounds.show(await self._requests.fetch_code(number, of))
        except AlreadyConnected:
            self._end_connected()

    def _end_connected(self) -> None:
        before_any_code = self._rounds.fetched is None
        self._end(PairingOutcome.ALREADY_CONNECTED if before_any_code else PairingOutcome.CONNECTED)

    def _wake(self) -> None:
        """Let a task that waits for the next code see the end, which another task brought."""
        if self._step is not None:
            self._step.cancel()

    def _end(self, outcome: PairingOutcome) -> None:
        if not self._is_over:
            self._is_over = True
            self._outcome = outcome

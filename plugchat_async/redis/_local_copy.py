"""A process's copy of an instance's record, and what its watchers see of it."""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio

from plugchat_async._pairing_state import ShowingCode, Starting
from plugchat_async._schedule import Fetched

from ._record import Record, Stage, Then, after_message, after_response
from ._states import UNREACHABLE, open_state, version_of
from ._steps import Beat, Response, StoreDown, Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugchat_async import PairingState

    from ._seal import Seal
    from ._steps import Store

logger = logging.getLogger("plugchat_async")

RETRY = 0.5


class LocalCopy:
    """A process's copy of a record. It follows the store, and repairs it if that lost changes.

    Attributes:
        seal: The seal of the instance.
        record: The copy.
        unwritten: A code that the store has not taken yet; None for none.
        heard_at: When a beat was last responded to.
        state: What watchers see.
        version: Identifier of that state, the same in each process; empty before the store was
            heard.
        changed: Set when there is another state, or no further one.
    """

    def __init__(
        self,
        store: Store,
        seal: Seal,
        on_adopted: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self.seal = seal
        self.record = Record()
        self.unwritten: Record | None = None
        self.heard_at = anyio.current_time()
        self.state: PairingState = Starting()
        self.version = ""
        self.changed = anyio.Event()
        self._store = store
        self._on_adopted = on_adopted
        self._on_lost = on_lost
        self._outdated = ""

    @property
    def is_led_here(self) -> bool:
        """Whether this process leads, as far as it knows."""
        return self.record.leader == self._store.process

    @property
    def is_running(self) -> bool:
        """Whether there is a session that is not over."""
        return bool(self.record.session) and self.record.stage is not Stage.OVER

    @property
    def age(self) -> timedelta:
        """How long ago the session began."""
        now = anyio.current_time()
        began = self._store.clock.to_loop(int(self.record.session) // 1000)
        return timedelta(seconds=max(0.0, now - (now if began is None else began)))

    @property
    def fetched(self) -> Fetched | None:
        """The code that was written last; None for none."""
        state, asked_at = self._open(self.record), self.record.asked_at
        if asked_at is None or not isinstance(state, ShowingCode):
            return None
        return Fetched(state.qr, asked_at, asked_at)

    @property
    def last_round(self) -> int:
        """Round of that code; 0 for none."""
        return 0 if self.fetched is None else self.fetched.code.round

    @property
    def is_code_expired(self) -> bool:
        """Whether the code that was written last has expired."""
        return _has_expired(self._open(self.record))

    # The store's word.

    async def beat(self, watchers: int, *, limit: int | None = None) -> Beat:
        """Be present, and compare the copy with the store's record."""
        known = self.record.known
        beat = await self._store.beat(self.seal.name, watchers=watchers, known=known, limit=limit)
        self.heard_at = anyio.current_time()
        if beat.verdict is Verdict.OK:
            await self._compare(beat.record, known)
        return beat

    async def _compare(self, theirs: Record | None, known: tuple[str, int]) -> None:
        then = after_response(self.record, theirs, known=known)
        if then is Then.REPAIR:
            await self.sync()
        elif then is Then.ADOPT and theirs is not None:
            self._adopt(theirs)
        elif self.state == UNREACHABLE:
            self._show_record()

    def hear(self, name: str, record: Record) -> bool:
        """Take a record that was published, and return whether it is news."""
        is_news = name == self.seal.name and after_message(self.record, record)
        if is_news:
            self._adopt(record)
        return is_news

    async def take(self, step: Awaitable[Response]) -> Response:
        """Take a step with the record, and adopt what it became."""
        response = await step
        if response.record is not None and response.record.known > self.record.known:
            self._adopt(response.record)
        return response

    async def sync(self) -> None:
        """Write the copy, if the store has lost it."""
        self._on_lost()
        await self.take(self._store.sync(self.seal.name, self.record))

    async def restart(self, session: str) -> Response:
        """Begin another session after one that is over, or forget that one if nobody watches."""
        return await self.take(self._store.restart(self.seal.name, session))

    async def leave(self, *, ending: str = "", asked_at: float | None = None) -> Response:
        """Be absent, unless this is the last process of a session that is not over."""
        return await self.take(self._store.leave(self.seal.name, ending=ending, asked_at=asked_at))

    async def reserve(self, before: Record, *, nonce: str) -> Response:
        """Reserve the round after a record."""
        return await self.take(self._store.reserve(self.seal.name, before, nonce=nonce))

    async def write(self, wanted: Record) -> Response:
        """Write a state."""
        return await self.take(self._store.write(self.seal.name, wanted))

    async def write_code(self, wanted: Record) -> bool:
        """Write a code.

        Returns:
            False if another process has gone on, so that nobody needs this code.

        Raises:
            StoreDown: It may not have been written.
        """
        response = await self.write(wanted)
        if response.verdict is Verdict.MISSING:
            raise StoreDown("the record is missing")
        self.unwritten = None
        if response.record is None:
            self._show_record()
        return response.record is not None

    def keep_code(self, wanted: Record) -> None:
        """Show a code here that could not be written, and keep it for later."""
        self.unwritten = wanted
        self._show_record()

    async def insist(self, step: Callable[[], Awaitable[Response]]) -> Response:
        """Take a step as soon as the store can be reached and has the record."""
        while True:
            try:
                response = await step()
                if response.verdict is not Verdict.MISSING:
                    return response
                await self.sync()
            except StoreDown:
                await anyio.sleep(jittered(RETRY))

    def _adopt(self, record: Record) -> None:
        self.record = record
        unwritten = self.unwritten
        if unwritten is not None and (
            (record.session, record.nonce) != (unwritten.session, unwritten.nonce)
            or record.stage is not Stage.RUNNING
            or record.state == unwritten.state
        ):
            self.unwritten = None
        self._on_adopted()
        self._show_record()

    # What watchers see.

    def forget_expired_code(self) -> None:
        """Show no code that expired while nobody watched."""
        if self.version and self.is_code_expired:
            self._outdated = self.record.state
            self._show_record()

    def show_unreachable(self) -> None:
        """Let watchers know that the store is away; an ending stays."""
        if self.record.stage is not Stage.OVER and self.state != UNREACHABLE:
            self._show(UNREACHABLE, f"{version_of(self.record)}-unreachable")

    def wake(self) -> None:
        """Let watchers look again."""
        # Each change has its own event: a late watcher finds the state, and keeps no queue.
        self.changed.set()
        self.changed = anyio.Event()

    def _show_record(self) -> None:
        record = self.unwritten or self.record
        if not self.version or self.state == UNREACHABLE:
            self._outdated = record.state if _has_expired(self._open(record)) else ""
        if record.state == self._outdated:
            record = replace(record, state="")
        if (version := version_of(record)) == self.version:
            return
        state = self._open(record)
        if state is None:
            logger.error(
                "a state of a pairing session was not sealed by this app:"
                " is the secret the same in all processes?"
            )
            return
        self._show(state, version)

    def _open(self, record: Record) -> PairingState | None:
        now = anyio.current_time()
        return open_state(self.seal, record, loop_time=now, wall_time=datetime.now(UTC))

    def _show(self, state: PairingState, version: str) -> None:
        self.state, self.version = state, version
        self.wake()


def _has_expired(state: PairingState | None) -> bool:
    return isinstance(state, ShowingCode) and state.qr.is_expired


def jittered(seconds: float) -> float:
    """Return some more seconds, different for each process."""
    return seconds * (1 + secrets.randbelow(100) / 200)

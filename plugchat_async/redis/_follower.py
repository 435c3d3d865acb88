"""Part of one process in the session of one instance, which all processes share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio

from plugchat_async._pairing_state import Starting

from ._leader import Leader
from ._local_copy import RETRY, LocalCopy, jittered
from ._record import Stage
from ._steps import LEASE, Beat, Response, StoreDown, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from plugchat_async import AsyncPlugChat, PairingState
    from plugchat_async._end_hook import EndHook
    from plugchat_async._schedule import Schedule

    from ._record import Record
    from ._seal import Seal
    from ._steps import Store

_LEADER_BEAT = LEASE / 3
_BEAT = 4.0
# Until a process that leaves asks again whether another one leads.
_GO_AGAIN_AFTER = 0.5
# For which a process without a copy waits after an outage. The others try each 0.5 to 0.75 s.
_OTHERS_FIRST = 1.5
# For how long the store may be away before watchers are told.
_PATIENCE = 10.0


class Follower:
    """Follower of one instance's session in one process: beats, and leads when it is its turn.

    Attributes:
        clients: The clients of this process's watchers, in the order in which they came.
        client: The one that requests are made with.
        is_closed: Whether watchers see no further state.
        is_over: Whether the next watcher needs another follower.
    """

    client: AsyncPlugChat

    def __init__(
        self,
        store: Store,
        seals: list[Seal],
        schedule: Schedule,
        linger: float,
        hook: EndHook,
        *,
        on_lost: Callable[[], None],
    ) -> None:
        self.clients: list[AsyncPlugChat] = []
        self.is_closed = False
        self.is_over = False
        self._store = store
        self._seals = seals
        self._has_seal = False
        self._linger = linger
        self._copy = LocalCopy(store, seals[0], self._check, on_lost)
        self._leader = Leader(self._copy, self, schedule, linger, hook)
        self._open = anyio.CancelScope()
        self._poked = anyio.Event()
        self._go_at = math.inf
        self._lets_others_first = False
        self._closes_at = math.inf

    @property
    def names(self) -> list[str]:
        """Names under which the store may know the instance."""
        return [seal.name for seal in self._seals]

    @property
    def state(self) -> PairingState:
        """The state that watchers see."""
        return self._copy.state

    @property
    def version(self) -> str:
        """Identifier of that state, the same in each process."""
        return self._copy.version

    @property
    def changed(self) -> anyio.Event:
        """Set when there is another state, or no further one."""
        return self._copy.changed

    @property
    def present(self) -> PairingState:
        """The state that a watcher sees who comes now."""
        is_outdated = not self.clients and self._copy.is_code_expired
        return Starting() if is_outdated else self.state

    def join(self, client: AsyncPlugChat) -> None:
        """Let somebody watch."""
        if not self.clients:
            self._copy.forget_expired_code()
        self.clients.append(client)
        self.client = client
        self._go_at = math.inf
        self._leader.join()
        self.poke()

    def leave(self, client: AsyncPlugChat) -> None:
        """Let somebody go."""
        self.clients.remove(client)
        if self.clients:
            self.client = self.clients[-1]
        else:
            self._go_at = anyio.current_time() + self._linger
            self._leader.leave()
        self.poke()

    def close(self, *, patience: float) -> None:
        """Tell watchers that no further state follows, and let another process go on.

        Args:
            patience: For how many seconds another process may take the lease.
        """
        self.is_closed = True
        self._closes_at = anyio.current_time() + patience
        self._copy.wake()
        self._leader.hurry()
        self._open.cancel()

    def poke(self) -> None:
        """See `Member`."""
        self._poked.set()

    def go(self) -> None:
        """See `Member`."""
        self._go_at = anyio.current_time()
        self.poke()

    def hear(self, name: str, record: Record) -> None:
        """Take a record that was published."""
        if self._copy.hear(name, record):
            is_over = record.stage is Stage.OVER
            is_free = not is_over and (not record.leader or record.left_at is not None)
            has_ended_as_left = is_over and not record.state
            goes = self.is_closed or not self.clients
            if is_free or has_ended_as_left or goes:
                self.poke()

    async def restart(self, session: str) -> None:
        """Begin another session after one that is over, if anybody watches; else forget it."""
        await self._choose_seal()
        await self._copy.beat(len(self.clients))
        response = await self._copy.restart(session)
        if response.verdict is Verdict.GONE and not self.clients:
            self.is_over, self._go_at = True, anyio.current_time()
        self.poke()

    async def count(self, limit: int) -> bool:
        """Return whether all processes together have at most so many watchers."""
        if len(self.clients) > limit:
            return False
        try:
            await self._choose_seal()
            beat = await self._copy.beat(len(self.clients), limit=limit)
        except StoreDown:
            return True  # the limit stops loops, and must not lock people out
        return beat.verdict is not Verdict.FULL

    async def run(self) -> None:
        """Follow the session for as long as this process has to do with it."""
        try:
            with self._open:
                while not self.is_over:
                    async with anyio.create_task_group() as tasks:
                        await self._follow(tasks)
                        tasks.cancel_scope.cancel()
                    # Somebody may have come while a request under way was brought to its end.
                    self.is_over = not self.clients
        finally:
            self.is_over = True
        if self._open.cancelled_caught:
            with anyio.CancelScope(shield=True):
                await self._leader.close()

    async def _choose_seal(self) -> None:
        """Go on with a session that was begun under an older secret, before the first beat.

        Raises:
            StoreDown: There may be such a session.
        """
        if self._has_seal:
            return
        chosen = self._copy.seal
        for seal in self._seals[1:]:
            response = await self._store.peek(seal.name)
            if response.record is not None:
                chosen = seal
        # Another task may have chosen meanwhile, and begun a session.
        if not self._has_seal:
            self._copy.seal, self._has_seal = chosen, True

    async def _follow(self, tasks: TaskGroup) -> None:
        while True:
            self._poked = anyio.Event()
            try:
                if anyio.current_time() >= self._leaves_at and await self._go():
                    return
                await self._beat(tasks)
            except StoreDown:
                self._lets_others_first = not self._copy.record.session
                if anyio.current_time() > self._copy.heard_at + _PATIENCE:
                    if not self.clients:
                        return
                    self._copy.show_unreachable()
                await self._pause(jittered(RETRY), until=math.inf)

    @property
    def _leaves_at(self) -> float:
        # An ending is reported by whoever is there: its leader may die.
        if self.clients or self._copy.record.stage is Stage.ENDING:
            return math.inf
        # The last process has stayed to lead, and is done.
        is_done = self._go_at == math.inf and not self._leader.is_leading
        return -math.inf if is_done else self._go_at

    async def _go(self) -> bool:
        """Go; False if this process stays, as the last one does for the session's grace."""
        # Others may have died: until one of them takes over, the current code may be scanned.
        until = -math.inf if self._leader.sees_scans else math.inf
        response = await self._ask_to_go(until=until)
        if self.clients:  # somebody came meanwhile, as the next beat tells the store
            return False
        if response.verdict is Verdict.MISSING and self._copy.is_running:
            await self._copy.sync()
            return False
        self._go_at = math.inf
        if response.record is None:
            return True
        self._leader.is_last()
        return False

    async def hand_over(self, ending: str) -> Response:
        """See `Member`."""
        return await self._ask_to_go(ending=ending, until=self._closes_at)

    async def _ask_to_go(self, *, ending: str = "", until: float) -> Response:
        """Wait for another process to lead: whoever is present may have died."""
        asked_at, epoch = anyio.current_time(), self._copy.record.epoch
        while True:
            self._poked = anyio.Event()
            is_late = anyio.current_time() >= until
            response = await self._copy.leave(ending=ending, asked_at=None if is_late else asked_at)
            if response.verdict is Verdict.MISSING and self.is_closed and self._copy.is_running:
                await self._copy.sync()
                continue
            if response.verdict is not Verdict.WAIT:
                return response
            await self._pause(_GO_AGAIN_AFTER, until=until)
            if self._copy.record.epoch > epoch:  # another process has taken the lease since
                return Response(Verdict.GONE)
            if self.clients and not self.is_closed:
                return response

    async def _beat(self, tasks: TaskGroup) -> None:
        copy = self._copy
        await self._choose_seal()
        if self._lets_others_first and self.clients:
            # The store may have come back empty: a session that runs is in their copies.
            await self._store.peek(copy.seal.name)
            self._lets_others_first = False
            await self._pause(_OTHERS_FIRST, until=self._leaves_at)
        sent_at = anyio.current_time()
        beat = await copy.beat(len(self.clients))
        if beat.verdict is Verdict.MISSING:
            if copy.record.session:
                await copy.sync()
            else:
                self.go()
            return
        if copy.unwritten is not None:
            await copy.write_code(copy.unwritten)
        if copy.record.stage is Stage.OVER and not copy.record.state and self.clients:
            await copy.restart(copy.record.session)
            return
        self._leader.heed(beat, sent_at, tasks)
        await self._pause(self._next_beat(beat), until=self._leaves_at)

    def _next_beat(self, beat: Beat) -> float:
        if self._copy.record.stage is Stage.OVER:
            return _BEAT
        return _LEADER_BEAT if beat.leads else min(_BEAT, beat.lease_left + jittered(0.01))

    async def _pause(self, seconds: float, *, until: float) -> None:
        with anyio.CancelScope(deadline=min(anyio.current_time() + seconds, until)):
            await self._poked.wait()

    def _check(self) -> None:
        self._leader.check()

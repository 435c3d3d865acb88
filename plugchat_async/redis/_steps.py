"""The steps that a store takes with records. It knows nothing of pairings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anyio.abc import TaskStatus

    from ._record import Known, Record, StoreClock


# For how long a process leads, and is present, without being heard; and the record of a running
# session is kept; in seconds. A code is valid for 20 s and is replaced after 15, so that a leader
# that dies is replaced while the current code is valid.
LEASE = 5.0
PRESENCE = 12.0
LIVE = 120.0


class StoreDown(Exception):
    """Raised when a step may or may not have been taken: nothing is known but that."""


class Verdict(StrEnum):
    """Result of a step.

    Attributes:
        OK: It was taken, now or by an earlier attempt.
        MISSING: There is no record.
        FULL: The instance has as many watchers as are allowed.
        FENCED: Another process leads, or the session is another one or further on.
        BEHIND: The process has not heard of the latest change.
        GONE: The process, or the session, is not followed any more.
        RUNNING: The session is not over.
        WAIT: Others are present, but may have died.
    """

    OK = "ok"
    MISSING = "missing"
    FULL = "full"
    FENCED = "fenced"
    BEHIND = "behind"
    GONE = "gone"
    RUNNING = "running"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Response:
    """Response to a step.

    Attributes:
        verdict: What became of it.
        record: The record after it, for `OK` and `WAIT`; None if it is known already.
    """

    verdict: Verdict
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Beat(Response):
    """Response to a beat.

    Attributes:
        leads: Whether this process leads.
        lease_left: Seconds until the leader's lease runs out, whoever leads.
        watchers: How many watchers there are, in all processes.
        left_for: Seconds for which nobody watched when this beat came; None if somebody did.
    """

    leads: bool = False
    lease_left: float = 0.0
    watchers: int = 0
    left_for: float | None = None


class Store(Protocol):
    """Records of sessions, shared by processes. Each step raises `StoreDown`.

    Every step may be repeated after `StoreDown`: it is not taken twice.
    """

    @property
    def process(self) -> str:
        """Identifier of this process, another one for each run."""
        ...

    @property
    def clock(self) -> StoreClock:
        """The store's clock."""
        ...

    async def run(
        self,
        on_record: Callable[[str, Record], None],
        on_subscribed: Callable[[], None],
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled, in a separate task.

        Args:
            on_record: Called with an instance's name and its record when that changes.
            on_subscribed: Called when changes are heard again: some may have been missed.
            task_status: Told as soon as steps can be taken.
        """
        ...

    async def claim(self, fingerprints: Sequence[str]) -> bool:
        """Agree on one secret, for the next two minutes.

        Returns:
            False if the other processes use a secret that is none of these.
        """
        ...

    async def beat(
        self, name: str, *, watchers: int, limit: int | None = None, known: Known = ("", 0)
    ) -> Beat:
        """Be present, and lead if nobody does; a process with watchers begins a session.

        Args:
            name: The instance's name.
            watchers: How many watchers this process has.
            limit: How many there may be in all; None does not check, for who is there already.
            known: Session and version of this process's copy.

        Returns:
            OK; MISSING if the store lost what is known, or nobody watches; or FULL.
        """
        ...

    async def reserve(self, name: str, copy: Record, *, nonce: str) -> Response:
        """Permit an attempt to request the code of the round after the copy's last one.

        Args:
            name: The instance's name.
            copy: What this process knows; it has to be the latest version.
            nonce: Identifier of the round to be: each further attempt has the same one.

        Returns:
            OK; MISSING; FENCED if this process does not lead; or BEHIND.
        """
        ...

    async def write(self, name: str, wanted: Record) -> Response:
        """Write a state.

        A code (the session goes on running) is taken from whoever reserved the last round, and is
        known by its nonce. An ending, and what is over, are taken from the epoch's leader.

        Args:
            name: The instance's name.
            wanted: This process's copy with what changes: `stage`, `state`, `asked_at`, `ending`
                and `retention`.

        Returns:
            OK; MISSING; or FENCED if another process goes on, or the session is another one.
        """
        ...

    async def leave(
        self, name: str, *, ending: str = "", asked_at: float | None = None
    ) -> Response:
        """Be absent, unless this is the last process of a session that is not over, or reports it.

        The last one leads on without watchers, until a process with watchers comes: present, or
        ending the session if it says with what.

        Args:
            name: The instance's name.
            ending: What the hook is going to be told, sealed; the same in each attempt.
            asked_at: When it first asked, on the event loop's clock, for one that waits until
                another one is heard to lead, since those present may have died; None for one that
                leads on unless another one leads.

        Returns:
            OK for one that stays; GONE for each other, which leads no more; MISSING; or WAIT,
            without leading, until another one is heard to lead, or none has led for a lease.
        """
        ...

    async def restart(self, name: str, session: str) -> Response:
        """Begin a new session after one that is over, or forget that one if nobody watches.

        Args:
            name: The instance's name.
            session: The one that is over.

        Returns:
            OK; GONE if it is forgotten; RUNNING if it is not over, or is another one; or MISSING.
        """
        ...

    async def sync(self, name: str, copy: Record) -> Response:
        """Write this process's copy if the store lost it, or changes in it.

        Returns:
            OK; or BEHIND if the store's record is newer.
        """
        ...

    async def peek(self, name: str) -> Response:
        """Read a record.

        Returns:
            OK or MISSING.
        """
        ...

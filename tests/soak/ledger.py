"""The ledger: what happened in each session, in the order in which it happened."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .scripts import Script

What: TypeAlias = Literal[
    "asked",  # a call reached the wire: its endpoint
    "answered",  # the sandbox responded: its endpoint, the response's name
    "unanswered",  # it was given up before the sandbox saw it: its endpoint
    "shown",  # the program got a code: its round
    "scanned",  # the phone scanned a code: its round, "linked" or "dead"
    "pressed",  # somebody pressed "I have scanned it": what check() told
    "joined",  # a watcher of the hub came: its name
    "stayed",  # it was there before, when the session was started again: its name
    "saw",  # it got a state: its name, the state
    "left",  # it went: its name
    "stopped",  # the program left the session early: how
    "ended",  # the session ended: its outcome, or the error's code
]

HONEST = {"code", "already_connected", "status connected", "status not_connected"}
"""Responses of the sandbox if nothing was ordered; anything else was injected."""


class Event(NamedTuple):
    """One thing that happened.

    Attributes:
        at: Seconds since the soak began.
        what: What happened.
        subject: Whom or what it is about.
        detail: What more there is to say.
    """

    at: float
    what: What
    subject: str = ""
    detail: str = ""


@dataclass
class Session:
    """One session: who ran it with what, and everything that happened in it.

    Attributes:
        outcome: What `pairing.outcome`, or the hub's last state, said at the end.
        error: The code of the error that ended it.
        outcome_later: What `pairing.outcome` said when the tenant's next session began.
        sockets: Whether calls went over sockets, where one in flight can outlive its caller.
    """

    number: int
    tenant: int
    loop: str
    script: Script
    linked_before: bool
    sockets: bool
    clock: Callable[[], float]
    events: list[Event] = field(default_factory=list)
    outcome: str | None = None
    error: str | None = None
    outcome_later: str | None = None

    def note(self, what: What, subject: object = "", detail: str = "") -> None:
        """Write down what happens now."""
        self.events.append(Event(round(self.clock(), 3), what, str(subject), detail))

    def end(self, *, outcome: str | None, error: str | None = None) -> None:
        """Write down how the session ended."""
        self.outcome = self.outcome_later = outcome
        self.error = error
        self.note("ended", outcome or error)

    @property
    def is_closed(self) -> bool:
        """Whether the ending was written down."""
        return self.outcome is not None or self.error is not None

    @property
    def ending(self) -> str:
        """The outcome, or the word that a session has failed."""
        return self.outcome or "failed"

    def line(self) -> str:
        """Return the session as one line of JSON."""
        script = self.script
        return json.dumps(
            {
                "session": self.number,
                "tenant": self.tenant,
                "loop": self.loop,
                "wire": "sockets" if self.sockets else "virtual time",
                "way": script.way,
                "interval": script.interval,
                "max_rounds": script.max_rounds,
                "status_interval": script.status_interval,
                "linger": script.linger if script.way == "hub" else None,
                "retries": script.retries,
                "linked_before": self.linked_before,
                "outcome": self.outcome,
                "error": self.error,
                "events": [[part for part in event if part != ""] for event in self.events],
            }
        )


def summary(sessions: Iterable[Session]) -> str:
    """Count what happened: sessions by outcome, calls by endpoint, scans, injected responses."""
    endings: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    scans: Counter[str] = Counter()
    people: Counter[str] = Counter()
    for session in sessions:
        endings[f"{session.ending} by {session.script.way}"] += 1
        for event in session.events:
            if event.what == "asked":
                calls[event.subject] += 1
            elif event.what == "unanswered":
                faults["no response"] += 1
            elif event.what == "answered" and event.detail not in HONEST:
                faults[event.detail] += 1
            elif event.what == "scanned":
                scans[event.detail] += 1
            elif event.what in {"joined", "left", "pressed", "stopped"}:
                people[event.what] += 1
    parts = {
        "sessions": endings,
        "people": people,
        "calls": calls,
        "scans": scans,
        "injected": faults,
    }
    return "\n".join(map(_counts, parts, parts.values()))


def _counts(title: str, counter: Counter[str]) -> str:
    each = ", ".join(f"{name} {count}" for name, count in counter.most_common())
    return textwrap.fill(
        f"{title:10}{counter.total()}: {each}",
        width=100,
        subsequent_indent=" " * 10,
        break_on_hyphens=False,
    )

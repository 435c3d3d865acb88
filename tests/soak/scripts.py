"""Events of a session, drawn from the seed: the phone, the program, the wire."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from plugchat_async.sandbox import ANSWERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CODES_AS_TEXT = (
    "code_as_text",
    "code_json_string",
    "code_labelled_html",
    "code_labelled_text",
    "code_text_plain",
)
CODES_AS_IMAGE = (
    "code_as_image",
    *(name for name in ANSWERS if name.startswith("image_")),
)
# The plain one is what the sandbox says by itself, and stays true.
FALSE_CONNECTIONS = tuple(name for name in ANSWERS if name.startswith("already_connected_"))
# A session calls neither /device nor what changes an instance.
OTHER_ENDPOINTS = {"device", "disconnect", "restart", "restore_session"}
FAILURES = tuple(
    name
    for name in ANSWERS
    if not name.startswith(("code", "image_", "already_connected"))
    and name not in {"status", "session_lost"}
    # Not for both endpoints that a session calls.
    and name not in {"passkey_required", "qr_not_ready", *OTHER_ENDPOINTS}
)

Way: TypeAlias = Literal["pairing", "hub"]


class Mishap(NamedTuple):
    """Disturbance of one call: seconds of delay, and the response instead of the usual."""

    delay: float
    response: str | None


class Scan(NamedTuple):
    """When the phone scans: which code, and how many seconds after it was shown."""

    round: int
    after: float


class Visitor(NamedTuple):
    """Actions of a watcher of the hub."""

    joins_after: float
    stays: float
    """Seconds after which it leaves, whatever it sees."""
    holds: float
    """Seconds that it takes to look at a state."""
    restarts: bool
    """Whether it presses the button when the session has ended."""


@dataclass(frozen=True)
class Pace:
    """How much of everything a run has.

    Attributes:
        unit: Real seconds that one second of a script takes.
        slowness: Seconds that a slow response takes at most; beyond the client's 10 none arrives.
        responses: Those of each endpoint if something goes wrong, or goes another way.
    """

    unit: float
    slowness: float
    responses: Mapping[str, Sequence[str]]


# Images are read in a thread, for which a clock in virtual time does not wait. Over sockets a
# response may come too late to count, so that it has to stay true.
VIRTUAL = Pace(
    unit=1,
    slowness=13,
    responses={
        "/qr-code": (*FAILURES, *FALSE_CONNECTIONS, *CODES_AS_TEXT * 3),
        "/status": (*FAILURES, *FALSE_CONNECTIONS, "session_lost"),
    },
)
OVER_SOCKETS = Pace(
    unit=0.02,
    slowness=0.5,
    responses={
        "/qr-code": (*FAILURES, *CODES_AS_IMAGE, *CODES_AS_TEXT * 3),
        "/status": (*FAILURES, "session_lost"),
    },
)


class Script:
    """Draw what shall happen in session `number` of the soak with this seed."""

    linger = 2.0
    retries = 2

    def __init__(self, seed: int, number: int, pace: Pace, *, way: Way | None = None) -> None:
        self._dice = dice = random.Random(f"{seed}/{number}")
        self._pace = pace
        drawn: Way = dice.choice(("pairing", "hub"))
        self.way = way or drawn
        by_hub = self.way == "hub"
        # One hub runs all tenants' sessions, with one configuration.
        self.interval = 15.0 if by_hub else round(dice.uniform(10, 20), 1)
        self.max_rounds = 3 if by_hub else dice.choice((1, 2, 3, 3, 3, 4))
        self.status_interval = 4.0 if by_hub else dice.choice((0.7, 2.0, 2.0, 2.0, 5.0, None))
        self.linked_before = dice.random() < 0.05
        self.scans = self._draw_scans()
        self._failing = dice.choice((0, 0, 0, 0.03, 0.1, 0.4))
        self._slowness = dice.choice((0, 0, 0.2, 0.2, pace.slowness))
        # The program: how it iterates, for how long it holds a code, when it walks out.
        self.waits = dice.random() < 0.4
        self.holds = dice.choice((0, 0, 0, 0, 3, 25))
        self.cancelled_after = dice.uniform(0, 60) if dice.random() < 0.15 else None
        self.walks_out_at = dice.randint(1, 2) if dice.random() < 0.2 else None
        self.presses_after = dice.uniform(0, 50) if dice.random() < 0.2 else None
        self.visitors = [self._draw_visitor(place) for place in range(dice.randint(1, 5))]

    def mishap(self, endpoint: str) -> Mishap:
        """Draw what happens to the next call."""
        delay = self._dice.uniform(0, self._slowness)
        if self._dice.random() >= self._failing:
            return Mishap(delay, None)
        return Mishap(delay, self._dice.choice(self._pace.responses[endpoint]))

    def _draw_scans(self) -> list[Scan]:
        dice, last = self._dice, self.max_rounds
        some = dice.randint(1, last)
        return dice.choice(
            (
                [],
                [Scan(some, dice.uniform(0, self.interval))],
                [Scan(last, dice.uniform(0, self.interval))],
                [Scan(last, self.interval - dice.uniform(0, 1))],
                # Too late: the next code has invalidated it, or it has expired.
                [Scan(some, dice.uniform(self.interval, 40))],
                [Scan(1, dice.uniform(self.interval, 40)), Scan(last, dice.uniform(0, 20))],
            )
        )

    def _draw_visitor(self, place: int) -> Visitor:
        dice = self._dice
        return Visitor(
            joins_after=0 if place == 0 else dice.choice((0, dice.uniform(0, 60))),
            stays=dice.choice((dice.uniform(0, 60), 200, 200)),
            holds=dice.choice((0, 0, 0, 4, 35)),
            restarts=dice.random() < 0.2,
        )

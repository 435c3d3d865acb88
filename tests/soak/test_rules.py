"""Each rule fails when it should: it is broken once, in a story that was right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugchat_async.sandbox import ANSWERS

from .ledger import Event, Session
from .rules import ERRORS, violations
from .scripts import FAILURES, OTHER_ENDPOINTS, VIRTUAL, Script

if TYPE_CHECKING:
    from collections.abc import Callable

    from .ledger import What
    from .scripts import Way

    Story = list[tuple[float, What, str] | tuple[float, What, str, str]]


def call(at: float, endpoint: str, response: str) -> Story:
    """Return the events of a call whose response arrives immediately."""
    return [(at, "asked", endpoint), (at, "answered", endpoint, response)]


def code(at: float, number: int) -> Story:
    """Return the events of a code that is shown."""
    return [*call(at, "/qr-code", "code"), (at, "shown", str(number))]


def look(at: float, response: str = "status not_connected") -> Story:
    """Return the events of a look at the status."""
    return call(at, "/status", response)


SCAN: Story = [(3, "scanned", "1", "linked")]
STORIES: dict[str, tuple[Way, Story]] = {
    "connected": ("pairing", [*code(0, 1), *look(2), *SCAN, *look(4, "status connected")]),
    "already_connected": ("pairing", call(0, "/qr-code", "already_connected")),
    "expired": ("pairing", [*code(0, 1), *look(2), *code(15, 2), *look(30)]),
    "cancelled": ("pairing", [*code(0, 1), (1, "stopped", "by break")]),
    "failed": ("pairing", call(0, "/qr-code", "forbidden")),
    "failed for long": (
        "pairing",
        [
            *call(0, "/qr-code", "html_page"),
            (1, "asked", "/qr-code"),
            (11, "unanswered", "/qr-code"),
            *call(12, "/qr-code", "server_error"),
        ],
    ),
    "left": (
        "hub",
        [
            (0, "joined", "one"),
            *call(0, "/qr-code", "code"),
            (0, "saw", "one", "code 1"),
            *look(2),
            (3.5, "left", "one"),
            *look(4),
        ],
    ),
    "seen by two": (
        "hub",
        [
            (0, "joined", "one"),
            (0, "joined", "two"),
            (0, "saw", "one", "starting"),
            *call(0, "/qr-code", "code"),
            (0, "saw", "one", "code 1"),
            (3, "left", "two"),
            *call(15, "/qr-code", "code"),
            (15, "saw", "one", "code 2"),
            *look(30),
            (30, "saw", "one", "expired"),
        ],
    ),
}
ENDINGS = {"failed": "authentication_error", "failed for long": "server_error"}
OUTCOMES = {"left": "cancelled", "seen by two": "expired"}


def session(name: str, *, sockets: bool = False) -> Session:
    """Make a session of two rounds that went as its story tells, and ended a second later."""
    way, story = STORIES[name]
    script = Script(1, 1, VIRTUAL, way=way)
    script.interval, script.max_rounds, script.status_interval = 15, 2, 2
    made = Session(
        1,
        1,
        "asyncio",
        script,
        linked_before=name == "already_connected",
        sockets=sockets,
        clock=lambda: 40,
        events=[Event(*entry) for entry in story],
    )
    if name in ENDINGS:
        made.end(outcome=None, error=ENDINGS[name])
    else:
        made.end(outcome=OUTCOMES.get(name, name))
    return made


def put(place: int, story: Story) -> Callable[[Session], None]:
    """Let more happen, before the event at a place, of which the last is the end."""

    def doctor(doctored: Session) -> None:
        doctored.events[place:place] = [Event(*entry) for entry in story]

    return doctor


def after_the_end(story: Story) -> Callable[[Session], None]:
    """Let more happen when all is over."""
    return lambda doctored: doctored.events.extend(Event(*entry) for entry in story)


def without(place: int, count: int = 1) -> Callable[[Session], None]:
    """Let something not have happened."""

    def doctor(doctored: Session) -> None:
        del doctored.events[place : place + count]

    return doctor


def say(**words: str | None) -> Callable[[Session], None]:
    """Let the session say something else."""
    return lambda doctored: vars(doctored).update(words)


@pytest.mark.parametrize("sockets", [False, True])
@pytest.mark.parametrize("name", STORIES)
def test_a_story_that_is_right_breaks_no_rule(name: str, sockets: bool) -> None:
    """Each ending, by a separate session and by the hub."""
    assert list(violations(session(name, sockets=sockets))) == []


@pytest.mark.parametrize("told", ["connected", "already_connected", "expired", "cancelled", None])
@pytest.mark.parametrize("name", ["connected", "already_connected", "expired", "cancelled"])
def test_no_other_outcome_agrees_with_the_story(name: str, told: str | None) -> None:
    """Whatever a session says, the phone, the responses and the program know better."""
    doctored = session(name)
    doctored.events.pop()
    doctored.end(outcome=told, error=None if told else "server_error")
    assert bool(list(violations(doctored))) is (told != name)


@pytest.mark.parametrize(
    ("name", "doctor", "words"),
    [
        ("expired", without(10), "has 0 endings"),
        ("expired", after_the_end([(40, "ended", "expired")]), "has 2 endings"),
        ("failed", say(error="server_error"), "ended as authentication_error, and says server_err"),
        ("failed", say(outcome="expired"), "the outcome expired and the error authentication_err"),
        ("failed", say(error=None), "has the outcome None and the error None"),
        ("expired", say(outcome_later="connected"), "outcome expired, and later connected"),
        ("failed", say(outcome_later="cancelled"), "outcome None, and later cancelled"),
        ("expired", say(outcome="lost"), "an outcome that there is not: lost"),
        ("expired", put(-1, call(30, "/qr-code", "code")), "requested 3 codes, but 2 are allowed"),
        ("expired", put(-1, [(30, "shown", "3")]), "showed the rounds [1, 2, 3]"),
        ("expired", put(-1, [(30, "shown", "2")]), "showed the rounds [1, 2, 2]"),
        ("connected", without(5), "connected, and nobody had scanned"),
        ("connected", put(-3, look(3.5)), "not connected, after a scan"),
        ("connected", without(-2), "is connected, and no response had said so"),
        ("expired", put(5, look(4, "already_connected_400")), "ended as expired, after it was"),
        ("cancelled", put(3, look(1, "already_connected_400")), "was cancelled, after it was"),
        ("connected", without(0, 3), "is connected, and no code"),
        ("already_connected", put(0, code(0, 1)), "was connected already, and had a code"),
        ("expired", without(5, 3), "expired after 1 of 2 codes"),
        ("expired", without(8, 2), "expired without a last look"),
        ("cancelled", without(3), "was cancelled, and nobody had left it"),
        ("failed", without(0, 2), "failed by authentication_error, after the responses []"),
        ("failed for long", without(2, 2), "failed by server_error after 2 attempts, not 3"),
        ("failed for long", put(0, call(0, "/qr-code", "html_page")), "after 4 attempts, not 3"),
        ("failed", put(2, call(1, "/qr-code", "redirect")), "after the responses ['auth"),
        ("failed for long", put(0, call(0, "/qr-code", "rate_limited")), "after a rate limit"),
        ("expired", after_the_end([(41, "asked", "/status")]), "asked /status at 41, after its"),
        ("connected", put(-1, [(5, "asked", "/status")]), "asked /status at 5, after its end"),
        ("left", put(-1, call(32.6, "/qr-code", "code")), "asked /qr-code at 32.6, after its end"),
        ("seen by two", put(-1, [(30, "saw", "one", "starting")]), "showed starting to one, after"),
        ("seen by two", put(-2, [(16, "saw", "one", "code 1")]), "showed code 1 to one, after cod"),
        ("seen by two", put(-1, [(30, "saw", "two", "connected")]), "and ended as expired"),
    ],
)
def test_a_story_with_something_wrong_is_told(
    name: str, doctor: Callable[[Session], None], words: str
) -> None:
    """Every rule, and every part of it."""
    doctored = session(name)
    doctor(doctored)
    assert any(words in violation for violation in violations(doctored))


def test_whoever_comes_back_within_the_linger_keeps_a_session_alive() -> None:
    """Its calls are counted from the last leave of all."""
    story: Story = [(5, "joined", "two"), *look(6), *look(8), (9, "left", "two"), *look(10)]
    lively = session("left")
    put(-1, story)(lively)
    assert list(violations(lively)) == []
    put(-1, look(67.1))(lively)
    assert any("after its end" in violation for violation in violations(lively))


def test_over_sockets_one_call_may_be_in_flight_when_a_session_is_left() -> None:
    """A second one is a call after the end, and so is any if nobody left."""
    in_flight: Story = [(41, "asked", "/status")]
    left, ended = session("cancelled", sockets=True), session("expired", sockets=True)
    for doctored, is_right in ((left, True), (left, False), (ended, False)):
        after_the_end(in_flight)(doctored)
        assert (list(violations(doctored)) == []) is is_right


def test_over_sockets_a_last_look_may_come_too_late_to_be_noted() -> None:
    """In virtual time it may not."""
    over_sockets, virtual = session("expired", sockets=True), session("expired")
    for doctored, is_right in ((over_sockets, True), (virtual, False)):
        without(8, 2)(doctored)
        assert (list(violations(doctored)) == []) is is_right


def test_every_response_has_a_meaning() -> None:
    """The rules know what becomes of each that the sandbox can give."""
    known = {name for names in ERRORS.values() for name in names} | {"status", "session_lost"}
    rest = set(ANSWERS) - known - OTHER_ENDPOINTS
    assert all(name.startswith(("code", "image_", "already_connected")) for name in rest)
    assert set(FAILURES) <= known

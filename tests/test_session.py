"""The life of a session: its phases, and what moves it, without a clock and without requests."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import pytest

from plugchat_async import Connected, Failed, PairingOutcome, QRCode
from plugchat_async._rounds import Do, Step
from plugchat_async._schedule import Fetched, Schedule
from plugchat_async._session import EXPIRED, LEFT, MOVES, Ending, Event, Phase, Session

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTED = Ending(PairingOutcome.CONNECTED, Connected(already=False))
FAILED = Ending(None, Failed(code="rate_limited", message="wait"), restart_at=100)


def showing_code(schedule: Schedule | None = None) -> Session:
    """Make a session that shows its first code, requested at 0."""
    session = Session(schedule or Schedule(), linger=2)
    session.rounds.show(Fetched(QRCode(payload="code"), 0, 0))
    return session


def left(at: float = 5, schedule: Schedule | None = None) -> Session:
    """Make one whose last watcher has left."""
    session = showing_code(schedule)
    session.leave(at)
    return session


def in_grace() -> Session:
    """Make one whose linger is over, after 7 s."""
    session = left()
    session.stop_lingering(7)
    return session


def ended(ending: Ending, *, is_watched: bool = True) -> Session:
    """Make one that has ended after 10 s, and whose app was told."""
    session = showing_code() if is_watched else left()
    session.end(ending, 10)
    session.report(10)
    return session


def test_every_phase_is_reached_and_but_one_is_left() -> None:
    """Every phase leads on, except the end."""
    reached = {Phase.WATCHED, *MOVES.values()}
    assert reached == set(Phase)
    assert {phase for phase, _ in MOVES} == set(Phase) - {Phase.FORGOTTEN}
    assert {event for _, event in MOVES} == set(Event)


def test_a_session_that_is_left_lingers_and_then_requests_the_status_alone() -> None:
    """Until 10 s after its code has expired."""
    session = left()
    assert (session.phase, session.next(5)) == (Phase.LINGERING, Step(Do.REQUEST_STATUS, 5, 15))
    session.rounds.status_requested(session.next(6))
    assert session.next(6) == Step(Do.STOP_LINGERING, 7)
    session.stop_lingering(7)
    assert session.phase is Phase.GRACE
    assert session.next(16) == Step(Do.REQUEST_STATUS, 16, 30)
    assert session.next(30) == Step(Do.REQUEST_LAST_STATUS, 30, 45)
    session.end_unscanned(30)
    assert (session.phase, session.ending) == (Phase.REPORTING, LEFT)


def test_a_session_that_is_left_just_before_its_end_has_its_grace_all_the_same() -> None:
    """Its last code is valid for longer than it is shown."""
    session = left(14, Schedule(max_rounds=1))
    session.rounds.status_requested(Step(Do.REQUEST_STATUS, 14))
    assert session.next(14) == Step(Do.STOP_LINGERING, 15)
    session.stop_lingering(15)
    assert (session.phase, session.next(15)) == (Phase.GRACE, Step(Do.REQUEST_STATUS, 16, 30))


@pytest.mark.parametrize(
    "session",
    [
        pytest.param(left(schedule=Schedule(status_interval=None)), id="no status"),
        pytest.param(Session(Schedule(), linger=2), id="no code"),
    ],
)
def test_a_session_that_can_not_be_scanned_has_no_grace(session: Session) -> None:
    """It ends as left, and is forgotten once the app was told."""
    session.leave(5)
    session.stop_lingering(7)
    assert (session.phase, session.ending) == (Phase.REPORTING, LEFT)
    session.report(7)
    assert session.phase is Phase.FORGOTTEN


@pytest.mark.parametrize("make", [left, in_grace])
def test_a_watcher_who_returns_joins_the_same_session(make: Callable[[], Session]) -> None:
    """Wherever it is on its way out."""
    session = make()
    session.join(8)
    assert session.phase is Phase.WATCHED
    assert session.is_running


def test_the_first_code_is_waited_for_until_the_linger_is_over() -> None:
    """Then nobody would see it; a code that is shown can be scanned, and its successor is kept."""
    session = Session(Schedule(), linger=2)
    assert session.give_up_at == math.inf
    session.leave(5)
    assert session.give_up_at == 7
    session.join(6)
    assert session.give_up_at == math.inf
    assert left().give_up_at == math.inf


def test_a_code_is_waited_for_as_long_as_somebody_may_watch_in_another_process() -> None:
    """Whoever finds out that nobody does ends the session, and with it the request."""
    session = Session(Schedule(), linger=2, is_shared=True)
    session.leave(5)
    assert session.give_up_at == math.inf
    session.stop_lingering(7)
    assert (session.phase, session.ending) == (Phase.REPORTING, LEFT)
    assert session.give_up_at == -math.inf


@pytest.mark.parametrize("ending", [CONNECTED, EXPIRED, FAILED])
def test_the_app_is_told_before_the_watchers(ending: Ending) -> None:
    """Whoever joins or leaves meanwhile."""
    session = showing_code()
    session.end(ending, 10)
    for happens in (session.leave, session.join, session.restart, session.leave):
        happens(200)
        assert (session.phase, session.next(200)) == (Phase.REPORTING, Step(Do.REPORT, 200))
    session.report(200)
    assert session.phase is Phase.KEPT


def test_a_session_ends_once() -> None:
    """Later events change nothing."""
    session = showing_code()
    session.end(CONNECTED, 10)
    session.end(EXPIRED, 11)
    session.end_unscanned(11)
    assert session.ending is CONNECTED


@pytest.mark.parametrize(("ending", "until"), [(CONNECTED, 12), (EXPIRED, 3610), (FAILED, 3610)])
def test_an_ending_is_kept_for_a_while_with_nobody_watching(ending: Ending, until: float) -> None:
    """A link may be undone at any time; that nobody scanned is true for an hour."""
    session = ended(ending, is_watched=False)
    assert (session.phase, session.next(10)) == (Phase.KEPT, Step(Do.PASS_TIME, until))
    session.join(11)
    assert (session.phase, session.next(11)) == (Phase.ENDED, Step(Do.PASS_TIME, math.inf))
    session.leave(until)
    session.pass_time(until)
    assert session.phase is Phase.FORGOTTEN


@pytest.mark.parametrize("is_watched", [True, False])
def test_a_restart_forgets_an_ending(is_watched: bool) -> None:
    """The next session is another one."""
    session = ended(EXPIRED, is_watched=is_watched)
    session.restart(10)
    assert session.phase is Phase.FORGOTTEN


def test_a_restart_before_the_api_allows_it_changes_nothing() -> None:
    """The button is bound by the limit of the gateway."""
    session = ended(FAILED)
    phases = []
    for moment in (99, 100):
        session.restart(moment)
        phases.append(session.phase)
    assert phases == [Phase.ENDED, Phase.FORGOTTEN]


@pytest.mark.parametrize(("phase", "event"), sorted(set(product(Phase, Event)) - set(MOVES)))
def test_an_unlisted_move_changes_nothing(phase: Phase, event: Event) -> None:
    """In any phase."""
    session = showing_code()
    session.phase = phase
    session._move(event, 10)
    assert session.phase is phase


def test_a_code_expires_20_s_after_its_request() -> None:
    """Whatever is shown; without a code nothing expires."""
    assert not Session(Schedule(), linger=2).is_code_expired(100)
    assert not showing_code().is_code_expired(19.9)
    assert showing_code().is_code_expired(20)

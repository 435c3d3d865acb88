"""Next request of a session, and its time: without a clock and without requests."""

from __future__ import annotations

import math

from plugchat_async import QRCode
from plugchat_async._rounds import Do, Rounds, Step
from plugchat_async._schedule import Fetched, Schedule


def fetched(number: int, *, began: float = 0.0, ended: float | None = None) -> Fetched:
    """Make the code of a round."""
    code = QRCode(payload=f"code-{number}", round=number, rounds=3)
    return Fetched(code, began, began if ended is None else ended)


def steps(rounds: Rounds, *, until: float) -> list[tuple[Do, float]]:
    """Follow a session in which nothing is scanned and each request takes no time."""
    now, done = 0.0, []
    while (step := rounds.next(now)).at <= until:
        now = step.at
        done.append((step.do, now))
        match step.do:
            case Do.REQUEST_CODE:
                rounds.show(fetched(rounds.next_round, began=now))
            case Do.END:
                break
            case _:
                rounds.status_requested(step)
    return done


def test_a_session_goes_from_round_to_round_to_its_end() -> None:
    """The status is requested between codes, and once more at the end."""
    assert steps(Rounds(Schedule(10, 2, 4)), until=100) == [
        (Do.REQUEST_CODE, 0),
        (Do.REQUEST_STATUS, 4),
        (Do.REQUEST_STATUS, 8),
        (Do.REQUEST_CODE, 10),
        (Do.REQUEST_STATUS, 14),
        (Do.REQUEST_STATUS, 18),
        (Do.REQUEST_LAST_STATUS, 20),
        (Do.END, 20),
    ]


def test_without_an_interval_the_status_is_never_requested() -> None:
    """Only the next code tells of a scan."""
    assert steps(Rounds(Schedule(10, 2, None)), until=100) == [
        (Do.REQUEST_CODE, 0),
        (Do.REQUEST_CODE, 10),
        (Do.END, 20),
    ]


def test_a_regular_status_has_time_until_the_next_code_and_the_last_one_an_interval() -> None:
    """A slow response makes no code late, and no session endless."""
    rounds = Rounds(Schedule(10, 1, 4))
    rounds.show(fetched(1))
    assert rounds.next(0) == Step(Do.REQUEST_STATUS, 4, 10)
    assert rounds.next(10) == Step(Do.REQUEST_LAST_STATUS, 10, 20)
    assert rounds.next(13) == Step(Do.REQUEST_LAST_STATUS, 10, 23)


def test_an_overdue_request_is_due_now() -> None:
    """And once, not for each interval that was missed."""
    rounds = Rounds(Schedule(10, 2, 2))
    rounds.show(fetched(1))
    overdue = rounds.next(7)
    assert overdue == Step(Do.REQUEST_STATUS, 7, 10)
    rounds.status_requested(overdue)
    assert rounds.next(7.5).at == 9


def test_no_status_is_requested_before_the_api_wants_one() -> None:
    """Also in the next round, but for the last one, which nothing makes up for."""
    rounds = Rounds(Schedule(10, 2, 2))
    rounds.show(fetched(1))
    rounds.status_requested(rounds.next(2), not_before=7)
    assert rounds.next(2) == Step(Do.REQUEST_STATUS, 7, 10)
    rounds.status_requested(rounds.next(7), not_before=300)
    assert rounds.next(7) == Step(Do.REQUEST_CODE, 10)
    rounds.show(fetched(2, began=10))
    assert rounds.next(10) == Step(Do.REQUEST_LAST_STATUS, 20, 30)


def test_no_status_is_requested_before_the_next_code_if_the_api_wants_none() -> None:
    """It says how many requests are too many, and not for how long."""
    rounds = Rounds(Schedule(10, 2, 2))
    rounds.show(fetched(1))
    rounds.status_requested(rounds.next(2), not_before=math.inf)
    assert rounds.next(2) == Step(Do.REQUEST_CODE, 10)
    rounds.show(fetched(2, began=10))
    assert rounds.next(10) == Step(Do.REQUEST_STATUS, 12, 20)


def test_a_round_has_begun_before_its_code_comes() -> None:
    """A request that is cancelled counts, and the next one is that of the next round."""
    rounds = Rounds(Schedule(10, 2, None))
    rounds.begin()
    assert (rounds.next_round, rounds.next(0)) == (2, Step(Do.REQUEST_CODE, 0))
    rounds.begin()
    assert rounds.next(0).do is Do.END


def test_a_code_that_is_kept_is_shown_while_it_is_valid() -> None:
    """A kept code gives way 20 s after its request, and the one after it is not kept."""
    rounds = Rounds(Schedule(10, 3, None))
    rounds.keep_showing()
    assert rounds.next(0) == Step(Do.REQUEST_CODE, 0, math.inf)
    rounds.show(fetched(1))
    rounds.keep_showing()
    assert rounds.next(0) == Step(Do.REQUEST_CODE, 20)
    rounds.show(fetched(2, began=20))
    assert rounds.next(20) == Step(Do.REQUEST_CODE, 30)


def test_a_session_without_further_codes_requests_the_status_until_it_ends() -> None:
    """Beyond the interval of its code, for as long as it is told."""
    rounds = Rounds(Schedule(10, 3, 4))
    rounds.show(fetched(1))
    assert rounds.next_status(11, until=30) == Step(Do.REQUEST_STATUS, 11, 30)
    last = rounds.next_status(30, until=30)
    assert last == Step(Do.REQUEST_LAST_STATUS, 30, 40)
    rounds.status_requested(last)
    assert rounds.next_status(30, until=30) == Step(Do.END, 30)


def test_a_process_that_goes_on_requests_the_next_round() -> None:
    """At the time of the current code's end, or immediately if there was none."""
    rounds = Rounds(Schedule(10, 3, None))
    rounds.resume(2, fetched(1, began=5))
    assert (rounds.next_round, rounds.next(6)) == (3, Step(Do.REQUEST_CODE, 15))
    rounds = Rounds(Schedule(10, 3, 4))
    rounds.resume(1, None)
    assert (rounds.next_round, rounds.next(6)) == (2, Step(Do.REQUEST_CODE, 6))


def test_a_last_round_without_a_code_leaves_a_request_of_the_status() -> None:
    """The process that died may have shown the code, and a phone scanned it."""
    rounds = Rounds(Schedule(10, 1, 4))
    rounds.resume(1, None)
    step = rounds.next(6)
    assert (step.do, step.until) == (Do.REQUEST_LAST_STATUS, 16)
    rounds.status_requested(step)
    assert rounds.next(6).do is Do.END
    without_status = Rounds(Schedule(10, 1, None))
    without_status.resume(1, None)
    assert without_status.next(6).do is Do.END

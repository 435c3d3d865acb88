"""Knowledge of a process about a session, updated by the store's responses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plugchat_async.redis._record import (
    Record,
    Stage,
    StoreClock,
    Then,
    after_message,
    after_response,
)

MINE = Record(session="2", version=5, spent=2, nonce="n", leader="P", epoch=1)


def heard(said: float = 1000.0, *, took: float = 0.0) -> StoreClock:
    """Return a clock that had one response, which arrived at 10."""
    clock = StoreClock()
    clock.hear(said, sent_at=10.0 - took, received_at=10.0)
    return clock


@pytest.mark.parametrize(
    ("theirs", "then"),
    [
        (None, Then.KEEP),
        (MINE, Then.KEEP),
        (replace(MINE, version=6), Then.ADOPT),
        (replace(MINE, session="3", version=1), Then.ADOPT),
        (replace(MINE, version=4), Then.REPAIR),
        (replace(MINE, version=4, spent=1, nonce="m"), Then.REPAIR),
        (replace(MINE, session="1", version=9), Then.REPAIR),
        (replace(MINE, version=4, nonce="m"), Then.ADOPT),
        (replace(MINE, version=4, spent=3, nonce="m"), Then.ADOPT),
        (replace(MINE, version=4, stage=Stage.OVER), Then.ADOPT),
    ],
    ids=[
        "not sent again",
        "the same",
        "newer",
        "a newer session",
        "older: changes were lost",
        "older: a reservation was lost",
        "an older session",
        "older, but this round was begun by another since",
        "older, but a further round was begun since",
        "older, but over",
    ],
)
def test_the_consequence_of_a_response(theirs: Record | None, then: Then) -> None:
    """The newer of the two counts, unless the store went on from an older one."""
    assert after_response(MINE, theirs, known=MINE.known) is then


@pytest.mark.parametrize("version", [3, 4])
def test_a_message_that_overtook_a_response_counts(version: int) -> None:
    """The store has not lost what the process did not know when it asked."""
    theirs = replace(MINE, version=version)
    assert after_response(MINE, theirs, known=("2", 3)) is Then.KEEP


@pytest.mark.parametrize(
    ("known", "is_newer"),
    [(("2", 4), False), (("2", 5), False), (("1", 9), False), (("2", 6), True), (("3", 1), True)],
)
def test_only_a_newer_message_counts(known: tuple[str, int], is_newer: bool) -> None:
    """Messages may arrive late, or twice."""
    session, version = known
    assert after_message(MINE, replace(MINE, session=session, version=version)) is is_newer


def test_anything_is_newer_than_nothing() -> None:
    """Before the store was heard, a process knows an empty record."""
    assert after_response(Record(), replace(MINE, version=0), known=("", 0)) is Then.ADOPT


def test_a_record_is_read_with_its_moments_on_the_loops_clock() -> None:
    """The store's clock shows 1000 at the loop's 10."""
    packed = "1790000000000000 7 2 nonce 1 995000 P 3 998500 2000 state ending"
    assert Record.unpack(packed, heard()) == Record(
        session="1790000000000000",
        version=7,
        spent=2,
        nonce="nonce",
        stage=Stage.ENDING,
        left_at=5.0,
        leader="P",
        epoch=3,
        asked_at=8.5,
        retention=2.0,
        state="state",
        ending="ending",
    )


def test_a_record_may_lack_a_leader_a_code_and_a_state() -> None:
    """Each missing one is an empty word, or 0."""
    assert Record.unpack("1 0 0  0 0  0 0 0  ", heard()) == Record(session="1")


@pytest.mark.parametrize(
    "packed",
    [
        "",
        "hello",
        "1 2 3",
        "x 0 0  0 0  0 0 0  ",
        "1 x 0  0 0  0 0 0  ",
        "1 0 0  7 0  0 0 0  ",
        "1 0 0  0 0  0 0 0    ",
        "0 0 0  0 0  0 0 0  ",
        *(f"{'9' * digits} 0 0  0 0  0 0 0  " for digits in (17, 400, 5000)),
        f"1 0 0  0 {'9' * 400}  0 0 0  ",
        f"1 0 0  0 0  0 -{'9' * 17} 0  ",
        f"1 0 0  0 0  0 0 {'9' * 400}  ",
    ],
)
def test_anything_else_is_not_a_record(packed: str) -> None:
    """It comes from somebody else, or has a number that no script writes."""
    with pytest.raises(ValueError, match=r".+"):
        Record.unpack(packed, heard())


def test_a_clock_is_set_by_the_first_response() -> None:
    """However long that took."""
    assert not StoreClock().is_set
    clock = heard(took=4.0)
    assert clock.is_set
    assert clock.to_loop(1_000_000) == 8.0
    assert clock.to_loop(0) is None


@pytest.mark.parametrize(
    ("said", "took", "offset"),
    [
        (1010.1, 0.2, 990.2),
        (1010.1, 2.0, 990.0),
        (1610.0, 2.0, 1591.0),
        (410.0, 2.0, 391.0),
    ],
    ids=["quicker", "slower", "a clock that is ahead", "a clock that is behind"],
)
def test_quick_responses_set_the_clock(said: float, took: float, offset: float) -> None:
    """And slow ones from another clock: that of a server which took over, or one that was set."""
    clock = StoreClock()
    clock.hear(1000.0, sent_at=9.75, received_at=10.25)
    clock.hear(said, sent_at=20.0 - took, received_at=20.0)
    assert clock.to_loop(2_000_000) == pytest.approx(2000.0 - offset)


def test_an_old_response_counts_for_less() -> None:
    """Clocks drift apart: after an hour any response is better than the old one."""
    clock = heard()
    clock.hear(4601.0, sent_at=3609.0, received_at=3611.0)
    assert clock.to_loop(4_601_000) == pytest.approx(3610.0)

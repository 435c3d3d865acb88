"""One session, one outcome: each ending, in virtual time."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from plugchat_async import (
    AsyncPlugChat,
    InstanceNotFound,
    Pairing,
    PairingOutcome,
    PlugChatError,
    QRCode,
    RateLimited,
    ServerError,
)
from plugchat_async._requests import Requests
from plugchat_async._schedule import Fetched, Schedule
from plugchat_async.sandbox import Sandbox

from .fake_instance import FakeInstance
from .sandbox_calls import codes_requested, requested_at

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


@pytest.mark.parametrize(
    ("scan_at", "seen_at", "codes"),
    [(1.5, 2, 1), (14.5, 15, 2), (16, 17, 2), (31, 32, 3), (43.5, 44, 3), (44.5, 45, 3)],
)
async def test_a_scan_is_seen_within_the_status_interval(
    scan_at: float, seen_at: float, codes: int
) -> None:
    """Whichever code it was, also the last one in its last moment."""
    instance = FakeInstance(scan_at=scan_at)
    pairing = instance.pairing()
    async with pairing:
        shown = [code.round async for code in pairing]
    assert pairing.outcome is PairingOutcome.CONNECTED
    assert instance.now == seen_at
    assert len(instance.codes) == codes
    assert shown == list(range(1, len(shown) + 1))


async def test_an_instance_that_is_connected_already_shows_no_code() -> None:
    """One call tells, and no look at the status is needed."""
    instance = FakeInstance(scan_at=0)
    async with instance.pairing() as pairing:
        assert [code async for code in pairing] == []
    assert pairing.outcome is PairingOutcome.ALREADY_CONNECTED
    assert (instance.codes, instance.looks) == ([0], [])


async def test_codes_that_nobody_scans_expire() -> None:
    """Three codes, 15 s apart; looks between them, and one more after the last."""
    instance = FakeInstance()
    async with instance.pairing() as pairing:
        assert [code.round async for code in pairing] == [1, 2, 3]
    assert pairing.outcome is PairingOutcome.EXPIRED
    assert instance.codes == [0, 15, 30]
    assert instance.looks == [start + step for start in (0, 15, 30) for step in range(2, 15, 2)] + [
        45
    ]
    assert instance.now == 45


async def test_without_a_status_interval_the_next_code_tells() -> None:
    """`None` never looks, so a scan of the last code is not seen."""
    instance = FakeInstance(scan_at=3)
    assert await instance.pairing(status_interval=None).wait() is PairingOutcome.CONNECTED
    assert (instance.now, instance.looks) == (15, [])
    instance = FakeInstance(scan_at=33)
    assert await instance.pairing(status_interval=None).wait() is PairingOutcome.EXPIRED
    assert (instance.now, instance.looks) == (45, [])


@pytest.mark.parametrize(
    "error", [InstanceNotFound("no", status_code=404), ServerError("down", status_code=500)]
)
async def test_a_status_that_fails_breaks_no_session(error: PlugChatError) -> None:
    """The next code tells in its place."""
    instance = FakeInstance(scan_at=20, status_error=error)
    assert await instance.pairing().wait() is PairingOutcome.CONNECTED
    assert instance.now == 30
    instance = FakeInstance(status_error=error)
    assert await instance.pairing().wait() is PairingOutcome.EXPIRED
    assert instance.codes == [0, 15, 30]


async def test_a_status_that_says_no_after_a_scan_breaks_no_session() -> None:
    """The next code tells the truth."""
    instance = FakeInstance(scan_at=3, status_lie=False)
    assert await instance.pairing().wait() is PairingOutcome.CONNECTED
    assert instance.now == 15


@pytest.mark.parametrize("latency", [3, 60])
async def test_a_slow_status_makes_no_code_late(latency: float) -> None:
    """A response that takes too long is given up when the next code is due."""
    instance = FakeInstance(status_latency=latency)
    pairing = instance.pairing()
    codes = [code.round async for code in pairing]
    assert codes == [1, 2, 3]
    assert instance.codes == [0, 15, 30]
    assert pairing.outcome is PairingOutcome.EXPIRED
    # The look after the last code may take as long as a round.
    assert instance.now == 45 + min(latency, 15)


async def test_the_time_of_a_code_call_does_not_add_up() -> None:
    """Rounds stay `interval` apart however long the API takes."""
    instance = FakeInstance(latency=4)
    await instance.pairing().wait()
    assert instance.codes == [0, 15, 30]
    # Two seconds after asking the code was not there yet; then once, not to make up for it.
    assert instance.looks[:3] == [4, 6, 8]


@pytest.mark.parametrize(
    ("latency", "interval", "codes", "looks"),
    [
        (6, 10, [0, 16, 32], [6, 8, 10, 12, 14, 22, 24, 26, 28, 30, 38, 40, 42, 44, 46, 48]),
        (18, 15, [0, 20, 40], [18, 38, 58, 60]),
    ],
)
async def test_the_status_is_requested_while_a_slow_gateway_s_code_is_shown(
    latency: float, interval: float, codes: list[float], looks: list[float]
) -> None:
    """From its arrival on, for as long as the code is shown, and once more after the last one."""
    instance = FakeInstance(latency=latency)
    assert await instance.pairing(interval=interval).wait() is PairingOutcome.EXPIRED
    assert instance.codes == codes
    assert instance.looks == looks


async def test_a_look_in_the_moment_of_a_code_is_left_out() -> None:
    """The code call tells in its place; only after the last code there is none."""
    instance = FakeInstance()
    await instance.pairing(status_interval=5).wait()
    assert instance.codes == [0, 15, 30]
    assert instance.looks == [5, 10, 20, 25, 35, 40, 45]


async def test_a_slow_consumer_gets_the_next_code_immediately() -> None:
    """Its clock restarts from there; never a burst."""
    instance = FakeInstance()
    pairing = instance.pairing()
    async for code in pairing:
        if code.round == 1:
            await anyio.sleep(40)
    assert instance.codes == [0, 40, 55]


@pytest.mark.parametrize("rounds_shown", [1, 2, 3])
async def test_leaving_early_is_cancelled(rounds_shown: int) -> None:
    """Leaving the context ends the session, at whichever code."""
    instance = FakeInstance()
    async with instance.pairing() as pairing:
        for _ in range(rounds_shown):
            await anext(pairing)
    assert pairing.outcome is PairingOutcome.CANCELLED
    assert pairing.qr is None
    assert [code async for code in pairing] == []
    assert len(instance.codes) == rounds_shown


async def test_a_session_that_was_never_iterated_is_cancelled() -> None:
    """Nothing was asked."""
    instance = FakeInstance()
    async with instance.pairing() as pairing:
        pass
    assert pairing.outcome is PairingOutcome.CANCELLED
    assert instance.codes == []


@pytest.mark.parametrize(("latency", "after"), [(5, 2), (0, 3), (0, 14.999), (5, 17)])
async def test_a_caller_that_is_cancelled_leaves_immediately(latency: float, after: float) -> None:
    """In the middle of a code call, of a look, of a wait: nothing is asked any more."""
    instance = FakeInstance(latency=latency)
    pairing = instance.pairing()
    with anyio.move_on_after(after):
        await pairing.wait()
    assert instance.now == after
    assert pairing.outcome is PairingOutcome.CANCELLED
    asked = len(instance.codes) + len(instance.looks)
    await anyio.sleep(100)
    assert len(instance.codes) + len(instance.looks) == asked


async def test_a_code_call_that_is_cancelled_spends_its_round() -> None:
    """An app that waits for a second at a time makes no more calls than the rounds it allows."""
    instance = FakeInstance(latency=5)
    pairing = instance.pairing(max_rounds=3)
    for _ in range(3):
        with anyio.move_on_after(1):
            await anext(pairing)
    assert len(instance.codes) == 3
    with pytest.raises(StopAsyncIteration):
        await anext(pairing)
    assert len(instance.codes) == 3
    assert pairing.outcome is PairingOutcome.EXPIRED


async def test_a_users_exception_arrives_as_itself() -> None:
    """There is no task group to wrap it."""
    instance = FakeInstance()
    with pytest.raises(KeyError):
        async with instance.pairing() as pairing:
            await anext(pairing)
            raise KeyError("bug")
    assert pairing.outcome is PairingOutcome.CANCELLED


@pytest.mark.parametrize("error", [ServerError("down", status_code=500), KeyError("a hook's bug")])
async def test_a_failure_raises_and_has_no_outcome(error: Exception) -> None:
    """The session is over, and says so to whoever goes on."""
    ask = FakeInstance().ask_status

    async def fail(number: int, of: int) -> Fetched:
        raise error

    pairing = Pairing(Requests(fail, ask, ask), Schedule())
    with pytest.raises(type(error)):
        await pairing.wait()
    assert pairing.outcome is None
    assert [code async for code in pairing] == []
    with pytest.raises(RuntimeError, match=r"^this session has failed already: .*\.pairing\(\)$"):
        await pairing.wait()


async def test_wait_shows_each_code_by_a_plain_or_an_async_function() -> None:
    """The short form."""
    plain: list[int] = []
    awaited: list[int] = []

    async def show(code: QRCode) -> None:
        await anyio.sleep(0.1)
        awaited.append(code.round)

    await FakeInstance(scan_at=20).pairing().wait(on_code=lambda code: plain.append(code.round))
    await FakeInstance(scan_at=20).pairing().wait(show)
    assert plain == awaited == [1, 2]


async def test_wait_calls_whatever_can_be_called() -> None:
    """Also an empty collector, which is false; any other object is refused without a request."""

    class Collector(list[QRCode]):
        def __call__(self, code: QRCode) -> None:
            self.append(code)

    collector = Collector()
    await FakeInstance().pairing().wait(collector)
    assert len(collector) == 3
    instance = FakeInstance()
    with pytest.raises(TypeError, match="on_code must be callable, not int"):
        await instance.pairing().wait(5)  # type: ignore[arg-type]
    assert instance.codes == []


async def test_wait_again_tells_the_outcome_again() -> None:
    """It is set once, and nothing is asked anew."""
    instance = FakeInstance()
    pairing = instance.pairing()
    assert await pairing.wait() is await pairing.wait() is PairingOutcome.EXPIRED
    assert len(instance.codes) == 3


async def test_the_current_code() -> None:
    """None before the first one and after the end."""
    instance = FakeInstance()
    pairing = instance.pairing(max_rounds=1)
    assert pairing.qr is None
    async for code in pairing:
        assert pairing.qr is code
    assert pairing.qr is None


async def test_checking_before_a_scan_tells_no_and_goes_on() -> None:
    """The button may be pressed too early."""
    instance = FakeInstance()
    async with instance.pairing() as pairing:
        await anext(pairing)
        assert await pairing.check() is False
        assert pairing.outcome is None


async def iterate(pairing: Pairing, instance: FakeInstance, ended_at: list[float]) -> None:
    """Iterate a session to its end, and note when that is."""
    async for _ in pairing:
        pass
    ended_at.append(instance.now)


async def test_checking_after_a_scan_ends_the_session_in_every_task() -> None:
    """The task that iterates is woken, and ends as after any scan."""
    instance = FakeInstance(scan_at=1)
    pairing = instance.pairing(status_interval=14)
    ended_at: list[float] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(iterate, pairing, instance, ended_at)
        await anyio.sleep(3)
        assert await pairing.check() is True
    assert ended_at == [3]
    assert pairing.outcome is PairingOutcome.CONNECTED
    assert await pairing.check() is True
    assert instance.looks == [3]


async def test_leaving_ends_the_session_in_every_task() -> None:
    """The task that iterates is woken, and asks for nothing more."""
    instance = FakeInstance()
    ended_at: list[float] = []
    async with anyio.create_task_group() as tasks:
        async with instance.pairing() as pairing:
            tasks.start_soon(iterate, pairing, instance, ended_at)
            await anyio.sleep(3)
    assert ended_at == [3]
    assert pairing.outcome is PairingOutcome.CANCELLED
    assert (instance.codes, instance.looks) == ([0], [2])


async def test_checking_between_two_steps_ends_the_session_at_the_next() -> None:
    """A consumer that holds a code finds the session over when it comes back."""
    instance = FakeInstance(scan_at=0.5)
    pairing = instance.pairing()
    instance.scan_at = 0.5
    await anext(pairing)
    await anyio.sleep(1)
    assert await pairing.check()
    assert [code async for code in pairing] == []


async def test_a_check_that_is_answered_after_the_end_changes_no_outcome() -> None:
    """It is set once."""
    instance = FakeInstance(scan_at=46, status_latency=5)
    pairing = instance.pairing(status_interval=None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pairing.wait)
        await anyio.sleep(44)
        assert await pairing.check() is False
    assert pairing.outcome is PairingOutcome.EXPIRED


async def test_checking_before_the_first_code() -> None:
    """It was connected without a code of this session."""
    pairing = FakeInstance(scan_at=0).pairing()
    assert await pairing.check() is True
    assert pairing.outcome is PairingOutcome.ALREADY_CONNECTED


async def test_a_check_whose_status_fails_returns_false() -> None:
    """The session goes on."""
    pairing = FakeInstance(status_error=ServerError("down", status_code=500)).pairing()
    assert await pairing.check() is False


@pytest.mark.parametrize("moment", [1, 7])
async def test_two_tasks_can_not_wait_for_one_session(moment: float) -> None:
    """Not while a code is fetched, nor while one is shown; the first one goes on to its end."""
    pairing = FakeInstance(latency=5, scan_at=20).pairing()
    outcomes: list[PairingOutcome] = []

    async def wait() -> None:
        outcomes.append(await pairing.wait(lambda _: anyio.sleep(5)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.sleep(moment)
        with pytest.raises(RuntimeError, match=r"^this session is being iterated already"):
            await pairing.wait()
    assert outcomes == [PairingOutcome.CONNECTED]
    assert await pairing.wait() is PairingOutcome.CONNECTED


@pytest.mark.parametrize("error", [RateLimited, ServerError])
async def test_the_pause_that_the_api_asks_for_is_kept_for_the_status(
    error: type[RateLimited | ServerError],
) -> None:
    """Asking again before that prolongs a limit; the codes keep their pace."""
    instance = FakeInstance(status_error=error("wait", status_code=429, retry_after=7))
    await instance.pairing(max_rounds=2).wait()
    assert instance.looks == [2, 9, 17, 24, 30]


async def test_a_limit_without_a_time_ends_the_status_requests_of_a_round() -> None:
    """Each would prolong it; the next code shows that the API permits requests again."""
    instance = FakeInstance(status_error=RateLimited("stop", status_code=429))
    await instance.pairing(max_rounds=2).wait()
    assert instance.looks == [2, 17, 30]


async def test_a_failure_in_the_moment_of_the_end_is_not_a_second_one() -> None:
    """The session is connected, and has exactly one outcome."""
    instance = FakeInstance(scan_at=10)

    async def scan_and_fail(number: int, of: int) -> Fetched:
        if number == 1:
            return await instance.fetch_code(number, of)
        assert await pairing.check()
        raise ServerError("down", status_code=500)

    ask = instance.ask_status
    requests = Requests(scan_and_fail, ask, ask)
    pairing = Pairing(requests, Schedule(status_interval=None))
    assert await pairing.wait() is PairingOutcome.CONNECTED


async def test_two_tasks_can_not_iterate_one_session() -> None:
    """Two pollers would invalidate each other's codes."""
    pairing = FakeInstance(latency=5).pairing()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anext, pairing)
        await anyio.sleep(1)
        with pytest.raises(RuntimeError, match=r"^this session is being iterated already"):
            await anext(pairing)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"interval": 0}, ValueError),
        ({"interval": 21}, ValueError),
        ({"max_rounds": 0}, ValueError),
        ({"status_interval": 0}, ValueError),
        ({"status_interval": "2"}, TypeError),
    ],
)
async def test_bad_arguments_are_refused_at_the_call(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    """Not at the first code."""
    with pytest.raises(error):
        AsyncPlugChat("token").pairing(**arguments)


@pytest.mark.parametrize("scanned", [1, 2, 3])
async def test_a_session_over_http(scanned: int) -> None:
    """Real requests to the sandbox; the phone scans one of the codes."""
    sandbox = Sandbox(clock=anyio.current_time)
    async with sandbox.client().pairing() as pairing:
        async for code in pairing:
            if code.round == scanned:
                assert sandbox.scan(code.payload)
    assert pairing.outcome is PairingOutcome.CONNECTED
    assert codes_requested(sandbox) == scanned


async def test_a_look_is_made_once_and_the_last_one_again() -> None:
    """The next look comes anyway; after the last one nothing else would tell of a scan."""
    sandbox = Sandbox(clock=anyio.current_time)
    sandbox.answer_next("server_error", times=4, endpoint="/status")
    async with sandbox.client().pairing(max_rounds=1, status_interval=4) as pairing:
        async for code in pairing:
            assert sandbox.scan(code.payload)
    assert pairing.outcome is PairingOutcome.CONNECTED
    looks = requested_at(sandbox, "/status")
    assert looks[:3] == [4, 8, 12]
    assert len(looks) == 5


async def test_a_closed_client_is_told() -> None:
    """It is a mistake in the program, so no outcome of the session."""
    client = AsyncPlugChat("token")
    pairing = client.pairing()
    await client.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await pairing.wait()

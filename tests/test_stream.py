"""When codes are due: the table of the stream, row by row, in virtual time."""

from __future__ import annotations

from contextlib import aclosing, nullcontext
from typing import Any

import anyio
import httpx
import pytest

from plugchat_async import AlreadyConnected, AsyncPlugChat, RateLimited, ServerError
from plugchat_async._schedule import Fetched, Schedule
from plugchat_async._stream import rounds

from .fake_instance import FakeInstance
from .scripted_server import ScriptedServer, StaticResponse

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let hours pass in milliseconds."""
    return virtual_time


async def test_nothing_is_sent_before_the_first_iteration() -> None:
    """Making a stream sends nothing, and the first code is fetched without a wait."""
    instance = FakeInstance()
    stream = rounds(instance.fetch_code, Schedule())
    await anyio.sleep(5)
    assert instance.codes == []
    async with aclosing(stream):
        code = await anext(stream)
    assert instance.codes == [5]
    assert (code.round, code.rounds) == (1, 3)


async def test_three_codes_then_the_last_one_is_shown_for_its_interval() -> None:
    """Three calls, 15 s apart, never a fourth; the stream ends 15 s after the third."""
    instance = FakeInstance()
    codes = [code.payload async for code in rounds(instance.fetch_code, Schedule())]
    assert codes == ["code-1", "code-2", "code-3"]
    assert instance.codes == [0, 15, 30]
    assert instance.now == 45


async def test_the_time_of_a_request_does_not_add_up() -> None:
    """Rounds stay `interval` apart; the last code is shown for `interval` seconds as well."""
    instance = FakeInstance(latency=4)
    async for _ in rounds(instance.fetch_code, Schedule(max_rounds=4)):
        pass
    assert instance.codes == [0, 15, 30, 45]
    assert instance.now == 64


async def test_a_slow_consumer_gets_the_next_code_immediately_and_never_a_burst() -> None:
    """A code held for longer than the interval restarts the clock when the next is asked for."""
    instance = FakeInstance()
    async for code in rounds(instance.fetch_code, Schedule(max_rounds=4)):
        if code.round == 1:
            await anyio.sleep(50)
    assert instance.codes == [0, 50, 65, 80]


async def test_a_slow_consumer_of_the_last_code_meets_the_end_immediately() -> None:
    """Nothing is left to wait for when the last code was held beyond its interval."""
    instance = FakeInstance()
    async for _ in rounds(instance.fetch_code, Schedule(max_rounds=1)):
        await anyio.sleep(40)
    assert instance.now == 40


@pytest.mark.parametrize(
    ("scan_at", "round_told", "after_scan"), [(0, 1, False), (1, 2, True), (16, 3, True)]
)
async def test_already_connected_shows_if_a_code_of_the_stream_was_scanned(
    scan_at: float, round_told: int, after_scan: bool
) -> None:
    """In round 1 nobody scanned a code of this stream; later somebody did."""
    instance = FakeInstance(scan_at=scan_at)
    with pytest.raises(AlreadyConnected) as caught:
        async for _ in rounds(instance.fetch_code, Schedule()):
            pass
    assert caught.value.after_scan is after_scan
    assert (str(caught.value) == "connected") is not after_scan
    assert str(caught.value).endswith("no further code is needed") is after_scan
    assert caught.value.round == len(instance.codes) == round_told


async def test_a_failure_that_persists_ends_the_stream() -> None:
    """An exception within a round is raised to the consumer, and no round follows."""

    async def fetch(number: int, of: int) -> Fetched:
        raise ServerError("down", status_code=500)

    stream = rounds(fetch, Schedule())
    with pytest.raises(ServerError):
        await anext(stream)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


@pytest.mark.parametrize(
    ("headers", "requested_at"),
    [
        pytest.param({"Retry-After": "7"}, [0, 7, 22], id="some seconds"),
        pytest.param({"Retry-After": "20"}, [0, 20, 35], id="as long as a code is valid"),
        pytest.param({"Retry-After": "21"}, [0], id="longer"),
        pytest.param({}, [0], id="no time"),
    ],
)
async def test_a_rate_limit_is_waited_for_within_its_round_if_it_names_a_short_time(
    headers: dict[str, str], requested_at: list[float]
) -> None:
    """The next round follows the request that succeeded; any other limit ends the stream."""
    response: StaticResponse = (200, b'{"value": "2@code"}', {})
    server = ScriptedServer(httpx, (429, b"", headers), response, response)
    began = anyio.current_time()
    with pytest.raises(RateLimited) if len(requested_at) == 1 else nullcontext():
        shown = [code.round async for code in server.client().qr_stream(max_rounds=2)]
        assert shown == [1, 2]
    assert [round(at - began, 3) for at in server.at] == requested_at


@pytest.mark.parametrize(("leave_at", "asked"), [(1, [0]), (2, [0, 15]), (9, [0, 15, 30])])
async def test_leaving_early_is_prompt(leave_at: int, asked: list[float]) -> None:
    """Leaving the loop ends the stream with no further call."""
    instance = FakeInstance()
    async with aclosing(rounds(instance.fetch_code, Schedule())) as stream:
        async for code in stream:
            if code.round == leave_at:
                break
    await anyio.sleep(100)
    assert instance.codes == asked


async def test_cancellation_between_rounds_is_prompt() -> None:
    """A cancelled consumer leaves immediately, and no call follows."""
    instance = FakeInstance()
    with anyio.move_on_after(20):
        async for _ in rounds(instance.fetch_code, Schedule()):
            pass
    assert instance.now == 20
    await anyio.sleep(100)
    assert instance.codes == [0, 15]


async def test_no_scope_is_held_while_the_consumer_has_the_code() -> None:
    """A consumer may open and leave its own scopes around each step of the stream."""
    instance = FakeInstance()
    stream = rounds(instance.fetch_code, Schedule(max_rounds=2))
    with anyio.CancelScope():
        await anext(stream)
    with anyio.move_on_after(30) as scope:
        await anext(stream)
    assert not scope.cancelled_caught
    await stream.aclose()
    assert instance.codes == [0, 15]


@pytest.mark.parametrize("interval", [0, -1, 20.1, float("nan"), float("inf")])
async def test_an_interval_outside_the_life_of_a_code_is_refused_at_the_call(
    interval: float,
) -> None:
    """0 < interval <= 20 is checked before anything is iterated."""
    with pytest.raises(ValueError, match="interval"):
        AsyncPlugChat("token").qr_stream(interval=interval)


@pytest.mark.parametrize("max_rounds", [0, -3])
async def test_fewer_than_one_round_is_refused_at_the_call(max_rounds: int) -> None:
    """At least one round is asked for."""
    with pytest.raises(ValueError, match="max_rounds"):
        AsyncPlugChat("token").qr_stream(max_rounds=max_rounds)


@pytest.mark.parametrize("arguments", [{"interval": "15"}, {"interval": True}, {"max_rounds": 2.0}])
async def test_arguments_of_the_wrong_type_are_refused_at_the_call(
    arguments: dict[str, Any],
) -> None:
    """A number is wanted, and a bool is none."""
    with pytest.raises(TypeError):
        AsyncPlugChat("token").qr_stream(**arguments)

"""When codes are requested and how long each is shown, whatever the gateway takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugchat_async import (
    AsyncPlugChat,
    Expired,
    Failed,
    PairingHub,
    PairingOutcome,
    QRCode,
    RequestTimeout,
    ShowingCode,
)
from plugchat_async._schedule import Fetched, Schedule
from plugchat_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    See = Callable[[QRCode], None]

VALID_FOR = 20


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


# The arguments


def test_the_defaults_are_the_documented_pace() -> None:
    """Three codes, 15 s apart, with a look at the status every 2 s."""
    assert Schedule() == Schedule(interval=15, max_rounds=3, status_interval=2)


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        ({"interval": 0}, ValueError, "interval"),
        ({"interval": 20.001}, ValueError, "interval"),
        ({"interval": "15"}, TypeError, "interval"),
        ({"max_rounds": 0}, ValueError, "max_rounds"),
        ({"max_rounds": 1.0}, TypeError, "max_rounds"),
        ({"status_interval": 0}, ValueError, "status_interval"),
        ({"status_interval": True}, TypeError, "status_interval"),
    ],
)
def test_an_argument_out_of_range_is_refused(
    arguments: dict[str, Any], error: type[Exception], name: str
) -> None:
    """The message names it."""
    with pytest.raises(error, match=f"^{name} must be "):
        Schedule(**arguments)


def test_without_a_status_interval_no_status_is_requested() -> None:
    """None is a valid value."""
    assert Schedule(status_interval=None).status_interval is None


# The rule


def shown_until(schedule: Schedule, *, round: int, took: float, began: float = 0) -> float:  # noqa: A002 - the field's name
    """Return when a code that took so long is no longer shown."""
    code = QRCode(payload="code", round=round, rounds=schedule.max_rounds)
    return schedule.shown_until(Fetched(code, began, began + took))


@pytest.mark.parametrize(
    ("interval", "number", "took", "until"),
    [
        pytest.param(15, 1, 0, 15, id="quick"),
        pytest.param(15, 2, 7.5, 15, id="half the interval"),
        pytest.param(15, 2, 7.75, 20, id="slow"),
        pytest.param(10, 1, 8, 18, id="slow, and the whole interval is left"),
        pytest.param(15, 1, 18, 20, id="slow, and less than the interval is left"),
        pytest.param(10, 1, 10, 20, id="slow, and exactly the interval is left"),
        pytest.param(20, 1, 3, 20, id="the longest interval"),
        pytest.param(15, 3, 0, 15, id="last"),
        pytest.param(15, 3, 4, 19, id="last, from its arrival"),
        pytest.param(15, 3, 6, 20, id="last, while it is valid"),
        pytest.param(20, 3, 0, 20, id="last, the longest interval"),
    ],
)
def test_a_code_is_shown_until(interval: float, number: int, took: float, until: float) -> None:
    """The next round begins on time unless the code would be shown for too short a time."""
    schedule = Schedule(interval=interval)
    assert shown_until(schedule, round=number, took=took) == until
    assert shown_until(schedule, round=number, took=took, began=1000) == 1000 + until


@given(
    interval=st.floats(0.125, 20),
    number=st.integers(1, 3),
    took=st.floats(0, VALID_FOR, exclude_max=True),
)
def test_a_code_is_shown_while_it_is_valid_and_for_long_enough(
    interval: float, number: int, took: float
) -> None:
    """Half the interval at least, all of it after the last round, unless it expires before."""
    until = shown_until(Schedule(interval=interval), round=number, took=took)
    assert took < until <= VALID_FOR
    least = interval if number == 3 else interval / 2
    assert until - took >= min(least, VALID_FOR - took) - 1e-9


# The same seen from outside


class SlowGateway(Sandbox):
    """A sandbox in virtual time whose codes take some seconds to arrive."""

    def __init__(self, seconds: float) -> None:
        super().__init__(clock=anyio.current_time)
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)
        if "/qr-code" in scope["path"]:
            await anyio.sleep(self.seconds)

    @property
    def requested_at(self) -> list[float]:
        """The seconds at which codes were requested."""
        return [round(call.at, 3) for call in self.calls if "/qr-code" in call.endpoint]


async def by_stream(client: AsyncPlugChat, see: See, interval: float) -> None:
    """Show the codes of a stream."""
    async for code in client.qr_stream(interval=interval):
        see(code)


async def by_pairing(client: AsyncPlugChat, see: See, interval: float) -> None:
    """Show the codes of a session."""
    assert await client.pairing(interval=interval).wait(see) is PairingOutcome.EXPIRED


async def by_hub(client: AsyncPlugChat, see: See, interval: float) -> None:
    """Show the codes of a hub's session."""
    async with PairingHub(interval=interval) as hub, hub.watch(client) as states:
        while not isinstance(state := await anext(states), Expired):
            if isinstance(state, ShowingCode):
                see(state.qr)


@pytest.mark.anyio
@pytest.mark.parametrize("show_codes", [by_stream, by_pairing, by_hub])
@pytest.mark.parametrize(
    ("takes", "interval", "requested_at", "shown"),
    [
        pytest.param(0, 15, [0, 15, 30], [(0, 15), (15, 30), (30, 45)], id="no time"),
        pytest.param(4, 15, [0, 15, 30], [(4, 15), (19, 30), (34, 49)], id="some time"),
        pytest.param(8, 10, [0, 18, 36], [(8, 18), (26, 36), (44, 54)], id="most of the interval"),
        pytest.param(18, 15, [0, 20, 40], [(18, 20), (38, 40), (58, 60)], id="most of 20 s"),
    ],
)
async def test_codes_of_a_gateway_that_takes(
    show_codes: Callable[..., Awaitable[None]],
    takes: float,
    interval: float,
    requested_at: list[float],
    shown: list[tuple[float, float]],
) -> None:
    """A quick gateway causes no drift; a slow one's codes are shown for as long as they may be."""
    gateway = SlowGateway(takes)
    began = anyio.current_time()
    seen: list[float] = []

    def see(_: QRCode | None) -> None:
        seen.append(round(anyio.current_time() - began, 3))

    await show_codes(gateway.client(timeout=60), see, interval)
    see(None)
    assert gateway.requested_at == requested_at
    assert seen == [*(start for start, _ in shown), shown[-1][1]]
    for requested, (start, end) in zip(requested_at, shown, strict=True):
        assert start < end <= requested + VALID_FOR


@pytest.mark.anyio
@pytest.mark.parametrize("show_codes", [by_stream, by_pairing])
@pytest.mark.parametrize("seconds", [22, 60])
async def test_no_expired_code_of_a_slow_gateway_is_shown(
    show_codes: Callable[..., Awaitable[None]], seconds: float
) -> None:
    """The error names the gateway, since a longer `timeout` would bring an expired code, too."""
    gateway = SlowGateway(25)
    seen: list[QRCode] = []
    with pytest.raises(RequestTimeout, match="longer to respond than a code is valid") as caught:
        await show_codes(gateway.client(timeout=seconds), seen.append, 15)
    assert "timeout" not in str(caught.value)
    assert seen == []
    assert len(gateway.requested_at) == 3


@pytest.mark.anyio
async def test_no_expired_code_of_a_slow_gateway_is_told_by_a_hub() -> None:
    """The session has failed, for the same reason."""
    async with (
        PairingHub() as hub,
        hub.watch(SlowGateway(25).client(timeout=60)) as states,
    ):
        told = [await anext(states), await anext(states)]
    assert isinstance(told[1], Failed)
    assert told[1].code == "request_timeout"
    assert "longer to respond than a code is valid" in told[1].message


@pytest.mark.anyio
@pytest.mark.parametrize("request_code", [AsyncPlugChat.qr_code, AsyncPlugChat.qr_code_image])
async def test_no_expired_code_is_returned(
    request_code: Callable[[AsyncPlugChat], Awaitable[object]],
) -> None:
    """A single code follows the same rule; one that is still valid is returned."""
    assert await request_code(SlowGateway(19).client(timeout=60))
    with pytest.raises(RequestTimeout, match="longer to respond than a code is valid"):
        await request_code(SlowGateway(20.5).client(timeout=60))


@pytest.mark.anyio
async def test_a_time_out_before_a_code_would_expire_advises_a_longer_one() -> None:
    """A response within 20 s would still be of use."""
    with pytest.raises(RequestTimeout, match="longer timeout"):
        await SlowGateway(15).client(timeout=10).qr_code()

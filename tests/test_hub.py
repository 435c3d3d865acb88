"""One poller, many watchers: who sees what, and when the poller ends."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
import httpx
import pytest
import trio
from pydantic import TypeAdapter

from plugchat_async import (
    AsyncPlugChat,
    Connected,
    Expired,
    Failed,
    PairingEnd,
    PairingHub,
    PairingOutcome,
    PairingState,
    PlugChatError,
    QRCode,
    ShowingCode,
    Starting,
    TooManyWatchers,
    Watcher,
)
from plugchat_async.sandbox import Sandbox

from .sandbox_calls import codes_requested, requested_at

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

State = TypeVar("State", bound=PairingState)


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


@pytest.fixture
async def sandbox(anyio_backend: object) -> Sandbox:
    """Give a sandbox whose codes expire in virtual time."""
    return Sandbox(clock=anyio.current_time)


async def next_code(states: Watcher) -> QRCode:
    """Take the next state, which shows a code."""
    state = await anext(states)
    assert isinstance(state, ShowingCode)
    return state.qr


async def until(states: Watcher, kind: type[State]) -> State:
    """Watch until a state of a kind comes, which takes no session an hour."""
    with anyio.fail_after(3600):
        while not isinstance(state := await anext(states), kind):
            pass
    return state


async def test_a_watcher_sees_the_session_from_start_to_scan(sandbox: Sandbox) -> None:
    """Starting, each code, then connected."""
    async with PairingHub() as hub, hub.watch(sandbox.client()) as states:
        assert isinstance(await anext(states), Starting)
        first, second = await next_code(states), await next_code(states)
        assert (first.round, second.round) == (1, 2)
        assert sandbox.scan(second.payload)
        assert await anext(states) == Connected(already=False)


async def test_a_session_keeps_the_times_of_pairing_by_default(sandbox: Sandbox) -> None:
    """Three codes, 15 s apart, and a look each 2 s between them."""
    async with PairingHub() as hub, hub.watch(sandbox.client()) as states:
        await until(states, Expired)
    assert requested_at(sandbox, "/qr-code") == [0, 15, 30]
    looks = [start + step for start in (0, 15, 30) for step in range(2, 15, 2)]
    assert requested_at(sandbox, "/status") == [*looks, 45]


@pytest.mark.parametrize(("status_interval", "looks"), [(4, [4, 8, 14, 18, 20]), (None, [])])
async def test_a_session_keeps_the_times_it_was_given(
    sandbox: Sandbox, status_interval: float | None, looks: list[int]
) -> None:
    """They are the hub's for every session, and None never looks."""
    hub = PairingHub(interval=10, max_rounds=2, status_interval=status_interval)
    async with hub, hub.watch(sandbox.client()) as states:
        await until(states, Expired)
    assert requested_at(sandbox, "/qr-code") == [0, 10]
    assert requested_at(sandbox, "/status") == looks


async def test_an_instance_that_is_connected_already(sandbox: Sandbox) -> None:
    """No code was shown, and the state says so."""
    sandbox.answer_next("already_connected", times=2)
    async with PairingHub() as hub, hub.watch(sandbox.client()) as states:
        assert await until(states, Connected) == Connected(already=True)


async def test_all_watchers_of_an_instance_share_one_poller(sandbox: Sandbox) -> None:
    """A thousand viewers cost three codes, not three thousand."""
    seen: list[int] = []

    async def view() -> None:
        async with hub.watch(sandbox.client()) as states:
            await until(states, Expired)
            seen.append(1)

    async with PairingHub() as hub, anyio.create_task_group() as viewers:
        for _ in range(1000):
            viewers.start_soon(view)
    assert len(seen) == 1000
    assert codes_requested(sandbox) == 3


async def test_a_late_watcher_sees_the_current_state_immediately(sandbox: Sandbox) -> None:
    """With the remaining time of the code, and without a call."""
    async with PairingHub() as hub, hub.watch(sandbox.client()) as early:
        shown = await until(early, ShowingCode)
        await anyio.sleep(5)
        asked = codes_requested(sandbox)
        async with hub.watch(sandbox.client()) as late:
            assert await anext(late) is shown
        assert codes_requested(sandbox) == asked


async def test_a_slow_watcher_sees_the_latest_state_and_no_backlog(sandbox: Sandbox) -> None:
    """States that it missed are gone."""
    async with PairingHub() as hub, hub.watch(sandbox.client()) as states:
        await until(states, ShowingCode)
        await anyio.sleep(31)
        assert (await next_code(states)).round == 3
        await anyio.sleep(60)
        assert isinstance(await anext(states), Expired)


async def test_a_slow_watcher_sees_that_another_session_ended_like_the_one_before(
    sandbox: Sandbox,
) -> None:
    """Two endings may be equal, and are two all the same."""
    async with PairingHub() as hub, hub.watch(sandbox.client()) as states:
        await until(states, Expired)
        await hub.restart(sandbox.client())
        await anyio.sleep(60)
        with anyio.fail_after(1):
            assert await anext(states) == Expired()


async def test_a_session_goes_on_while_anybody_watches(sandbox: Sandbox) -> None:
    """A watcher that leaves takes nothing from one that stays."""
    async with PairingHub(linger=2) as hub, hub.watch(sandbox.client()) as states:
        async with hub.watch(sandbox.client()):
            await until(states, ShowingCode)
        await until(states, Expired)
    assert codes_requested(sandbox) == 3


async def test_a_session_goes_on_within_its_linger(sandbox: Sandbox) -> None:
    """A page that reloads keeps the pace of its codes."""
    async with PairingHub(interval=5) as hub:
        async with hub.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
            await anyio.sleep(4)
        await anyio.sleep(1.5)
        assert requested_at(sandbox, "/qr-code") == [0, 5]


async def test_after_the_linger_no_code_is_requested_and_the_status_still_is(
    sandbox: Sandbox,
) -> None:
    """Until the code has expired, and 10 s more; the last time at the very end."""
    async with PairingHub() as hub:
        async with hub.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
        await anyio.sleep(100)
        assert await hub.state(sandbox.client()) is None
    assert requested_at(sandbox, "/qr-code") == [0]
    assert requested_at(sandbox, "/status") == [*range(2, 30, 2), 30]


async def test_without_status_a_session_ends_after_its_linger(sandbox: Sandbox) -> None:
    """There is no grace, since nothing would show a scan."""
    endings: list[PairingEnd] = []
    hub = PairingHub(status_interval=None, on_end=lambda _, ending: endings.append(ending))
    async with hub:
        async with hub.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
        await anyio.sleep(1.9)
        assert endings == []
        await anyio.sleep(0.2)
        assert [ending.outcome for ending in endings] == [PairingOutcome.CANCELLED]
        assert await hub.state(sandbox.client()) is None
    assert requested_at(sandbox, "/status") == []


async def test_a_session_that_is_left_before_its_first_code_ends_after_its_linger() -> None:
    """The request for the code is given up: nobody would see it."""

    async def keep_waiting(_request: httpx.Request) -> httpx.Response:
        await anyio.sleep(9)
        return httpx.Response(200, json={"value": "a code"})

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(keep_waiting)) as http_client,
        PairingHub(linger=2) as hub,
    ):
        client = AsyncPlugChat("token", http_client=http_client)
        async with hub.watch(client):
            await anyio.sleep(1)
        await anyio.sleep(1)
        async with hub.watch(client):
            await anyio.sleep(3)
        await anyio.sleep(1.9)
        assert await hub.state(client) == Starting()
        await anyio.sleep(0.2)
        assert await hub.state(client) is None


@pytest.mark.parametrize("scanned_at", range(1, 20))
async def test_a_scan_after_the_page_was_closed_is_reported(
    sandbox: Sandbox, scanned_at: int
) -> None:
    """As long as the code is valid: switching to WhatsApp drops the page of a phone."""
    endings: list[PairingEnd] = []
    async with PairingHub(on_end=lambda _, ending: endings.append(ending)) as hub:
        async with hub.watch(sandbox.client()) as states:
            shown = await until(states, ShowingCode)
        await anyio.sleep(scanned_at)
        assert sandbox.scan(shown.qr.payload)
        await anyio.sleep(60)
    (ending,) = endings
    assert (ending.outcome, ending.codes) == (PairingOutcome.CONNECTED, 1)


@pytest.mark.parametrize("leaves_at", [42.9, 43.5, 44.9])
async def test_a_scan_of_the_last_code_is_reported_whenever_the_page_was_closed(
    sandbox: Sandbox, endings: list[PairingEnd], leaves_at: float
) -> None:
    """Also in the moment before its interval is over: it is valid for 5 s more."""
    async with PairingHub(on_end=lambda _, ending: endings.append(ending)) as hub:
        with anyio.move_on_after(leaves_at):
            async with hub.watch(sandbox.client()) as states:
                async for state in states:
                    shown = state
        assert isinstance(shown, ShowingCode)
        await anyio.sleep(47 - leaves_at)
        assert sandbox.scan(shown.qr.payload)
        await anyio.sleep(60)
    assert [ending.outcome for ending in endings] == [PairingOutcome.CONNECTED]


@pytest.mark.parametrize("away", [3, 14, 18])
async def test_a_watcher_who_returns_sees_the_code_while_it_is_valid(
    sandbox: Sandbox, away: float
) -> None:
    """Also beyond its interval: whoever returns may be scanning it. Then comes the next round."""
    async with PairingHub() as hub:
        async with hub.watch(sandbox.client()) as states:
            shown = await until(states, ShowingCode)
        await anyio.sleep(away)
        async with hub.watch(sandbox.client()) as states:
            assert await anext(states) is shown
            assert (await next_code(states)).round == 2
            await until(states, Expired)
    assert requested_at(sandbox, "/qr-code") == [0, 20, 35]


async def test_a_watcher_who_returns_after_the_code_gets_the_next_round(sandbox: Sandbox) -> None:
    """The same session goes on; an expired code is not shown to anybody."""
    async with PairingHub() as hub:
        async with hub.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
        await anyio.sleep(25)
        assert await hub.state(sandbox.client()) == Starting()
        async with hub.watch(sandbox.client()) as states:
            assert await anext(states) == Starting()
            assert (await next_code(states)).round == 2
    assert requested_at(sandbox, "/qr-code") == [0, 25]


async def test_a_watcher_who_returns_after_the_last_code_sees_that_it_expired(
    sandbox: Sandbox,
) -> None:
    """There is no further round; the status is requested once more before."""
    async with PairingHub(max_rounds=1) as hub:
        async with hub.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
        await anyio.sleep(25)
        async with hub.watch(sandbox.client()) as states:
            await until(states, Expired)
    assert codes_requested(sandbox) == 1


async def test_whoever_comes_after_the_grace_starts_a_session(sandbox: Sandbox) -> None:
    """The one before left nothing."""
    async with PairingHub() as hub:
        for _ in range(2):
            async with hub.watch(sandbox.client()) as states:
                assert isinstance(await anext(states), Starting)
                assert (await until(states, ShowingCode)).qr.round == 1
            await anyio.sleep(31)
    assert requested_at(sandbox, "/qr-code") == [0, 31]


async def test_a_session_that_was_left_is_forgotten_with_its_codes(sandbox: Sandbox) -> None:
    """A hub that runs for months keeps nothing of those who left."""
    async with PairingHub(linger=0) as hub:
        async with hub.watch(sandbox.client()) as states:
            shown = weakref.ref(await until(states, ShowingCode))
        del states
        await anyio.sleep(31)
        gc.collect()
        assert shown() is None
        assert repr(hub) == f"<{PairingHub.__name__}: 0 sessions, 0 watchers>"


async def test_a_reload_of_a_page_requests_no_code(sandbox: Sandbox) -> None:
    """Whoever comes back within the linger finds the session as it was."""
    async with PairingHub(linger=2) as hub:
        async with hub.watch(sandbox.client()) as states:
            shown = await until(states, ShowingCode)
        await anyio.sleep(1.5)
        async with hub.watch(sandbox.client()) as states:
            assert await anext(states) is shown
            await anyio.sleep(10)
        assert codes_requested(sandbox) == 1


async def test_an_ended_session_stays_ended_until_it_is_restarted(sandbox: Sandbox) -> None:
    """A reload of a page requests no code."""
    async with PairingHub() as hub:
        for _ in range(2):
            async with hub.watch(sandbox.client()) as states:
                await until(states, Expired)
            await anyio.sleep(60)
        assert codes_requested(sandbox) == 3
        await hub.restart(sandbox.client())
        async with hub.watch(sandbox.client()) as states:
            assert isinstance(await anext(states), Starting)
            await until(states, ShowingCode)
        assert codes_requested(sandbox) == 4


async def test_a_restart_is_seen_by_those_who_watch_and_two_are_one(sandbox: Sandbox) -> None:
    """Two people press the button simultaneously; one session starts."""
    async with PairingHub() as hub, hub.watch(sandbox.client()) as states:
        await until(states, Expired)
        await hub.restart(sandbox.client())
        await hub.restart(sandbox.client())
        assert isinstance(await anext(states), Starting)
        assert (await until(states, ShowingCode)).qr.round == 1
        await until(states, Expired)
        assert codes_requested(sandbox) == 6


async def test_a_restart_before_the_end_does_nothing(sandbox: Sandbox) -> None:
    """Nor does one of an instance that nobody ever watched."""
    async with PairingHub() as hub:
        await hub.restart(sandbox.client("nobody"))
        async with hub.watch(sandbox.client()) as states:
            shown = await until(states, ShowingCode)
            await hub.restart(sandbox.client())
            async with hub.watch(sandbox.client()) as again:
                assert await anext(again) is shown
    assert codes_requested(sandbox) == 1


async def test_the_present_state_can_be_seen_without_watching(sandbox: Sandbox) -> None:
    """It starts nothing, keeps nothing running, and is the state that a watcher sees."""
    async with PairingHub(linger=2) as hub:
        assert await hub.state(sandbox.client()) is None
        async with hub.watch(sandbox.client()) as states:
            assert await hub.state(sandbox.client()) == Starting()
            shown = await until(states, ShowingCode)
            assert await hub.state(sandbox.client()) is shown
            assert await hub.state(sandbox.client("another")) is None
        await anyio.sleep(10)
        assert await hub.state(sandbox.client()) is shown
        await anyio.sleep(21)
        assert await hub.state(sandbox.client()) is None
        assert codes_requested(sandbox) == 1


async def test_a_session_that_ended_can_still_be_seen(sandbox: Sandbox) -> None:
    """Until it is restarted."""
    async with PairingHub() as hub:
        async with hub.watch(sandbox.client()) as states:
            await until(states, Expired)
        assert await hub.state(sandbox.client()) == Expired()
        await hub.restart(sandbox.client())
        assert await hub.state(sandbox.client()) is None


async def test_a_hub_that_is_entered_again_starts_empty(sandbox: Sandbox) -> None:
    """As when an app's tests run its lifespan more than once."""
    hub = PairingHub()
    for _ in range(2):
        async with hub, hub.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
    assert codes_requested(sandbox) == 2


async def test_tenants_never_see_each_others_states(sandbox: Sandbox) -> None:
    """The instance is told by base URL and token."""
    async with (
        PairingHub() as hub,
        hub.watch(sandbox.client("one")) as ones,
        hub.watch(sandbox.client("two")) as twos,
    ):
        one, two = await until(ones, ShowingCode), await until(twos, ShowingCode)
        assert one.qr.payload != two.qr.payload
        assert sandbox.scan(one.qr.payload)
        assert isinstance(await until(ones, Connected), Connected)
        assert isinstance(await anext(twos), ShowingCode)


async def test_two_base_urls_are_two_instances_also_with_one_token() -> None:
    """A sibling deployment may know the same token."""
    one = AsyncPlugChat("token", base_url="https://one.example/api/whatsapp")
    two = AsyncPlugChat("token", base_url="https://two.example/api/whatsapp")
    assert one.instance_key != two.instance_key
    assert one.instance_key == one.for_token("token").instance_key
    assert b"token" not in one.instance_key


async def test_the_documented_base_url_is_the_same_instance_written_out_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two pollers would fight over it."""
    monkeypatch.delenv("PLUGCHAT_BASE_URL", raising=False)
    written_out = AsyncPlugChat("token", base_url="https://app.plugchat.com.br/api/whatsapp/")
    assert AsyncPlugChat("token").instance_key == written_out.instance_key


@pytest.mark.parametrize("response", ["unauthorized", "passkey", "subscription_required"])
async def test_a_failure_is_a_state_with_its_error_code(sandbox: Sandbox, response: str) -> None:
    """It ends the session, and a restart tries again."""
    sandbox.answer_next(response, times=2)
    with pytest.raises(PlugChatError) as caught:
        await sandbox.client().qr_code()
    async with PairingHub() as hub, hub.watch(sandbox.client()) as states:
        failed = await until(states, Failed)
        assert failed.code in {"authentication_error", "passkey_required", "subscription_required"}
        assert failed == Failed(code=caught.value.code, message=str(caught.value))
        await hub.restart(sandbox.client())
        await until(states, ShowingCode)


async def test_a_client_that_breaks_ends_its_own_session_alone(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Other tenants go on; the server's log has the traceback."""
    broken = sandbox.client("broken")
    async with (
        PairingHub() as hub,
        hub.watch(broken) as breaking,
        hub.watch(sandbox.client()) as states,
    ):
        await broken.aclose()  # too early: it owns its connections
        failed = await until(breaking, Failed)
        assert failed.code == "internal_error"
        assert failed.message == "the session broke: see the server's log"
        await until(states, Expired)
    (record,) = (record for record in caplog.records if record.exc_info)
    assert record.getMessage() == "a pairing session broke"


async def test_a_session_that_breaks_while_it_is_reported_breaks_no_other(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Its watchers' iterators end, and the next watcher is served."""

    class Nameless(AsyncPlugChat):
        @property
        def name(self) -> str | None:
            raise LookupError("a fault of the app")

    base_url = "http://sandbox.localhost/api/whatsapp"
    sandbox.answer_next("already_connected", times=1)
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as http_client,
        Nameless("a", base_url=base_url, http_client=http_client) as nameless,
        PairingHub() as hub,
        hub.watch(nameless) as breaking,
    ):
        with anyio.fail_after(10), pytest.raises(StopAsyncIteration):
            await until(breaking, Connected)
        async with (
            hub.watch(sandbox.client("b")) as states,
            hub.watch(sandbox.client("a")) as again,
        ):
            await until(again, Expired)
            await until(states, Expired)
    assert "a pairing session broke: the next watcher" in caplog.text
    assert "LookupError: a fault of the app" in caplog.text


async def test_only_a_client_is_accepted() -> None:
    """As when a dependency forgets its `return`; its class is named, and its value is not."""
    async with PairingHub() as hub:
        for call in (hub.watch, hub.state, hub.restart):
            with pytest.raises(TypeError, match="must be an AsyncPlugChat, not NoneType"):
                await cast("Callable[[object], Any]", call)(None)


async def test_the_client_may_be_closed_after_it_was_given(sandbox: Sandbox) -> None:
    """A dependency of a request closes what it made, while the session goes on."""
    root = sandbox.client()
    async with PairingHub() as hub:
        async with root.for_token("tenant") as client:
            watcher = hub.watch(client)
        async with watcher as states:
            await until(states, ShowingCode)


async def test_a_restart_outlives_the_client_that_asked_for_it(sandbox: Sandbox) -> None:
    """The request that the button sends may close its client immediately."""
    async with PairingHub() as hub, hub.watch(sandbox.client()) as states:
        await until(states, Expired)
        async with sandbox.client() as client:
            await hub.restart(client)
        assert (await until(states, ShowingCode)).qr.round == 1


async def test_closing_the_hub_ends_every_watcher_and_every_call(sandbox: Sandbox) -> None:
    """Prompt, and nothing is asked afterwards."""
    ended: list[float] = []

    async def view() -> None:
        async with hub.watch(sandbox.client()) as states:
            async for _ in states:
                pass
        ended.append(anyio.current_time())

    with anyio.fail_after(3600):
        async with anyio.create_task_group() as viewers:
            async with PairingHub() as hub:
                for _ in range(3):
                    viewers.start_soon(view)
                await anyio.sleep(1)
            closed_at = anyio.current_time()
    assert ended == [closed_at] * 3
    asked = len(sandbox.calls)
    await anyio.sleep(60)
    assert len(sandbox.calls) == asked


async def test_a_hub_that_is_not_open_says_so(sandbox: Sandbox) -> None:
    """Before it was entered, and after it was left."""
    hub = PairingHub()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="async with PairingHub"):
            hub.watch(sandbox.client())
        with pytest.raises(RuntimeError, match="async with PairingHub"):
            await hub.restart(sandbox.client())
        with pytest.raises(RuntimeError, match="async with PairingHub"):
            await hub.state(sandbox.client())
        with pytest.raises(RuntimeError, match="async with PairingHub"):
            await hub.__aexit__(None, None, None)
        async with PairingHub() as hub:
            watcher = hub.watch(sandbox.client())
    with pytest.raises(RuntimeError, match="async with PairingHub"):
        await watcher.__aenter__()


async def test_a_hub_that_is_open_is_not_opened_again(sandbox: Sandbox) -> None:
    """The first one goes on."""
    async with PairingHub() as hub:
        with pytest.raises(RuntimeError, match=r"^this hub is open already: enter it once"):
            await hub.__aenter__()
        async with hub.watch(sandbox.client()) as states:
            assert await anext(states) == Starting()


async def test_a_watcher_that_was_entered_is_not_entered_again(sandbox: Sandbox) -> None:
    """It counts once, so that the session ends after it."""
    client = sandbox.client()
    async with PairingHub(linger=0) as hub:
        async with hub.watch(client) as states:
            with pytest.raises(RuntimeError, match=r"^this watcher was entered already: call hub"):
                await states.__aenter__()
        await anyio.wait_all_tasks_blocked()
        assert await hub.state(client) is None


async def test_a_watcher_may_come_back(sandbox: Sandbox) -> None:
    """It sees the current state immediately, even one that it has seen before."""
    sandbox.answer_next("already_connected")
    async with PairingHub() as hub:
        watcher = hub.watch(sandbox.client())
        for _ in range(2):
            async with watcher:
                with anyio.fail_after(1):
                    while not isinstance(await anext(watcher), Connected):
                        pass


async def test_a_watcher_that_was_not_entered_says_so(sandbox: Sandbox) -> None:
    """Nor one that was left; leaving it twice does nothing."""
    async with PairingHub() as hub:
        watcher = hub.watch(sandbox.client())
        with pytest.raises(RuntimeError, match=r"^enter the watcher first: `async with"):
            await anext(watcher)
        async with watcher:
            pass
        await watcher.__aexit__(None, None, None)


async def test_a_user_exception_leaves_the_hub_as_itself(sandbox: Sandbox) -> None:
    """Inside of a watcher it is not wrapped."""
    async with PairingHub() as hub:
        with pytest.raises(KeyError):
            async with hub.watch(sandbox.client()):
                raise KeyError("bug")


async def test_a_user_exception_leaves_the_whole_hub_as_itself(sandbox: Sandbox) -> None:
    """The hub's own tasks do not wrap it in a group."""
    with pytest.raises(KeyError):
        async with PairingHub() as hub, hub.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
            raise KeyError("bug")


async def test_cancelling_whoever_holds_the_hub_is_prompt(sandbox: Sandbox) -> None:
    """As when a server is stopped."""
    with anyio.move_on_after(20) as scope:
        async with PairingHub() as hub, hub.watch(sandbox.client()) as states:
            await until(states, Expired)
    assert scope.cancelled_caught
    asked = len(sandbox.calls)
    await anyio.sleep(60)
    assert len(sandbox.calls) == asked


async def test_watchers_beyond_the_limit_are_refused(sandbox: Sandbox) -> None:
    """The limit is for each instance, and who leaves makes room."""
    async with PairingHub(max_watchers=2) as hub:
        async with hub.watch(sandbox.client()), hub.watch(sandbox.client()):
            with pytest.raises(TooManyWatchers, match="2 watchers"):
                await hub.watch(sandbox.client()).__aenter__()
            async with hub.watch(sandbox.client("another")):
                pass
        async with hub.watch(sandbox.client()):
            pass


def kept_memory() -> int:
    """Return the traced bytes that no garbage collection frees."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def test_memory_is_constant_for_each_watcher(sandbox: Sandbox) -> None:
    """A watcher that never looks keeps no states: forty sessions later it is as small."""
    async with PairingHub(interval=0.1, status_interval=None, linger=0) as hub:
        watchers = [hub.watch(sandbox.client()) for _ in range(50)]
        for watcher in watchers:
            await watcher.__aenter__()
        tracemalloc.start()
        grown = []
        for _ in range(2):
            before = kept_memory()
            for _ in range(20):
                await anyio.sleep(1)
                await hub.restart(sandbox.client())
            grown.append(kept_memory() - before)
        tracemalloc.stop()
        # What grows is the sandbox's record of calls; 50 watchers of 60 codes would add more.
        assert grown[1] / 50 < 2048
        for watcher in watchers:
            await watcher.__aexit__(None, None, None)


async def test_states_survive_json() -> None:
    """They are told apart by their kind."""
    adapter: TypeAdapter[PairingState] = TypeAdapter(PairingState)
    for state in (Starting(), Connected(already=True), Expired(), Failed(code="x", message="y")):
        assert adapter.validate_json(state.model_dump_json()) == state


@pytest.mark.parametrize(
    "arguments",
    [
        {"linger": -1},
        {"linger": float("nan")},
        {"linger": float("inf")},
        {"interval": 21},
        {"max_rounds": 0},
        {"status_interval": 0},
        {"max_watchers": 0},
    ],
)
async def test_bad_arguments_are_refused_immediately(arguments: dict[str, Any]) -> None:
    """Not when the first page is opened, and by their name."""
    (name,) = arguments
    with pytest.raises(ValueError, match=f"^{name} must be"):
        PairingHub(**arguments)


async def test_the_least_that_is_allowed_is_taken(sandbox: Sandbox) -> None:
    """One round for one watcher, without a linger."""
    hub = PairingHub(interval=1, max_rounds=1, status_interval=0.5, linger=0, max_watchers=1)
    async with hub, hub.watch(sandbox.client()) as states:
        await until(states, Expired)
    assert codes_requested(sandbox) == 1


# The end of a session, told to the app.


@pytest.fixture
def endings() -> list[PairingEnd]:
    """Take what the app was told."""
    return []


async def test_the_app_is_told_each_ending_once(
    sandbox: Sandbox, endings: list[PairingEnd]
) -> None:
    """Whoever watches or not: three sessions, of which the last was linked."""
    client = sandbox.client().for_token("sandbox-token", name="acme")
    async with (
        PairingHub(on_end=lambda _, ending: endings.append(ending)) as hub,
        hub.watch(client),
        hub.watch(client) as states,
    ):
        await until(states, Expired)
        sandbox.answer_next("unauthorized")
        await hub.restart(client)
        await until(states, Failed)
        await hub.restart(client)
        assert sandbox.scan((await until(states, ShowingCode)).qr.payload)
        await until(states, Connected)
    told = [(end.name, end.outcome, end.error_code, end.codes) for end in endings]
    assert told == [
        ("acme", PairingOutcome.EXPIRED, None, 3),
        ("acme", None, "authentication_error", 0),
        ("acme", PairingOutcome.CONNECTED, None, 1),
    ]
    for end in endings:
        assert end.started_at <= end.ended_at
        assert PairingEnd.model_validate_json(end.model_dump_json()) == end


async def test_the_app_is_told_that_a_phone_was_linked_before(
    sandbox: Sandbox, endings: list[PairingEnd]
) -> None:
    """That is a separate ending, without a code."""
    sandbox.answer_next("already_connected")
    hub = PairingHub(on_end=lambda _, ending: endings.append(ending))
    async with hub, hub.watch(sandbox.client()) as states:
        await until(states, Connected)
    (end,) = endings
    assert (end.outcome, end.codes) == (PairingOutcome.ALREADY_CONNECTED, 0)


async def test_watchers_are_told_after_the_app(sandbox: Sandbox) -> None:
    """Meanwhile nobody sees the ending: neither who watches, who comes, nor who looks."""
    sandbox.answer_next("already_connected")
    told: list[float] = []

    async def remember(_client: AsyncPlugChat, _ending: PairingEnd) -> None:
        await anyio.sleep(5)
        assert await hub.state(sandbox.client()) == Starting()
        await hub.restart(sandbox.client())  # it has not ended yet: nothing is restarted
        async with hub.watch(sandbox.client()) as late:
            assert await anext(late) == Starting()
        told.append(anyio.current_time())

    async with PairingHub(on_end=remember) as hub, hub.watch(sandbox.client()) as states:
        await until(states, Connected)
        assert told == [anyio.current_time()]
    assert len(told) == codes_requested(sandbox) == 1


async def test_watchers_are_told_whatever_the_callback_does(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """It may raise, hang or close the client; the log says so."""
    sandbox.answer_next("already_connected", times=3)

    async def misbehave(client: AsyncPlugChat, _ending: PairingEnd) -> None:
        match codes_requested(sandbox):
            case 1:
                raise ValueError("bug")
            case 2:
                with anyio.CancelScope(shield=True):  # it resists even its cancellation
                    await anyio.sleep(60)
            case _:
                await client.aclose()

    hub = PairingHub(on_end=misbehave, on_end_timeout=3)
    async with hub, hub.watch(sandbox.client()) as states:
        for _ in range(3):
            await until(states, Connected)
            await hub.restart(sandbox.client())
        # The client that the callback closed was the session's own.
        assert (await until(states, Failed)).code == "internal_error"
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert errors[0].startswith("on_end raised ValueError at ")
    assert errors[1:] == ["on_end took longer than 3 s, and was cancelled", *errors[2:]]


async def test_a_callback_may_restart_other_sessions_and_ask_the_client(sandbox: Sandbox) -> None:
    """It is given a client that works."""
    phones: list[str | None] = []

    async def remember(client: AsyncPlugChat, _ending: PairingEnd) -> None:
        phones.append((await client.device()).phone)

    async with PairingHub(on_end=remember) as hub, hub.watch(sandbox.client()) as states:
        code = (await until(states, ShowingCode)).qr
        assert sandbox.scan(code.payload, phone="5511999990000")
        await until(states, Connected)
    assert phones == ["5511999990000"]


async def test_a_hub_that_closes_tells_the_app_what_it_gives_up(
    sandbox: Sandbox, endings: list[PairingEnd]
) -> None:
    """All of it within the time of one call, and nothing twice."""
    began = 0.0

    async def remember(client: AsyncPlugChat, ending: PairingEnd) -> None:
        endings.append(ending)
        if client.name in {"two", "three"}:
            with anyio.CancelScope(shield=client.name == "two"):
                await anyio.sleep(60)

    hub = PairingHub(on_end=remember, on_end_timeout=3)
    async with hub:
        clients = [sandbox.client().for_token(name, name=name) for name in ("one", "two", "three")]
        for client in clients:
            async with hub.watch(client) as states:
                await until(states, ShowingCode)
        ended = sandbox.client().for_token("ended", name="ended")
        sandbox.answer_next("unauthorized", token="ended")  # no secret
        async with hub.watch(ended) as states:
            await until(states, Failed)
        began = anyio.current_time()
    assert anyio.current_time() - began == 3
    told = sorted((end.name or "", end.outcome or "failed") for end in endings)
    assert told == [
        ("ended", "failed"),
        ("one", "cancelled"),
        ("three", "cancelled"),
        ("two", "cancelled"),
    ]


async def test_a_scan_that_is_seen_in_the_moment_of_closing_is_told(
    sandbox: Sandbox, endings: list[PairingEnd]
) -> None:
    """Its response has come, and nobody has looked at it yet."""
    requested, respond = anyio.Event(), anyio.Event()

    class Slow(httpx.ASGITransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            if request.url.path.endswith("/status"):
                requested.set()
                await respond.wait()
            return response

    async with httpx.AsyncClient(transport=Slow(sandbox)) as http_client:
        client = AsyncPlugChat("token", http_client=http_client)
        hub = PairingHub(on_end=lambda _, ending: endings.append(ending))
        async with hub, hub.watch(client) as states:
            code = (await until(states, ShowingCode)).qr
            assert sandbox.scan(code.payload)
            await requested.wait()
            respond.set()
    assert [end.outcome for end in endings] == [PairingOutcome.CONNECTED]


async def test_a_hub_that_closes_while_the_app_is_told_waits_for_it(
    sandbox: Sandbox, endings: list[PairingEnd]
) -> None:
    """An ending that is on its way is not told as another one."""
    sandbox.answer_next("already_connected")

    async def remember(_client: AsyncPlugChat, ending: PairingEnd) -> None:
        await anyio.sleep(3)
        endings.append(ending)

    async with PairingHub(on_end=remember) as hub, hub.watch(sandbox.client()):
        await anyio.sleep(1)
    assert [end.outcome for end in endings] == [PairingOutcome.ALREADY_CONNECTED]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_callback_may_end_the_event_loop(
    virtual_time: tuple[str, dict[str, Any]], kind: type[BaseException]
) -> None:
    """As other tasks may: nobody waits for ever, and the app is told what is given up."""
    told: list[str | None] = []

    async def remember(client: AsyncPlugChat, _ending: PairingEnd) -> None:
        await anyio.sleep(1)
        told.append(client.name)
        if client.name == "one":
            raise kind

    async def run() -> None:
        sandbox = Sandbox(clock=anyio.current_time)
        one, other = (sandbox.client().for_token(name, name=name) for name in ("one", "other"))
        async with PairingHub(on_end=remember) as hub, hub.watch(other) as others:
            await until(others, ShowingCode)
            sandbox.answer_next("already_connected", token="one")  # no secret
            async with hub.watch(one) as states:
                await until(states, Connected)

    backend, options = virtual_time
    # A nursery of trio would wrap it, too.
    ends = kind if backend == "asyncio" else trio.TrioInternalError
    with pytest.raises(ends):
        anyio.run(run, backend=backend, backend_options=options)
    assert told == ["one", "other"]


async def test_whoever_comes_while_the_app_hears_of_those_who_left_begins_anew(
    sandbox: Sandbox, endings: list[PairingEnd]
) -> None:
    """The session that was left is over, and its code is shown to nobody."""

    async def remember(_client: AsyncPlugChat, ending: PairingEnd) -> None:
        endings.append(ending)
        await anyio.sleep(5)

    async with PairingHub(on_end=remember) as hub:
        async with hub.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
        await anyio.sleep(31)
        async with hub.watch(sandbox.client()) as states:
            assert await anext(states) == Starting()
            assert (await until(states, ShowingCode)).qr.round == 1
            assert [end.outcome for end in endings] == [PairingOutcome.CANCELLED]
    assert requested_at(sandbox, "/qr-code") == [0, 35]


async def test_each_ending_is_logged(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """Its name, outcome, codes and seconds: no token, and no code."""
    caplog.set_level("INFO", "plugchat_async")
    client = sandbox.client().for_token("sandbox-token", name="acme")
    sandbox.answer_next("unauthorized")
    async with PairingHub() as hub, hub.watch(client) as states:
        await until(states, Failed)
        await hub.restart(client)
        shown = await until(states, ShowingCode)
        await until(states, Expired)
    lines = [record.getMessage() for record in caplog.records if record.levelname == "INFO"]
    assert [line.rsplit(",", 1)[0] for line in lines] == [
        "pairing of acme ended: authentication_error, 0 codes",
        "pairing of acme ended: expired, 3 codes",
    ]
    assert shown.qr.payload not in caplog.text
    assert "sandbox-token" not in caplog.text


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"on_end": "remember"}, TypeError, "on_end must be callable, not str"),
        ({"on_end_timeout": 0}, ValueError, "on_end_timeout must be"),
        ({"on_end_timeout": "3"}, TypeError, "on_end_timeout must be"),
    ],
)
async def test_a_bad_hook_is_refused_immediately(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Not at the end of the first session."""
    with pytest.raises(error, match=f"^{message}"):
        PairingHub(**arguments)


# The limit of the gateway.


def limited(seconds: str, *, status: int = 429) -> httpx.AsyncClient:
    """Make an http client whose gateway asks for a pause."""
    response = httpx.Response(status, headers={"Retry-After": seconds})
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda _: response))


@pytest.mark.parametrize("status", [429, 503])
async def test_the_limit_of_the_gateway_binds_the_button(
    status: int, endings: list[PairingEnd]
) -> None:
    """500 presses make no request before the time that it named, watched or not."""
    async with (
        limited("300", status=status) as http_client,
        PairingHub(on_end=lambda _, ending: endings.append(ending)) as hub,
    ):
        client = AsyncPlugChat("token", http_client=http_client, retries=0)
        before = datetime.now(UTC)
        async with hub.watch(client) as states:
            failed = await until(states, Failed)
            assert failed.retry_at is not None
            assert 300 <= (failed.retry_at - before).total_seconds() < 360
            for _ in range(500):
                await hub.restart(client)
            await anyio.sleep(299)
            await hub.restart(client)
            assert await hub.state(client) is failed
        await hub.restart(client)
        async with hub.watch(client) as states:
            assert await anext(states) is failed
            await anyio.sleep(1)
            await hub.restart(client)
            assert await anext(states) == Starting()
            await until(states, Failed)
    assert len(endings) == 2


async def test_no_gateway_locks_the_button_for_more_than_a_day() -> None:
    """Whatever it names."""
    async with limited("9" * 9) as http_client, PairingHub() as hub:
        client = AsyncPlugChat("token", http_client=http_client, retries=0)
        async with hub.watch(client) as states:
            failed = await until(states, Failed)
        assert failed.retry_at is not None
        assert failed.retry_at - datetime.now(UTC) <= timedelta(days=1)


# An ending is not kept for ever.


async def test_a_link_that_was_undone_is_not_told_to_the_next_visitor(sandbox: Sandbox) -> None:
    """Only the API knows: the check mark is forgotten with the last watcher."""
    async with PairingHub() as hub:
        async with hub.watch(sandbox.client()) as states:
            assert sandbox.scan((await until(states, ShowingCode)).qr.payload)
            await until(states, Connected)
            await anyio.sleep(3600)
        await anyio.sleep(1.9)
        assert await hub.state(sandbox.client()) == Connected(already=False)
        await anyio.sleep(0.2)
        assert await hub.state(sandbox.client()) is None
        sandbox.disconnect()
        async with hub.watch(sandbox.client()) as states:
            assert await anext(states) == Starting()
            await until(states, ShowingCode)


async def test_other_endings_are_kept_for_an_hour_with_nobody_watching(sandbox: Sandbox) -> None:
    """A reload requests no code; the customer of the next day starts anew."""
    async with PairingHub() as hub:
        async with hub.watch(sandbox.client()) as states:
            await until(states, Expired)
            await anyio.sleep(7200)
        await anyio.sleep(3599)
        assert await hub.state(sandbox.client()) == Expired()
        await anyio.sleep(2)
        assert await hub.state(sandbox.client()) is None
        assert repr(hub) == f"<{PairingHub.__name__}: 0 sessions, 0 watchers>"


# Any task may open and close it.


async def test_one_task_enters_and_another_leaves(
    sandbox: Sandbox, endings: list[PairingEnd]
) -> None:
    """As in a fixture of pytest-asyncio, or a bot's `setup_hook`: no cancel scope is touched."""
    hub = PairingHub(on_end=lambda _, ending: endings.append(ending))

    async def enter() -> None:
        await hub.__aenter__()

    async def leave() -> None:
        await hub.__aexit__(None, None, None)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(enter)
    async with hub.watch(sandbox.client()) as states:
        await until(states, ShowingCode)
    assert repr(hub) == f"<{PairingHub.__name__}: 1 sessions, 0 watchers>"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave)
    assert [end.outcome for end in endings] == [PairingOutcome.CANCELLED]


async def test_a_scope_that_encloses_the_entering_alone_ends_no_session(sandbox: Sandbox) -> None:
    """A start-up with a deadline is over when the hub is open."""
    hub = PairingHub()
    with anyio.fail_after(5):
        await hub.__aenter__()
    async with hub.watch(sandbox.client()) as states:
        await until(states, Expired)
    await hub.__aexit__(None, None, None)


def test_one_hub_serves_one_event_loop_after_another(
    virtual_time: tuple[str, dict[str, Any]],
) -> None:
    """Also after one in which nobody left it."""
    hub = PairingHub()

    async def enter_and_watch(*, leave: bool) -> None:
        sandbox = Sandbox(clock=anyio.current_time)
        await hub.__aenter__()
        async with hub.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
        if leave:
            await hub.__aexit__(None, None, None)

    backend, options = virtual_time
    for leave in (True, False, True):
        anyio.run(partial(enter_and_watch, leave=leave), backend=backend, backend_options=options)


def test_a_hub_whose_event_loop_is_over_can_still_be_left(
    virtual_time: tuple[str, dict[str, Any]],
) -> None:
    """As by a framework that starts up and shuts down in two of them."""
    hub = PairingHub()
    backend, options = virtual_time
    for step in (hub.__aenter__, partial(hub.__aexit__, None, None, None)):
        anyio.run(step, backend=backend, backend_options=options)
    assert repr(hub) == f"<{PairingHub.__name__}: 0 sessions, 0 watchers>"


async def test_states_have_versions_that_all_watchers_share(sandbox: Sandbox) -> None:
    """Each state of each session has another one, also if it is equal to one before."""
    seen: set[str] = set()
    async with PairingHub(max_rounds=1) as hub:
        watcher = hub.watch(sandbox.client())
        assert watcher.version == ""
        async with watcher as one, hub.watch(sandbox.client()) as two:
            for _ in range(2):
                for kind in (Starting, ShowingCode, Expired):
                    await until(one, kind)
                    await until(two, kind)
                    assert one.version == two.version
                    seen.add(one.version)
                await hub.restart(sandbox.client())
    assert len(seen) == 6

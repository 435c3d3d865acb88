"""One poller, many watchers: who sees what, and when the poller ends."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from typing import Any, TypeVar, cast

import anyio
import pytest
from pydantic import TypeAdapter

from plugchat_async import (
    AsyncPlugChat,
    Connected,
    Expired,
    Failed,
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

pytestmark = pytest.mark.anyio

State = TypeVar("State", bound=PairingState)


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


@pytest.fixture
async def sandbox(anyio_backend: object) -> Sandbox:
    """Give a sandbox whose codes live and die in virtual time."""
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


async def test_a_late_watcher_sees_the_present_state_at_once(sandbox: Sandbox) -> None:
    """With what is left of the code's life, and without a call."""
    async with PairingHub() as hub, hub.watch(sandbox.client()) as early:
        shown = await until(early, ShowingCode)
        await anyio.sleep(5)
        asked = codes_requested(sandbox)
        async with hub.watch(sandbox.client()) as late:
            assert await anext(late) is shown
        assert codes_requested(sandbox) == asked


async def test_a_slow_watcher_sees_the_latest_state_and_no_backlog(sandbox: Sandbox) -> None:
    """What it missed is gone."""
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
        hub.restart(sandbox.client())
        await anyio.sleep(60)
        with anyio.fail_after(1):
            assert await anext(states) == Expired()


async def test_a_session_goes_on_while_anybody_watches(sandbox: Sandbox) -> None:
    """Who leaves before takes nothing from who stays."""
    async with PairingHub(linger=2) as hub, hub.watch(sandbox.client()) as states:
        async with hub.watch(sandbox.client()):
            await until(states, ShowingCode)
        await until(states, Expired)
    assert codes_requested(sandbox) == 3


async def test_the_session_ends_when_the_last_watcher_is_gone_for_long_enough(
    sandbox: Sandbox,
) -> None:
    """A second watcher keeps it alive; after the linger nothing is asked any more."""
    async with PairingHub(linger=2) as hub:
        async with hub.watch(sandbox.client()) as first, hub.watch(sandbox.client()):
            await until(first, ShowingCode)
        await anyio.sleep(1.9)
        asked = len(sandbox.calls)
        await anyio.sleep(100)
        assert len(sandbox.calls) <= asked + 1
        assert codes_requested(sandbox) == 1


@pytest.mark.parametrize(("away", "codes"), [(1.9, 1), (2.1, 2)])
async def test_a_session_lingers_for_two_seconds_by_default(
    sandbox: Sandbox, away: float, codes: int
) -> None:
    """A page needs less to be loaded again; whoever comes later finds a new code."""
    async with PairingHub() as hub:
        for _ in range(2):
            async with hub.watch(sandbox.client()) as states:
                await until(states, ShowingCode)
            await anyio.sleep(away)
    assert codes_requested(sandbox) == codes


async def test_a_session_that_was_left_is_forgotten_with_its_codes(sandbox: Sandbox) -> None:
    """A hub that runs for months keeps nothing of those who left."""
    async with PairingHub(linger=0) as hub:
        async with hub.watch(sandbox.client()) as states:
            shown = weakref.ref(await until(states, ShowingCode))
        del states
        await anyio.sleep(0.1)
        gc.collect()
        assert shown() is None


async def test_a_page_that_is_loaded_again_spends_no_code(sandbox: Sandbox) -> None:
    """Whoever comes back within the linger finds the session as it was."""
    async with PairingHub(linger=2) as hub:
        async with hub.watch(sandbox.client()) as states:
            shown = await until(states, ShowingCode)
        await anyio.sleep(1.5)
        async with hub.watch(sandbox.client()) as states:
            assert await anext(states) is shown
            await anyio.sleep(10)
        assert codes_requested(sandbox) == 1


async def test_whoever_comes_after_the_linger_starts_a_session(sandbox: Sandbox) -> None:
    """The one before left nothing."""
    async with PairingHub(linger=0) as hub:
        for _ in range(2):
            async with hub.watch(sandbox.client()) as states:
                assert isinstance(await anext(states), Starting)
                await until(states, ShowingCode)
            await anyio.sleep(0.1)
        assert codes_requested(sandbox) == 2


async def test_joining_in_the_moment_a_session_is_left_starts_a_new_one(sandbox: Sandbox) -> None:
    """The old one is on its way out, and takes nothing with it."""
    async with PairingHub(linger=0) as hub:
        async with hub.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
        async with hub.watch(sandbox.client()) as states:
            await until(states, ShowingCode)
            await anyio.sleep(5)
            await until(states, ShowingCode)


async def test_an_ended_session_stays_ended_until_it_is_restarted(sandbox: Sandbox) -> None:
    """Nobody spends a code by looking at a page again."""
    async with PairingHub() as hub:
        for _ in range(2):
            async with hub.watch(sandbox.client()) as states:
                await until(states, Expired)
            await anyio.sleep(60)
        assert codes_requested(sandbox) == 3
        hub.restart(sandbox.client())
        async with hub.watch(sandbox.client()) as states:
            assert isinstance(await anext(states), Starting)
            await until(states, ShowingCode)
        assert codes_requested(sandbox) == 4


async def test_a_restart_is_seen_by_those_who_watch_and_two_are_one(sandbox: Sandbox) -> None:
    """Two people press the button at once; one session starts."""
    async with PairingHub() as hub, hub.watch(sandbox.client()) as states:
        await until(states, Expired)
        hub.restart(sandbox.client())
        hub.restart(sandbox.client())
        assert isinstance(await anext(states), Starting)
        assert (await until(states, ShowingCode)).qr.round == 1
        await until(states, Expired)
        assert codes_requested(sandbox) == 6


async def test_a_restart_before_the_end_does_nothing(sandbox: Sandbox) -> None:
    """Nor does one of an instance that nobody ever watched."""
    async with PairingHub() as hub:
        hub.restart(sandbox.client("nobody"))
        async with hub.watch(sandbox.client()) as states:
            shown = await until(states, ShowingCode)
            hub.restart(sandbox.client())
            async with hub.watch(sandbox.client()) as again:
                assert await anext(again) is shown
    assert codes_requested(sandbox) == 1


async def test_the_present_state_can_be_seen_without_watching(sandbox: Sandbox) -> None:
    """It starts nothing, holds nothing alive, and is what a watcher sees."""
    async with PairingHub(linger=2) as hub:
        assert hub.state(sandbox.client()) is None
        async with hub.watch(sandbox.client()) as states:
            assert hub.state(sandbox.client()) == Starting()
            shown = await until(states, ShowingCode)
            assert hub.state(sandbox.client()) is shown
            assert hub.state(sandbox.client("another")) is None
        await anyio.sleep(1)
        assert hub.state(sandbox.client()) is shown
        await anyio.sleep(1.5)
        assert hub.state(sandbox.client()) is None
        assert codes_requested(sandbox) == 1


async def test_a_session_that_ended_can_still_be_seen(sandbox: Sandbox) -> None:
    """Until it is restarted."""
    async with PairingHub() as hub:
        async with hub.watch(sandbox.client()) as states:
            await until(states, Expired)
        assert hub.state(sandbox.client()) == Expired()
        hub.restart(sandbox.client())
        assert hub.state(sandbox.client()) is None


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


@pytest.mark.parametrize("answer", ["unauthorized", "passkey", "subscription_required"])
async def test_a_failure_is_a_state_with_the_stable_word(sandbox: Sandbox, answer: str) -> None:
    """It ends the session, and a restart tries again."""
    sandbox.answer_next(answer, times=2)
    with pytest.raises(PlugChatError) as caught:
        await sandbox.client().qr_code()
    async with PairingHub() as hub, hub.watch(sandbox.client()) as states:
        failed = await until(states, Failed)
        assert failed.code in {"authentication_error", "passkey_required", "subscription_required"}
        assert failed == Failed(code=caught.value.code, message=str(caught.value))
        hub.restart(sandbox.client())
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


async def test_the_client_may_be_closed_after_it_was_given(sandbox: Sandbox) -> None:
    """A dependency of a request closes what it made, while the session goes on."""
    root = sandbox.client()
    async with PairingHub() as hub:
        async with root.for_token("tenant") as client:
            watcher = hub.watch(client)
        async with watcher as states:
            await until(states, ShowingCode)


async def test_a_restart_outlives_the_client_that_asked_for_it(sandbox: Sandbox) -> None:
    """The request that brings the button's press may close its client at once."""
    async with PairingHub() as hub, hub.watch(sandbox.client()) as states:
        await until(states, Expired)
        async with sandbox.client() as client:
            hub.restart(client)
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
            hub.restart(sandbox.client())
        with pytest.raises(RuntimeError, match="async with PairingHub"):
            hub.state(sandbox.client())
        with pytest.raises(RuntimeError, match="async with PairingHub"):
            await hub.__aexit__(None, None, None)
        async with PairingHub() as hub:
            watcher = hub.watch(sandbox.client())
    with pytest.raises(RuntimeError, match="async with PairingHub"):
        await watcher.__aenter__()


class Belated:
    """Be a client whose session ends in the moment in which it is given up."""

    instance_key = b"an instance"

    def pairing(self, **_: object) -> Belated:
        """Be the session, too."""
        return self

    async def wait(self, _on_code: object) -> PairingOutcome:
        """End after whoever watched has left, without a look at the cancellation."""
        with anyio.CancelScope(shield=True):
            await anyio.sleep(5)
        return PairingOutcome.EXPIRED


async def test_a_session_that_was_left_does_not_come_back() -> None:
    """Whoever comes next starts anew."""
    client = cast("AsyncPlugChat", Belated())
    async with PairingHub(linger=1) as hub:
        async with hub.watch(client):
            await anyio.sleep(1)
        await anyio.sleep(2)
        assert hub.state(client) is None
        await anyio.sleep(5)
        assert hub.state(client) is None


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
        assert hub.state(client) is None


async def test_a_watcher_may_come_back(sandbox: Sandbox) -> None:
    """It sees the present state at once, also one that it has seen before."""
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
    """The hub's own tasks are no reason to wrap it in a group."""
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
    """A watcher that never looks keeps no states: a hundred sessions later it is as small."""
    async with PairingHub(interval=0.1, status_interval=None, linger=0) as hub:
        watchers = [hub.watch(sandbox.client()) for _ in range(100)]
        for watcher in watchers:
            await watcher.__aenter__()
        tracemalloc.start()
        grown = []
        for _ in range(2):
            before = kept_memory()
            for _ in range(50):
                await anyio.sleep(1)
                hub.restart(sandbox.client())
            grown.append(kept_memory() - before)
        tracemalloc.stop()
        # What grows is the sandbox's record of calls; 100 watchers of 150 codes would add more.
        assert grown[1] / 100 < 2048
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
async def test_bad_arguments_are_refused_at_once(arguments: dict[str, Any]) -> None:
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

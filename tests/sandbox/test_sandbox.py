"""The sandbox keeps instances apart, lets a phone scan, gives what was ordered, and remembers."""

from __future__ import annotations

import math
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import plugchat_async.sandbox
from plugchat_async import AlreadyConnected, AuthenticationError, PairingOutcome, ServerError
from plugchat_async.sandbox import ANSWERS, Call, Sandbox, Scan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager
    from unittest.mock import Mock

    import httpx

    Ask = Callable[..., Awaitable[httpx.Response]]
    Link = Callable[[], Awaitable[None]]


def test_the_wing_hands_on_what_it_names() -> None:
    """The names are sorted, and each is there."""
    names = plugchat_async.sandbox.__all__
    assert names == sorted(names)
    assert all(hasattr(plugchat_async.sandbox, name) for name in names)


class TestTheInstances:
    """Each token identifies a separate instance."""

    pytestmark = pytest.mark.anyio

    async def test_an_instance_goes_from_unlinked_to_linked_and_back(
        self, sandbox: Sandbox, ask: Ask
    ) -> None:
        """The status follows the phone, in the documented sentences."""

        def status(*, connected: bool, error: str) -> dict[str, object]:
            return {
                "connected": connected,
                "session": connected,
                "smartphoneConnected": connected,
                "error": error,
            }

        unlinked = status(connected=False, error="You are not connected.")
        assert (await ask("/status")).json() == unlinked
        assert sandbox.scan((await ask("/qr-code")).json()["value"])
        linked = status(connected=True, error="You are already connected.")
        assert (await ask("/status")).json() == linked
        sandbox.disconnect("token-a")
        assert (await ask("/status")).json() == unlinked

    async def test_a_linked_instance_gives_no_more_codes(self, sandbox: Sandbox, ask: Ask) -> None:
        """Both QR endpoints return `connected`, until the phone is unlinked."""
        assert sandbox.scan((await ask("/qr-code")).json()["value"])
        assert (await ask("/qr-code")).json() == {"connected": True}
        assert (await ask("/qr-code/image")).json() == {"connected": True}
        sandbox.disconnect("token-a")
        assert "value" in (await ask("/qr-code")).json()

    async def test_either_endpoint_invalidates_the_code_of_the_other(
        self, sandbox: Sandbox, ask: Ask
    ) -> None:
        """An instance has one valid code, whichever endpoint issued it."""
        former = (await ask("/qr-code")).json()["value"]
        await ask("/qr-code/image")
        assert not sandbox.scan(former)

    async def test_the_status_leaves_the_code_valid(self, sandbox: Sandbox, ask: Ask) -> None:
        """Only a new code invalidates it."""
        payload = (await ask("/qr-code")).json()["value"]
        await ask("/status")
        assert sandbox.scan(payload)

    async def test_a_code_expires_by_the_sandbox_s_clock(
        self, sandbox: Sandbox, ask: Ask, clock: Mock
    ) -> None:
        """The clock that was passed in decides about the 20 seconds."""
        payload = (await ask("/qr-code")).json()["value"]
        clock.return_value += 20
        assert not sandbox.scan(payload)

    async def test_instances_know_nothing_of_each_other(self, sandbox: Sandbox, ask: Ask) -> None:
        """A code of one survives the other's, and links only its own."""
        payload = (await ask("/qr-code", "token-a")).json()["value"]
        await ask("/qr-code", "token-b")
        assert sandbox.scan(payload)
        assert (await ask("/status", "token-a")).json()["connected"] is True
        assert (await ask("/status", "token-b")).json()["connected"] is False

    async def test_a_phone_finds_nothing_in_a_strange_code(
        self, sandbox: Sandbox, ask: Ask
    ) -> None:
        """Scanning what the sandbox never issued links nothing."""
        await ask("/qr-code")
        assert not sandbox.scan("2@invented")


class TestTheDevice:
    """`/device` returns the linked phone."""

    pytestmark = pytest.mark.anyio

    async def test_an_instance_without_a_phone_returns_empty_strings(self, ask: Ask) -> None:
        """All keys are there, and the image is null."""
        device = (await ask("/device")).json()
        assert device["imgUrl"] is None
        assert [device[key] for key in ("phone", "name", "about", "originalDevice")] == [""] * 4
        assert set(device["device"].values()) == {""}

    async def test_a_linked_phone_is_returned(self, sandbox: Sandbox, ask: Ask) -> None:
        """Under the documented keys and those of the family, which are the same without a phone."""
        unlinked = (await ask("/device")).json()
        payload = (await ask("/qr-code")).json()["value"]
        assert sandbox.scan(payload, phone="351912345678")
        device = (await ask("/device")).json()
        assert device["phone"] == "351912345678"
        assert device["imgUrl"].startswith("https://")
        assert device["originalDevice"] == device["device"]["platform"] == "smba"
        assert device["device"]["device_model"] == "SM-N975F"
        assert all(device.values())
        assert all(device["device"].values())
        assert device.keys() == unlinked.keys()
        assert device["device"].keys() == unlinked["device"].keys()

    async def test_a_phone_has_a_default_number(self, sandbox: Sandbox, ask: Ask) -> None:
        """It is a Brazilian one."""
        assert sandbox.scan((await ask("/qr-code")).json()["value"])
        assert (await ask("/device")).json()["phone"] == "5511999990000"

    @pytest.mark.parametrize(
        "phone",
        [
            "",
            "+5511999990000",
            "55 11 99999-0000",
            "011999990000",
            "123456",
            "9" * 16,
            "\u0665" * 9,
        ],
    )
    async def test_a_number_is_digits_with_the_country_code(
        self, sandbox: Sandbox, ask: Ask, phone: str
    ) -> None:
        """Anything else is refused without repeating it, and the code is still valid."""
        payload = (await ask("/qr-code")).json()["value"]
        with pytest.raises(ValueError, match="phone must be 7 to 15 digits") as refused:
            sandbox.scan(payload, phone=phone)
        assert phone == "" or phone not in str(refused.value)
        assert sandbox.scan(payload)


class TestTheChanges:
    """`/disconnect`, `/restore-session` and `/restart` change what the instance is."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def link(self, sandbox: Sandbox, ask: Ask) -> Link:
        """Return a function that links a phone."""

        async def link() -> None:
            assert sandbox.scan((await ask("/qr-code")).json()["value"])

        return link

    async def test_disconnect_unlinks_the_phone(self, ask: Ask, link: Link) -> None:
        """A code links one again."""
        await link()
        assert (await ask("/disconnect")).json() == {"value": True}
        assert (await ask("/status")).json()["error"] == "You are not connected."
        assert (await ask("/device")).json()["phone"] == ""
        await link()

    async def test_a_lost_session_has_to_be_restored(
        self, sandbox: Sandbox, ask: Ask, link: Link
    ) -> None:
        """No scan is needed, and the phone stays linked all the time."""
        await link()
        connected = (await ask("/status")).json()
        sandbox.lose_session("token-a")
        for _ in range(2):
            assert (await ask("/status")).json() == {
                "connected": False,
                "session": False,
                "smartphoneConnected": False,
                "error": "You need to restore the session.",
            }
        assert (await ask("/device")).json()["phone"] == "5511999990000"
        assert (await ask("/restore-session")).json() == {"value": True}
        assert (await ask("/status")).json() == connected

    async def test_without_a_token_each_instance_is_meant(
        self, sandbox: Sandbox, ask: Ask, link: Link
    ) -> None:
        """Over a socket an app has the token that it is given."""
        await link()
        await ask("/status", "token-b")
        sandbox.lose_session()
        for token in ("token-a", "token-b", "sandbox-token"):
            error = (await ask("/status", token)).json()["error"]
            assert error == "You need to restore the session."
        sandbox.disconnect()
        for token in ("token-a", "token-b", "sandbox-token"):
            assert (await ask("/status", token)).json()["error"] == "You are not connected."

    async def test_without_a_token_each_of_tokens_is_meant(self, ask: Ask) -> None:
        """Also before its first call."""
        sandbox = Sandbox(tokens=["token-a"])
        sandbox.lose_session()
        error = (await ask("/status", "token-a", of=sandbox)).json()["error"]
        assert error == "You need to restore the session."

    async def test_without_a_phone_no_session_is_restored(
        self, sandbox: Sandbox, ask: Ask, link: Link
    ) -> None:
        """The response refuses it, and a scan links a phone."""
        assert (await ask("/restore-session")).json() == {"value": False}
        sandbox.lose_session("token-a")
        assert (await ask("/restore-session")).json() == {"value": False}
        assert (await ask("/status")).json()["error"] == "You need to restore the session."
        await link()
        assert (await ask("/status")).json()["connected"] is True

    async def test_a_lost_session_ends_with_a_disconnection(
        self, sandbox: Sandbox, ask: Ask, link: Link
    ) -> None:
        """Then there is nothing left to restore."""
        await link()
        sandbox.lose_session("token-a")
        await ask("/disconnect")
        assert (await ask("/status")).json()["error"] == "You are not connected."
        assert (await ask("/restore-session")).json() == {"value": False}

    async def test_a_restart_needs_no_scan(self, ask: Ask, link: Link) -> None:
        """The phone stays linked."""
        await link()
        assert (await ask("/restart")).json() == {"value": True}
        assert (await ask("/status")).json()["connected"] is True

    @pytest.mark.parametrize("endpoint", ["/disconnect", "/restart"])
    async def test_the_current_code_is_invalidated(
        self, sandbox: Sandbox, ask: Ask, endpoint: str
    ) -> None:
        """By a disconnection and by a restart."""
        payload = (await ask("/qr-code")).json()["value"]
        await ask(endpoint)
        assert not sandbox.scan(payload)

    @pytest.mark.parametrize("endpoint", ["/disconnect", "/restore-session", "/restart"])
    async def test_a_change_is_of_one_instance(self, ask: Ask, link: Link, endpoint: str) -> None:
        """The phone of another token stays linked."""
        await link()
        await ask(endpoint, "token-b")
        assert (await ask("/status")).json()["connected"] is True

    @pytest.mark.parametrize("name", ["value_false", "server_error"])
    async def test_a_change_that_was_refused_did_not_happen(
        self, sandbox: Sandbox, ask: Ask, link: Link, name: str
    ) -> None:
        """The next call makes it."""
        await link()
        sandbox.answer_next(name, endpoint="/disconnect")
        await ask("/disconnect")
        assert (await ask("/status")).json()["connected"] is True
        assert (await ask("/disconnect")).json() == {"value": True}
        assert (await ask("/status")).json()["connected"] is False

    async def test_the_current_code_is_that_of_one_instance(
        self, sandbox: Sandbox, ask: Ask
    ) -> None:
        """It is None before the first code."""
        payload = (await ask("/qr-code")).json()["value"]
        assert sandbox.current_code("token-a") == payload
        assert sandbox.current_code("token-b") is None

    async def test_each_change_is_a_call(self, sandbox: Sandbox, ask: Ask) -> None:
        """In the record they stand like any other."""
        for endpoint in ("/disconnect", "/restore-session", "/restart", "/device"):
            await ask(endpoint)
        assert [(call.endpoint, call.answer) for call in sandbox.calls] == [
            ("/disconnect", "disconnect"),
            ("/restore-session", "restore_session"),
            ("/restart", "restart"),
            ("/device", "device"),
        ]


class TestThePhoneThatScansByItself:
    """`scan_after` links each code some seconds after it was issued."""

    pytestmark = pytest.mark.anyio

    async def test_a_code_is_scanned_on_time(self, sandbox: Sandbox, ask: Ask, clock: Mock) -> None:
        """Not before, and by the sandbox's clock, however late anybody looks."""
        sandbox.scan_after(5)
        await ask("/qr-code")
        clock.return_value += 4.9
        assert (await ask("/status")).json()["connected"] is False
        clock.return_value += 95.1
        assert (await ask("/status")).json()["connected"] is True
        assert (await ask("/device")).json()["phone"] == "5511999990000"
        assert sandbox.scans == (Scan(5.0, "token-a", "5511999990000", 1),)

    async def test_a_scanned_code_is_not_followed_by_another(
        self, sandbox: Sandbox, ask: Ask
    ) -> None:
        """The next call for a code finds the phone linked."""
        sandbox.scan_after(0)
        payload = (await ask("/qr-code")).json()["value"]
        assert not sandbox.scan(payload)
        assert (await ask("/qr-code")).json() == {"connected": True}

    async def test_an_image_is_scanned_too(self, sandbox: Sandbox, ask: Ask) -> None:
        """Whatever form a code came in."""
        sandbox.scan_after(0)
        sandbox.answer_next("image_jpeg")
        await ask("/qr-code/image")
        assert len(sandbox.scans) == 1

    async def test_a_code_that_was_replaced_is_not_scanned(
        self, sandbox: Sandbox, ask: Ask, clock: Mock
    ) -> None:
        """The phone scans the new one, when that one's time has come."""
        sandbox.scan_after(5)
        for _ in range(2):
            await ask("/qr-code")
            clock.return_value += 3
        assert (await ask("/status")).json()["connected"] is False
        clock.return_value += 2
        assert [scan.at for scan in sandbox.scans] == [8.0]

    @pytest.mark.parametrize(
        ("seconds", "is_scanned"), [(19.9, True), (20, False), (math.inf, False)]
    )
    async def test_a_code_that_has_expired_is_never_scanned(
        self, sandbox: Sandbox, ask: Ask, clock: Mock, seconds: float, *, is_scanned: bool
    ) -> None:
        """A code is valid for 20 s."""
        sandbox.scan_after(seconds)
        await ask("/qr-code")
        clock.return_value += 1000
        assert (await ask("/status")).json()["connected"] is is_scanned

    async def test_the_current_code_is_scanned_as_well(
        self, sandbox: Sandbox, ask: Ask, clock: Mock
    ) -> None:
        """Immediately, if its time has passed; never, if it has expired."""
        await ask("/qr-code", "token-a")
        clock.return_value += 15
        await ask("/qr-code", "token-b")
        clock.return_value += 5
        sandbox.scan_after(3)
        assert sandbox.scans == (Scan(20.0, "token-b", "5511999990000", 2),)

    async def test_none_switches_it_off(self, sandbox: Sandbox, ask: Ask, clock: Mock) -> None:
        """A scan whose time had come has happened; later ones do not."""
        sandbox.scan_after(5)
        await ask("/qr-code", "token-a")
        clock.return_value += 3
        await ask("/qr-code", "token-b")
        clock.return_value += 2
        sandbox.scan_after(None)
        clock.return_value += 10
        assert [scan.token for scan in sandbox.scans] == ["token-a"]

    async def test_a_phone_that_was_unlinked_is_linked_by_the_next_code(
        self, sandbox: Sandbox, ask: Ask, clock: Mock
    ) -> None:
        """The code from before stays scanned."""
        sandbox.scan_after(5)
        await ask("/qr-code")
        clock.return_value += 6
        sandbox.disconnect("token-a")
        assert (await ask("/status")).json()["connected"] is False
        await ask("/qr-code")
        clock.return_value += 6
        sandbox.lose_session("token-a")
        assert (await ask("/status")).json()["error"] == "You need to restore the session."
        assert [scan.at for scan in sandbox.scans] == [5.0, 11.0]

    async def test_each_instance_has_a_phone(self, sandbox: Sandbox, ask: Ask, clock: Mock) -> None:
        """The scans stand in the order in which they happened."""
        await ask("/status", "token-a")
        for token in ("token-b", "token-a"):
            await ask("/qr-code", token)
            clock.return_value += 1
        sandbox.scan_after(4)
        clock.return_value += 10
        assert [(scan.at, scan.token) for scan in sandbox.scans] == [
            (4.0, "token-b"),
            (5.0, "token-a"),
        ]

    @pytest.mark.parametrize("seconds", [-1, math.nan])
    async def test_a_scan_comes_after_a_number_of_seconds(
        self, sandbox: Sandbox, seconds: float
    ) -> None:
        """Anything else is refused."""
        with pytest.raises(ValueError, match="seconds must be 0 or more, or None"):
            sandbox.scan_after(seconds)


class TestInVirtualTime:
    """By a loop's clock, a phone scans when the loop's time has come."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self, virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        """Let seconds pass in milliseconds."""
        return virtual_time

    async def test_a_code_is_scanned_when_its_time_has_come(self, ask: Ask) -> None:
        """The status tells so from the 5th second on."""
        sandbox = Sandbox(clock=anyio.current_time)
        sandbox.scan_after(5)
        await ask("/qr-code", of=sandbox)
        await anyio.sleep(4.9)
        assert (await ask("/status", of=sandbox)).json()["connected"] is False
        await anyio.sleep(0.2)
        assert (await ask("/status", of=sandbox)).json()["connected"] is True
        assert sandbox.scans[0].at == pytest.approx(5)

    async def test_a_session_ends_with_the_scan(self) -> None:
        """Of the SDK's client, which asks for the status every 2 s."""
        sandbox = Sandbox(clock=anyio.current_time)
        sandbox.scan_after(3)
        async with sandbox.client() as client:
            assert await client.pairing().wait() is PairingOutcome.CONNECTED
        assert anyio.current_time() - sandbox.calls[0].at == pytest.approx(4, abs=0.1)


class TestTheRecord:
    """`calls` lists the calls and their times."""

    pytestmark = pytest.mark.anyio

    async def test_each_call_is_remembered(self, sandbox: Sandbox, ask: Ask, clock: Mock) -> None:
        """Endpoint, time, token, status and response, in the order of the calls."""
        await ask("/qr-code", "token-a")
        clock.return_value += 15
        sandbox.answer_next("server_error")
        await ask("/qr-code/image", "token-b")
        await ask("/status", "token-a")
        assert sandbox.calls == (
            Call("/qr-code", 0.0, "token-a", 200, "code", 1),
            Call("/qr-code/image", 15.0, "token-b", 500, "server_error", 2),
            Call("/status", 15.0, "token-a", 200, "status", 1),
        )

    async def test_a_record_does_not_show_the_token(self, sandbox: Sandbox, ask: Ask) -> None:
        """Neither the call's repr nor the sandbox's has it."""
        await ask("/qr-code", "token-a")
        assert "token-a" not in repr(sandbox.calls)
        assert "token-a" not in repr(sandbox)

    async def test_each_scan_that_linked_a_phone_is_remembered(
        self, sandbox: Sandbox, ask: Ask, clock: Mock
    ) -> None:
        """With its time, token and phone; one in vain is not."""
        payload = (await ask("/qr-code")).json()["value"]
        clock.return_value += 2
        assert sandbox.scan(payload, phone="351912345678")
        assert not sandbox.scan(payload)
        assert sandbox.scans == (Scan(2.0, "token-a", "351912345678", 1),)
        assert repr(sandbox.scans) == "(Scan(at=2.0),)"


class TestTheOrders:
    """`answer_next` orders responses instead of the usual ones."""

    pytestmark = pytest.mark.anyio

    async def test_orders_are_served_in_turn_and_then_the_usual_comes_back(
        self, sandbox: Sandbox, ask: Ask
    ) -> None:
        """First come, first served, each as many times as ordered."""
        sandbox.answer_next("server_error", times=2)
        sandbox.answer_next("value_null")
        for _ in range(4):
            await ask("/qr-code")
        assert [call.answer for call in sandbox.calls] == [
            "server_error",
            "server_error",
            "value_null",
            "code",
        ]

    async def test_an_order_is_for_any_endpoint_unless_it_names_one(
        self, sandbox: Sandbox, ask: Ask
    ) -> None:
        """An order for one endpoint waits until that one is asked."""
        sandbox.answer_next("server_error", endpoint="/status")
        sandbox.answer_next("rate_limited")
        await ask("/qr-code")
        await ask("/status")
        assert [call.answer for call in sandbox.calls] == ["rate_limited", "server_error"]

    async def test_an_order_is_for_any_token_unless_it_names_one(
        self, sandbox: Sandbox, ask: Ask
    ) -> None:
        """An order for one instance waits until that one is asked."""
        sandbox.answer_next("server_error", token="token-b")
        await ask("/qr-code", "token-a")
        await ask("/qr-code", "token-b")
        assert [call.answer for call in sandbox.calls] == ["code", "server_error"]

    async def test_a_code_waits_for_an_endpoint_that_gives_codes(
        self, sandbox: Sandbox, ask: Ask
    ) -> None:
        """The status passes an ordered code by, and a code call an ordered status."""
        sandbox.answer_next("code_text_plain")
        sandbox.answer_next("session_lost")
        await ask("/status")
        await ask("/qr-code")
        assert [call.answer for call in sandbox.calls] == ["session_lost", "code_text_plain"]

    async def test_a_call_that_is_not_let_in_leaves_the_orders_alone(self, ask: Ask) -> None:
        """The 401 comes first, the order waits for a good token."""
        sandbox = Sandbox(tokens=["token-a"])
        sandbox.answer_next("server_error")
        await ask("/qr-code", "wrong", of=sandbox)
        await ask("/qr-code", "token-a", of=sandbox)
        assert [call.answer for call in sandbox.calls] == ["unauthorized", "server_error"]


class TestBadArguments:
    """Mistakes are refused immediately, and no message repeats a token."""

    def test_tokens_as_one_string_is_a_mistake(self) -> None:
        """A string would be taken letter by letter."""
        with pytest.raises(TypeError, match="tokens") as caught:
            Sandbox(tokens="secret")
        assert "secret" not in str(caught.value)

    def test_an_empty_token_is_a_mistake(self) -> None:
        """No request can carry it."""
        with pytest.raises(ValueError, match="tokens"):
            Sandbox(tokens=["token-a", ""])

    @pytest.mark.parametrize(
        ("size", "refusal"),
        [
            (59, pytest.raises(ValueError, match="between 60 and 237 characters, not 59")),
            (238, pytest.raises(ValueError, match="between 60 and 237 characters, not 238")),
            (78.0, pytest.raises(TypeError, match="payload_size must be an int, not float")),
        ],
    )
    def test_a_payload_size_out_of_its_range_is_refused(
        self, size: object, refusal: AbstractContextManager[object]
    ) -> None:
        """A shorter payload could be guessed, and no longer one is issued."""
        with refusal:
            Sandbox(payload_size=size)  # type: ignore[arg-type]  # on purpose

    def test_an_unknown_response_suggests_near_ones(self, sandbox: Sandbox) -> None:
        """A typing error is met with the name that was meant."""
        with pytest.raises(ValueError, match=r"'sever_error'; did you mean server_error"):
            sandbox.answer_next("sever_error")

    def test_a_name_that_is_like_none_lists_all_responses(self, sandbox: Sandbox) -> None:
        """If none is near, the message has every name."""
        with pytest.raises(ValueError, match=re.escape(", ".join(ANSWERS))):
            sandbox.answer_next("zzz")

    @pytest.mark.parametrize("times", [0, -1])
    def test_an_order_is_for_one_call_at_least(self, sandbox: Sandbox, times: int) -> None:
        """`times` below 1 is refused."""
        with pytest.raises(ValueError, match="times"):
            sandbox.answer_next("server_error", times=times)

    def test_an_order_is_for_an_endpoint_that_exists(self, sandbox: Sandbox) -> None:
        """The message lists them."""
        with pytest.raises(ValueError, match="/qr-code, /qr-code/image, /status, /device"):
            sandbox.answer_next("server_error", endpoint="/qrcode")  # type: ignore[arg-type]

    def test_an_order_is_for_an_endpoint_that_can_give_it(self, sandbox: Sandbox) -> None:
        """The status never returns a code."""
        with pytest.raises(ValueError, match="/status never returns 'code'"):
            sandbox.answer_next("code", endpoint="/status")

    def test_a_token_that_is_not_let_in_has_no_instance(self) -> None:
        """Neither ordering for it nor unlinking it nor losing its session makes sense."""
        sandbox = Sandbox(tokens=["token-a"])
        with pytest.raises(ValueError, match="does not let this token in") as ordering:
            sandbox.answer_next("server_error", token="secret")
        with pytest.raises(ValueError, match="does not let this token in") as unlinking:
            sandbox.disconnect("secret")
        with pytest.raises(ValueError, match="does not let this token in") as losing:
            sandbox.lose_session("secret")
        assert "secret" not in f"{ordering.value} {unlinking.value} {losing.value}"


class TestTheClient:
    """`client()` gives the SDK's client, in-process."""

    pytestmark = pytest.mark.anyio

    async def test_a_client_links_a_phone(self, sandbox: Sandbox) -> None:
        """The whole way: a code, a scan, the end of the stream."""
        async with sandbox.client() as client:
            codes = client.qr_stream(interval=0.01)
            assert sandbox.scan((await anext(codes)).payload)
            with pytest.raises(AlreadyConnected) as caught:
                await anext(codes)
            assert caught.value.after_scan
            assert (await client.status()).connected
        assert [call.endpoint for call in sandbox.calls] == ["/qr-code", "/qr-code", "/status"]

    @pytest.mark.parametrize("size", [60, 78, 237])
    async def test_payloads_have_the_size_asked_for(self, size: int) -> None:
        """In both forms, from both endpoints, each links the phone, and no two are equal."""
        sandbox = Sandbox(payload_size=size)
        client = sandbox.client()
        payloads = []
        for _ in range(2):
            payloads.append((await client.qr_code()).payload)
            assert sandbox.scan(payloads[-1])
            sandbox.disconnect()
            payloads.append((await client.qr_code_image()).decode().payload)
            assert sandbox.scan(payloads[-1])
            sandbox.disconnect()
        assert [len(payload) for payload in payloads] == [size] * 4
        assert [payload[:2] for payload in payloads] == ["ht", "2@"] * 2
        assert len(set(payloads)) == 4

    async def test_a_code_read_out_of_the_image_links_the_phone(self, sandbox: Sandbox) -> None:
        """The image endpoint works through the client too."""
        client = sandbox.client()
        assert sandbox.scan((await client.qr_code_image()).decode().payload)

    async def test_options_reach_the_client(self, sandbox: Sandbox) -> None:
        """`retries` is the client's."""
        sandbox.answer_next("server_error", times=2)
        with pytest.raises(ServerError):
            await sandbox.client(retries=0).qr_code()
        assert len(sandbox.calls) == 1

    async def test_a_client_for_another_token_is_another_instance(self) -> None:
        """A token that is not let in is refused by the sandbox, not by the client."""
        sandbox = Sandbox(tokens=["token-a"])
        await sandbox.client("token-a").qr_code()
        with pytest.raises(AuthenticationError):
            await sandbox.client("token-b").qr_code()
        assert [call.token for call in sandbox.calls] == ["token-a", "token-b"]

    async def test_the_loop_s_clock_can_be_the_sandbox_s(self) -> None:
        """`anyio.current_time` works as documented, inside of the loop."""
        sandbox = Sandbox(clock=anyio.current_time)
        qr = await sandbox.client().qr_code()
        assert sandbox.scan(qr.payload)
        assert sandbox.calls[0].at >= 0


def test_several_threads_may_share_a_sandbox(sandbox: Sandbox, ask: Ask) -> None:
    """Each order is served once, and every call is remembered."""
    sandbox.answer_next("value_null", times=10)
    with ThreadPoolExecutor(max_workers=4) as threads:
        asked = [threads.submit(anyio.run, ask, "/status") for _ in range(20)]
    for each in asked:
        each.result()
    assert sorted(call.answer for call in sandbox.calls) == ["status"] * 10 + ["value_null"] * 10

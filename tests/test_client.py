"""The client's methods, one endpoint each."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import httpx
import pytest
import respx
import segno
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plugchat_async import (
    AlreadyConnected,
    AsyncPlugChat,
    Device,
    InstanceStatus,
    NetworkError,
    PlugChatError,
    QRCode,
    QRImage,
    RateLimited,
    ServerError,
    UnexpectedRedirect,
    UnexpectedResponse,
)
from plugchat_async.sandbox import Sandbox

from .scripted_server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


pytestmark = pytest.mark.anyio

TOKEN = "F3A9-the-token-of-a-tenant-7C21"
CODE = {"value": "2@code"}

Method: TypeAlias = "Callable[[AsyncPlugChat], Coroutine[Any, Any, object]]"

# Each method that makes a call, and a body with which its endpoint responds.
REPEATABLE: dict[Method, dict[str, Any]] = {
    AsyncPlugChat.qr_code: CODE,
    AsyncPlugChat.qr_code_image: CODE,
    AsyncPlugChat.status: {"connected": False},
    AsyncPlugChat.device: {"phone": "5511999990000"},
}
COMMANDS: dict[Method, dict[str, Any]] = {
    AsyncPlugChat.disconnect: {"value": True},
    AsyncPlugChat.restore_session: {"value": True},
    AsyncPlugChat.restart: {"value": True},
}
BODIES = {**REPEATABLE, **COMMANDS}


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    """Respond for PlugChat's two hosts; any other request fails."""
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.mark.parametrize(
    ("method", "url"),
    [
        (AsyncPlugChat.qr_code, "https://app.plugchat.com.br/api/whatsapp/qr-code"),
        (AsyncPlugChat.qr_code_image, "https://www.plugchat.com.br/api/whatsapp/qr-code/image"),
        (AsyncPlugChat.status, "https://app.plugchat.com.br/api/whatsapp/status"),
        (AsyncPlugChat.device, "https://app.plugchat.com.br/api/whatsapp/device"),
        (AsyncPlugChat.disconnect, "https://app.plugchat.com.br/api/whatsapp/disconnect"),
        (AsyncPlugChat.restore_session, "https://app.plugchat.com.br/api/whatsapp/restore-session"),
        (AsyncPlugChat.restart, "https://app.plugchat.com.br/api/whatsapp/restart"),
    ],
)
@pytest.mark.parametrize("token", [TOKEN, "Bearer abc", "  padded\n"])
async def test_each_method_asks_its_documented_endpoint_to_the_letter(
    router: respx.MockRouter, method: Method, url: str, token: str
) -> None:
    """GET, the documented host, the raw token, no query and no body."""
    route = router.get(url).respond(json=BODIES[method])
    async with AsyncPlugChat(token) as client:
        await method(client)
    (call,) = route.calls
    assert call.request.headers["Authorization"] == token.strip()
    assert call.request.url.query == b""
    assert call.request.content == b""


async def test_base_url_and_headers_hold_for_every_endpoint(router: respx.MockRouter) -> None:
    """A sibling deployment, and the security header that some accounts need."""
    route = router.get(url__startswith="https://api.example/api/whatsapp/")
    route.side_effect = [httpx.Response(200, json=body) for body in BODIES.values()]
    async with AsyncPlugChat(
        TOKEN,
        base_url="https://api.example/api/whatsapp/",
        headers={"Client-Token": "security-token"},
    ) as client:
        for method in BODIES:
            await method(client)
    assert len(router.calls) == len(BODIES)
    for call in router.calls:
        assert call.request.headers["Client-Token"] == "security-token"


async def test_token_and_base_url_come_from_the_environment(
    router: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services are configured by their environment."""
    monkeypatch.setenv("PLUGCHAT_TOKEN", TOKEN)
    monkeypatch.setenv("PLUGCHAT_BASE_URL", "https://api.example/api/whatsapp/")
    route = router.get("https://api.example/api/whatsapp/qr-code").respond(json=CODE)
    async with AsyncPlugChat() as client:
        await client.qr_code()
    assert route.calls[0].request.headers["Authorization"] == TOKEN


async def test_nothing_is_sent_before_the_first_call(router: respx.MockRouter) -> None:
    """Making a client, another one from it, and a stream opens nothing."""
    async with AsyncPlugChat(TOKEN) as client:
        client.for_token("another")
        await client.qr_stream().aclose()
    assert len(router.calls) == 0


async def test_a_code_tells_when_it_was_asked_for(plugchat_client: AsyncPlugChat) -> None:
    """It is valid for 20 seconds from then, and the only one of its stream."""
    code = await plugchat_client.qr_code()
    assert 0 < code.expires_in <= 20
    assert (code.round, code.rounds) == (1, 1)


@pytest.mark.parametrize("name", ["code_as_image", "image_binary", "image_bare_base64"])
async def test_an_image_from_the_text_endpoint_is_read(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat, name: str
) -> None:
    """The family's own documentation shows an image there; the code in it is valid."""
    plugchat_sandbox.answer_next(name)
    code = await plugchat_client.qr_code()
    assert plugchat_sandbox.scan(code.payload)


async def test_an_image_from_the_text_endpoint_without_the_extra(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the two ways out."""
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    plugchat_sandbox.answer_next("code_as_image")
    with pytest.raises(UnexpectedResponse, match=r"qr_code_image\(\).*\[decode\]") as caught:
        await plugchat_client.qr_code()
    assert isinstance(caught.value.__cause__, ImportError)


@pytest.mark.parametrize("status", [200, 203])
async def test_an_image_without_a_code_from_the_text_endpoint(status: int) -> None:
    """A logo is not a code; the error has the status that came."""
    blank = io.BytesIO()
    segno.make_qr("x").save(blank, kind="png", dark="white")
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=blank.getvalue()))
    async with httpx.AsyncClient(transport=transport) as supplied:
        with pytest.raises(UnexpectedResponse, match="no QR code") as caught:
            await AsyncPlugChat(TOKEN, http_client=supplied).qr_code()
    assert caught.value.status_code == status


async def test_the_image_endpoint_gives_the_file_it_sent(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """Its type is told by its bytes, and the code in it is valid."""
    image = await plugchat_client.qr_code_image()
    assert image.media_type == "image/png"
    assert 0 < image.expires_in <= 20
    assert plugchat_sandbox.scan(image.decode().payload)


async def test_text_from_the_image_endpoint_is_drawn(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """Whoever asks for an image gets one."""
    plugchat_sandbox.answer_next("code_as_text")
    image = await plugchat_client.qr_code_image()
    assert image.media_type == "image/png"
    assert plugchat_sandbox.scan(image.decode().payload)


async def test_the_status_before_and_after_a_scan(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """It requests no code: the current one can still be scanned."""
    code = await plugchat_client.qr_code()
    assert await plugchat_client.status() == InstanceStatus(
        connected=False,
        session=False,
        smartphone_connected=False,
        error="You are not connected.",
    )
    assert plugchat_sandbox.scan(code.payload)
    assert (await plugchat_client.status()).connected


async def test_a_code_of_a_connected_instance(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """There is none to give, for text or image."""
    plugchat_sandbox.scan((await plugchat_client.qr_code()).payload)
    for ask in (plugchat_client.qr_code, plugchat_client.qr_code_image):
        with pytest.raises(AlreadyConnected) as caught:
            await ask()
        assert (caught.value.after_scan, caught.value.round) == (False, 1)


async def test_the_stream_sees_the_scan_of_one_of_its_codes(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """The next round finds the instance connected, by a scan."""
    codes = []
    with pytest.raises(AlreadyConnected) as caught:
        async for code in plugchat_client.qr_stream(interval=0.01, max_rounds=5):
            codes.append(code)
            if code.round == 2:
                plugchat_sandbox.scan(code.payload)
    assert [(code.round, code.rounds) for code in codes] == [(1, 5), (2, 5)]
    assert (caught.value.after_scan, caught.value.round) == (True, 3)


async def test_a_transient_failure_costs_no_round_of_the_stream(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """It is retried within its round."""
    plugchat_sandbox.answer_next("rate_limited_retry_after")
    codes = [code async for code in plugchat_client.qr_stream(interval=0.01, max_rounds=2)]
    assert [code.round for code in codes] == [1, 2]
    assert [call.endpoint for call in plugchat_sandbox.calls] == ["/qr-code"] * 3


async def test_the_device_before_and_after_a_scan(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """Without a phone each attribute is None; the number stays out of the repr."""
    assert await plugchat_client.device() == Device()
    code = await plugchat_client.qr_code()
    assert plugchat_sandbox.scan(code.payload, phone="5511988887777")
    device = await plugchat_client.device()
    assert (device.phone, device.model) == ("5511988887777", "SM-N975F")
    assert "5511988887777" not in repr(device)


async def test_disconnecting_unlinks_the_phone(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """The instance has codes again."""
    plugchat_sandbox.scan((await plugchat_client.qr_code()).payload)
    await plugchat_client.disconnect()
    assert not (await plugchat_client.status()).connected
    assert await plugchat_client.device() == Device()
    assert plugchat_sandbox.scan((await plugchat_client.qr_code()).payload)


async def test_a_lost_session_is_restored_without_a_scan(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """The status asks for it, and no longer does after it."""
    plugchat_sandbox.scan((await plugchat_client.qr_code()).payload)
    plugchat_sandbox.lose_session()
    lost = await plugchat_client.status()
    assert (lost.connected, lost.needs_restore) == (False, True)
    await plugchat_client.restore_session()
    restored = await plugchat_client.status()
    assert (restored.connected, restored.needs_restore) == (True, False)


async def test_a_session_without_a_phone_can_not_be_restored(
    plugchat_client: AsyncPlugChat,
) -> None:
    """The response is not a confirmation."""
    with pytest.raises(UnexpectedResponse):
        await plugchat_client.restore_session()


async def test_restarting_keeps_the_phone(
    plugchat_sandbox: Sandbox, plugchat_client: AsyncPlugChat
) -> None:
    """A current code would be invalidated, a linked phone stays linked."""
    code = await plugchat_client.qr_code()
    await plugchat_client.restart()
    assert not plugchat_sandbox.scan(code.payload)
    plugchat_sandbox.scan((await plugchat_client.qr_code()).payload)
    await plugchat_client.restart()
    assert (await plugchat_client.status()).connected


DOWN = (503, b"", {"Retry-After": "0"})


@pytest.mark.parametrize("method", REPEATABLE)
async def test_a_call_that_changes_nothing_is_retried(method: Method) -> None:
    """A transient failure passes, and each further request is one more of `retries`."""
    server = ScriptedServer(httpx, DOWN, DOWN, (200, json.dumps(REPEATABLE[method]).encode(), {}))
    await method(server.client(retries=2))
    assert len(server.requests) == 3


@pytest.mark.parametrize("method", COMMANDS)
async def test_a_call_that_changes_something_is_sent_once(method: Method) -> None:
    """Whatever `retries` is; without a response it may have been carried out."""
    server = ScriptedServer(httpx, DOWN, httpx.ReadError("reset"))
    with pytest.raises(ServerError):
        await method(server.client(retries=2))
    with pytest.raises(NetworkError, match=r"ask status\(\)"):
        await method(server.client(retries=2))
    assert len(server.requests) == 2


@pytest.mark.parametrize("method", BODIES)
async def test_a_rate_limit_without_a_time_is_raised_immediately(method: Method) -> None:
    """WhatsApp's limit lasts for minutes, and each further request prolongs it."""
    server = ScriptedServer(httpx, (429, b"", {}))
    with pytest.raises(RateLimited):
        await method(server.client(retries=2))
    assert len(server.requests) == 1


@pytest.mark.parametrize("location", ["https://login.example/", "//[", "https://\x7f", "\u2100"])
async def test_a_redirect_is_refused_wherever_it_points(location: str) -> None:
    """Even if its location is not a URL, on which httpx would fail."""
    async with AsyncPlugChat(TOKEN) as client:
        with respx.mock() as router:
            router.get(path="/api/whatsapp/qr-code").respond(
                302, headers=[(b"Location", location.encode())]
            )
            with pytest.raises(UnexpectedRedirect):
                await client.qr_code()


async def test_a_client_for_another_token_shares_everything_else(
    router: respx.MockRouter,
) -> None:
    """Base URL, extra headers and connections are the same; the token is its own."""
    route = router.get("https://api.example/api/whatsapp/qr-code").respond(json=CODE)
    async with AsyncPlugChat(
        "first", base_url="https://api.example/api/whatsapp", headers={"Client-Token": "shared"}
    ) as client:
        await client.for_token("second").qr_code()
        await client.qr_code()
    headers = [call.request.headers for call in route.calls]
    assert [header["Authorization"] for header in headers] == ["second", "first"]
    assert [header["Client-Token"] for header in headers] == ["shared", "shared"]


async def test_closing_a_client_for_another_token_closes_itself_alone(
    router: respx.MockRouter,
) -> None:
    """The connections belong to the client it came from."""
    router.get("https://app.plugchat.com.br/api/whatsapp/qr-code").respond(json=CODE)
    async with AsyncPlugChat("first") as client:
        async with client.for_token("second") as other:
            await other.qr_code()
        with pytest.raises(RuntimeError, match="closed"):
            await other.qr_code()
        await client.qr_code()


async def test_closing_the_first_client_closes_those_made_from_it() -> None:
    """They have nothing left to send with."""
    client = AsyncPlugChat("first")
    other = client.for_token("second")
    await client.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await other.qr_code()


async def test_a_closed_client_says_so_at_every_call() -> None:
    """Closing twice is fine; anything else is a mistake in the program."""
    client = AsyncPlugChat(TOKEN)
    stream = client.qr_stream()
    await client.aclose()
    await client.aclose()
    for method in BODIES:
        with pytest.raises(RuntimeError, match="closed"):
            await method(client)
    for call in (stream.__anext__, client.pairing().wait, client.__aenter__):
        with pytest.raises(RuntimeError, match="closed"):
            await call()
    with pytest.raises(RuntimeError, match="closed"):
        client.for_token("other")


async def test_a_user_supplied_client_is_never_closed(plugchat_sandbox: Sandbox) -> None:
    """It serves others, too."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(plugchat_sandbox)) as supplied:
        async with AsyncPlugChat(
            TOKEN, base_url="http://localhost/api/whatsapp", http_client=supplied
        ) as client:
            await client.qr_code()
        assert not supplied.is_closed


async def test_hooks_and_headers_of_a_user_supplied_client_apply(
    plugchat_sandbox: Sandbox,
) -> None:
    """A hook may read the whole response; the token is never a header of the shared client."""
    seen: list[Any] = []

    async def read(response: httpx.Response) -> None:
        seen.append(json.loads(await response.aread()))

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(plugchat_sandbox),
        event_hooks={"response": [read]},
        headers={"X-Service": "shop"},
    ) as supplied:
        client = AsyncPlugChat(
            TOKEN, base_url="http://localhost/api/whatsapp", http_client=supplied
        )
        code = await client.qr_code()
        assert "Authorization" not in supplied.headers
    assert seen == [{"value": code.payload}]


async def test_the_repr_shows_the_base_url_and_no_token() -> None:
    """It is printed in logs and debuggers."""
    client = AsyncPlugChat(TOKEN, base_url="https://api.example/api/whatsapp/")
    assert repr(client) == "AsyncPlugChat(base_url='https://api.example/api/whatsapp')"
    assert repr(AsyncPlugChat(TOKEN)) == (
        "AsyncPlugChat(base_url='https://app.plugchat.com.br/api/whatsapp')"
    )


def test_a_client_has_the_name_it_was_given() -> None:
    """It stands in the repr, to tell one tenant from another."""
    client = AsyncPlugChat(TOKEN, name="acme")
    assert client.name == "acme"
    assert repr(client).endswith(", name='acme')")
    assert client.for_token("second", name="other").name == "other"
    assert "name='other'" in repr(client.for_token("second", name="other"))


def test_a_client_for_another_token_has_no_name_unless_it_is_given_one() -> None:
    """The name belongs to the instance, not to the connections."""
    client = AsyncPlugChat(TOKEN, name="acme")
    assert client.for_token("second").name is AsyncPlugChat(TOKEN).name is None
    assert repr(client.for_token("second")) == repr(AsyncPlugChat(TOKEN))


@pytest.mark.parametrize("name", [5, b"acme", ["acme"]])
def test_a_name_of_another_type_is_refused(name: object) -> None:
    """By the constructor, and for another token."""
    with pytest.raises(TypeError, match="name must be a str, not "):
        AsyncPlugChat(TOKEN, name=name)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match="name must be a str, not "):
        AsyncPlugChat(TOKEN).for_token("second", name=name)  # type: ignore[arg-type]  # on purpose


@given(
    status=st.integers(200, 599),
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                ["Content-Type", "Content-Encoding", "Location", "Retry-After", "Set-Cookie"]
            ),
            st.binary(max_size=40)
            | st.sampled_from(
                [b"gzip", b"//[", b"https://\xff", b"http://[::1", b"a:b:c", b"9" * 99]
            ),
        ),
        max_size=4,
    ),
    body=st.binary(max_size=100) | st.sampled_from([b'{"value": "2@x"}', b"<html>", b"{}"]),
)
@example(status=302, headers=[("Location", b"http://example.com:99999999/")], body=b"")
@example(status=302, headers=[("Location", b"http://ex\xc3\xa4mple.\xe2\x84\x80/")], body=b"")
@example(status=200, headers=[("Set-Cookie", b"\x80")], body=b'{"value": "2@x"}')
@settings(max_examples=300)
def test_whatever_the_api_answers_only_a_model_or_one_of_our_errors_comes_out(
    status: int, headers: list[tuple[str, bytes]], body: bytes
) -> None:
    """Any status, any headers, any bytes, at each endpoint."""
    encoded = [(name.encode(), value) for name, value in headers]

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers=encoded, stream=httpx.ByteStream(body))

    async def ask() -> list[object]:
        outcomes: list[object] = []
        async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http_client:
            client = AsyncPlugChat(TOKEN, http_client=http_client, retries=0)
            for method in BODIES:
                try:
                    outcomes.append(await method(client))
                except PlugChatError as error:
                    outcomes.append(error)
        return outcomes

    for outcome in anyio.run(ask):
        assert outcome is None or isinstance(
            outcome, QRCode | QRImage | InstanceStatus | Device | PlugChatError
        )


@pytest.mark.anyio
async def test_the_log_has_the_name_of_the_instance(caplog: pytest.LogCaptureFixture) -> None:
    """A client without one is logged as before."""
    caplog.set_level(logging.DEBUG, logger="plugchat_async")
    http_client = httpx.AsyncClient(transport=httpx.ASGITransport(Sandbox()))
    base_url = "http://sandbox.localhost/api/whatsapp"
    client = AsyncPlugChat(TOKEN, base_url=base_url, http_client=http_client, name="acme")
    await client.status()
    await client.for_token("second").status()
    named, unnamed = caplog.messages
    assert named.endswith(" ms, attempt 1, acme")
    assert unnamed.endswith(" ms, attempt 1")

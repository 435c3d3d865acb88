"""How a call is made: further attempts, pauses and deadlines, in virtual time."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import httpx
import httpx2
import pytest

from plugchat_async import (
    AlreadyConnected,
    AsyncPlugChat,
    AuthenticationError,
    NetworkError,
    PlugChatError,
    QRNotReady,
    RateLimited,
    RequestTimeout,
    ResponseError,
    ServerError,
    UnexpectedRedirect,
    UnexpectedResponse,
)
from tests.scripted_server import TOKEN, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import ModuleType

    from tests.scripted_server import Hook, Response, Scripted, StaticResponse

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def family(request: pytest.FixtureRequest) -> ModuleType:
    """Use clients of both families."""
    module: ModuleType = request.param
    return module


CODE: StaticResponse = (200, b'{"value": "2@code"}', {})
DOWN: StaticResponse = (500, b"", {})


@pytest.mark.parametrize(
    "failure",
    [
        (500, b"", {}),
        (503, b"<html></html>", {}),
        (200, b"<html></html>", {}),
        (200, b'{"value": null}', {}),
        (429, b"", {"Retry-After": "0"}),
    ],
)
async def test_a_transient_response_is_followed_by_further_attempts(
    family: ModuleType, failure: Scripted
) -> None:
    """Server errors, rate limits and missing codes pass, as a rule."""
    server = ScriptedServer(family, failure, failure, CODE)
    assert (await server.client().qr_code()).payload == "2@code"
    assert len(server.at) == 3


@pytest.mark.parametrize("name", ["ConnectError", "ReadError", "RemoteProtocolError", "ProxyError"])
async def test_a_network_failure_is_followed_by_further_attempts(
    family: ModuleType, name: str
) -> None:
    """The http library's exception is the cause of a NetworkError, never seen itself."""
    server = ScriptedServer(family, getattr(family, name)("boom"), CODE)
    assert (await server.client().qr_code()).payload == "2@code"
    failing = ScriptedServer(family, getattr(family, name)("boom"))
    with pytest.raises(NetworkError) as caught:
        await failing.client(retries=0).qr_code()
    assert isinstance(caught.value.__cause__, getattr(family, name))
    assert type(caught.value) is NetworkError
    message = str(caught.value)
    assert message.startswith(f"no response from /qr-code at app.plugchat.com.br, {name}: ")
    assert message.endswith("check the network, the proxy if there is one, and base_url")


@pytest.mark.parametrize("name", ["RemoteProtocolError", "ReadTimeout"])
async def test_a_cause_quotes_no_token(family: ModuleType, name: str) -> None:
    """The HTTP library's words about a broken response are kept, without the secrets."""
    server = ScriptedServer(family, getattr(family, name)(f"illegal line: b'{TOKEN}'"))
    with pytest.raises(NetworkError) as caught:
        await server.client(retries=0).qr_code()
    assert str(caught.value.__cause__) == "illegal line: [redacted]"


async def test_nothing_that_led_to_a_failure_quotes_a_token(family: ModuleType) -> None:
    """Causes and contexts are followed to the end, even if they go round in a circle."""
    failure, cause, context = family.ReadError(TOKEN), OSError(7, TOKEN), ValueError(TOKEN)
    failure.__cause__, failure.__context__ = cause, context
    cause.__context__, context.__cause__ = KeyError(TOKEN), failure
    with pytest.raises(NetworkError):
        await ScriptedServer(family, failure).client(retries=0).qr_code()
    links = (failure, cause, context, cause.__context__)
    assert [link.args for link in links] == [
        ("[redacted]",),
        (7, "[redacted]"),
        ("[redacted]",),
        ("[redacted]",),
    ]


@pytest.mark.parametrize(
    "fail",
    [
        lambda family: family.ConnectError("boom"),
        lambda family: family.PoolTimeout("full"),
        lambda family: anyio.sleep_forever,
    ],
    ids=["network", "timeout", "cancelled"],
)
async def test_an_exception_that_the_caller_handles_stays_unchanged(
    family: ModuleType, fail: Callable[[ModuleType], Scripted]
) -> None:
    """It becomes a context of what the call raises, and keeps its frames and its words."""
    server = ScriptedServer(family, fail(family))
    with pytest.raises((NetworkError, TimeoutError)) as caught:
        try:
            raise KeyError(TOKEN)
        except KeyError as error:
            handled = error
            with anyio.fail_after(1):
                await server.client(retries=0).qr_code()
    contexts = {caught.value.__context__, getattr(caught.value.__context__, "__context__", None)}
    assert handled in contexts
    assert handled.__traceback__ is not None
    assert handled.args == (TOKEN,)


class Unhashable(Exception):
    """Be an exception as a dataclass makes it."""

    __hash__ = None  # type: ignore[assignment]


async def test_the_caller_may_be_handling_anything(family: ModuleType) -> None:
    """Also what has no hash."""
    server = ScriptedServer(family, family.ConnectError("boom"))
    with pytest.raises(NetworkError):
        try:
            raise Unhashable
        except Unhashable:
            await server.client(retries=0).qr_code()


async def test_a_cancellation_keeps_its_words(family: ModuleType) -> None:
    """Its scope knows it by them, whatever token they may hold."""
    http_client = ScriptedServer(family, anyio.sleep_forever).http_client()
    client = AsyncPlugChat("scope", http_client=http_client)
    with anyio.move_on_after(1) as scope:
        await client.qr_code()
    assert scope.cancelled_caught


async def test_a_caller_that_gives_up_sees_no_frames_of_the_http_library(
    family: ModuleType,
) -> None:
    """They hold the request's headers, and the body as far as it was read."""
    server = ScriptedServer(family, anyio.sleep_forever)
    with pytest.raises(TimeoutError) as caught, anyio.fail_after(1):
        await server.client().qr_code()
    cancelled = caught.value.__context__
    assert cancelled is not None
    packages = {
        frame.f_globals["__name__"].split(".")[0]
        for frame, _ in traceback.walk_tb(cancelled.__traceback__)
    }
    assert "plugchat_async" in packages
    assert family.__name__ not in packages


@pytest.mark.parametrize("failure", [TimeoutError("slow"), OSError("broken")])
async def test_failures_that_a_transport_lets_through_are_network_errors(
    family: ModuleType, failure: Exception
) -> None:
    """Transports of others do not always translate what the operating system says."""
    server = ScriptedServer(family, failure)
    with pytest.raises(NetworkError):
        await server.client(retries=0).qr_code()


@pytest.mark.parametrize("error", [KeyError(TOKEN), aiohttp.ClientPayloadError(TOKEN)])
async def test_whatever_a_transport_raises_is_a_network_error(
    family: ModuleType, error: Exception
) -> None:
    """It is the cause, cleaned of the token, and its class is in the message."""
    with pytest.raises(NetworkError) as caught:
        await ScriptedServer(family, error).client(retries=0).qr_code()
    assert f", {type(error).__name__}: " in str(caught.value)
    assert caught.value.__cause__ is error
    assert error.args == ("[redacted]",)


async def raise_for_status(response: Response) -> None:
    """Do as the documentation of httpx does in its example of a hook."""
    response.raise_for_status()


async def read_and_raise_for_status(response: Response) -> None:
    """Read the response first, as a hook does that logs it."""
    await response.aread()
    response.raise_for_status()


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ((401, b"", {}), AuthenticationError),
        ((302, b"", {"Location": "https://api.example/login"}), UnexpectedRedirect),
        ((429, b"", {"Retry-After": "60"}), RateLimited),
    ],
)
@pytest.mark.parametrize("hook", [raise_for_status, read_and_raise_for_status])
async def test_a_hook_that_raises_for_a_status_changes_no_meaning(
    family: ModuleType,
    hook: Hook,
    response: StaticResponse,
    expected: type[ResponseError],
) -> None:
    """The response is read as without the hook."""
    server = ScriptedServer(family, response)
    with pytest.raises(expected) as caught:
        await server.client(hook=hook).qr_code()
    assert caught.value.status_code == response[0]


@pytest.mark.parametrize("hook", [raise_for_status, read_and_raise_for_status])
async def test_a_hook_that_raises_for_a_status_ends_no_attempts(
    family: ModuleType, hook: Hook
) -> None:
    """A server that is down for a moment is asked again."""
    server = ScriptedServer(family, DOWN, CODE)
    assert (await server.client(hook=hook).qr_code()).payload == "2@code"


async def test_a_body_that_a_hook_has_read_counts(family: ModuleType) -> None:
    """The body tells more than the status."""
    server = ScriptedServer(family, (400, b'{"error": "You are already connected."}', {}))
    with pytest.raises(AlreadyConnected):
        await server.client(hook=read_and_raise_for_status).qr_code()


async def test_a_timeout_of_the_http_library_is_a_request_timeout(family: ModuleType) -> None:
    """A user-supplied client may have time-outs, such as for its pool."""
    server = ScriptedServer(family, family.PoolTimeout("full"))
    with pytest.raises(RequestTimeout):
        await server.client(retries=0).qr_code()


async def test_pauses_grow_and_are_jittered(family: ModuleType) -> None:
    """Half a second, one, two, then four each time, each with up to half a second more."""
    server = ScriptedServer(family, DOWN, DOWN, DOWN, DOWN, DOWN, CODE)
    await server.client(retries=5).qr_code()
    for pause, least in zip(server.pauses, [0.5, 1.0, 2.0, 4.0, 4.0], strict=True):
        assert least <= pause <= least + 0.51


async def test_retries_are_further_attempts(family: ModuleType) -> None:
    """`retries=2` makes three attempts, and the last failure is raised."""
    server = ScriptedServer(family, DOWN, DOWN, (503, b"", {}))
    with pytest.raises(ServerError) as caught:
        await server.client().qr_code()
    assert caught.value.status_code == 503
    assert len(server.at) == 3


async def test_no_retries_is_one_attempt(family: ModuleType) -> None:
    """`retries=0` switches further attempts off."""
    server = ScriptedServer(family, (200, b"{}", {}))
    with pytest.raises(QRNotReady):
        await server.client(retries=0).qr_code()


async def test_a_rate_limit_without_a_time_is_raised_immediately(family: ModuleType) -> None:
    """WhatsApp's limit lasts for minutes, and every request prolongs it."""
    server = ScriptedServer(family, DOWN, (429, b"", {}))
    with pytest.raises(RateLimited) as caught:
        await server.client(retries=5).qr_code()
    assert caught.value.retry_after is None


async def test_a_permanent_failure_is_not_retried(family: ModuleType) -> None:
    """A refused token stays refused, at the first attempt and at a later one."""
    server = ScriptedServer(family, (401, b"", {}))
    with pytest.raises(AuthenticationError):
        await server.client().qr_code()
    server = ScriptedServer(family, DOWN, (401, b"", {}))
    with pytest.raises(AuthenticationError):
        await server.client(retries=5).qr_code()


@pytest.mark.parametrize("seconds", [0, 3, 20])
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_obeyed_up_to_20_seconds(
    family: ModuleType, status: int, seconds: int
) -> None:
    """The pause is what the API asks for."""
    server = ScriptedServer(family, (status, b"", {"Retry-After": str(seconds)}), CODE)
    await server.client().qr_code()
    assert server.pauses == [seconds]


async def test_a_retry_after_may_be_a_date(family: ModuleType) -> None:
    """It counts from the moment of the call."""
    moment = datetime.now(UTC) + timedelta(seconds=15)
    headers = {"Retry-After": format_datetime(moment, usegmt=True)}
    server = ScriptedServer(family, (429, b"", headers), CODE)
    await server.client().qr_code()
    (pause,) = server.pauses
    assert 5 < pause <= 15


@pytest.mark.parametrize("before", [[], [DOWN]])
async def test_a_longer_retry_after_is_raised_immediately(
    family: ModuleType, before: list[Scripted]
) -> None:
    """The round's code would have expired before; the caller decides what to do."""
    server = ScriptedServer(family, *before, (429, b"", {"Retry-After": "21"}))
    with pytest.raises(RateLimited) as caught:
        await server.client(retries=5).qr_code()
    assert caught.value.retry_after == 21


async def test_the_deadline_is_for_each_attempt(family: ModuleType) -> None:
    """A server that never responds costs `timeout` for each attempt."""
    server = ScriptedServer(family, anyio.sleep_forever, anyio.sleep_forever)
    began = anyio.current_time()
    with pytest.raises(RequestTimeout, match=r"within 4 s: .* longer timeout$"):
        await server.client(timeout=4, retries=1).qr_code()
    assert 8.5 <= anyio.current_time() - began <= 9.1
    assert len(server.at) == 2


async def test_the_deadline_holds_to_the_last_byte(family: ModuleType) -> None:
    """A body that drips is cut off, and closed, when the time for the whole attempt is over."""
    closed: list[bool] = []

    class Drip(family.AsyncByteStream):  # type: ignore[misc, name-defined]  # either family's
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                await anyio.sleep(1)
                yield b"x"

        async def aclose(self) -> None:
            closed.append(True)

    async def drip() -> Response:
        response: Response = family.Response(200, stream=Drip())
        return response

    server = ScriptedServer(family, drip)
    began = anyio.current_time()
    with pytest.raises(RequestTimeout):
        await server.client(timeout=10, retries=0).qr_code()
    assert anyio.current_time() - began == pytest.approx(10, abs=0.01)
    assert closed == [True]


async def test_a_body_too_large_is_an_unexpected_response(family: ModuleType) -> None:
    """It is refused with the reason; a status that says more is believed."""
    server = ScriptedServer(family, (200, bytes(2**21), {}), (401, bytes(2**21), {}))
    with pytest.raises(UnexpectedResponse, match="larger than 1 MiB") as caught:
        await server.client().qr_code()
    assert caught.value.detail is None
    with pytest.raises(AuthenticationError):
        await server.client().qr_code()


async def test_a_body_that_is_given_up_is_closed_immediately(family: ModuleType) -> None:
    """Its rest is not read, and its connection is free before the error arrives."""
    closed: list[bool] = []
    given: list[int] = []

    class Large(family.AsyncByteStream):  # type: ignore[misc, name-defined]  # either family's
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                await anyio.sleep(0.1)
                given.append(2**16)
                yield bytes(2**16)

        async def aclose(self) -> None:
            closed.append(True)

    async def large() -> Response:
        response: Response = family.Response(200, stream=Large())
        return response

    with pytest.raises(UnexpectedResponse):
        await ScriptedServer(family, large).client().qr_code()
    assert closed == [True]
    assert sum(given) == 2**20 + 2**16


async def test_redirects_are_not_followed(family: ModuleType) -> None:
    """Neither by default nor by a client that was told to follow them."""
    server = ScriptedServer(family, (302, b"", {"Location": "https://login.example/x?y=z"}))
    http_client = server.http_client(follow_redirects=True)
    with pytest.raises(UnexpectedRedirect) as caught:
        await AsyncPlugChat(TOKEN, http_client=http_client).qr_code()
    assert caught.value.location == "login.example"
    assert len(server.at) == 1


async def test_one_debug_line_a_call(family: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    """Endpoint, status or failure, milliseconds, attempt; no more."""
    caplog.set_level(logging.DEBUG, logger="plugchat_async")
    server = ScriptedServer(family, family.ConnectError("boom"), DOWN, CODE)
    await server.client().qr_code()
    assert [
        record.getMessage() for record in caplog.records if record.name == "plugchat_async"
    ] == [
        "GET /qr-code: network_error in 0 ms, attempt 1",
        "GET /qr-code: 500 in 0 ms, attempt 2",
        "GET /qr-code: 200 in 0 ms, attempt 3",
    ]


async def test_the_debug_line_tells_how_long_an_attempt_took(
    family: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    """In milliseconds, each attempt by itself."""

    async def slow() -> Response:
        await anyio.sleep(1.5)
        response: Response = family.Response(200, content=CODE[1])
        return response

    caplog.set_level(logging.DEBUG, logger="plugchat_async")
    await ScriptedServer(family, DOWN, slow).client().qr_code()
    assert "GET /qr-code: 200 in 1500 ms, attempt 2" in caplog.messages


@pytest.mark.parametrize("method", ["disconnect", "restore_session", "restart"])
@pytest.mark.parametrize(
    ("failure", "error"),
    [(OSError("gone"), NetworkError), (anyio.sleep_forever, RequestTimeout), (DOWN, ServerError)],
    ids=["network", "timeout", "down"],
)
async def test_a_call_that_changes_something_is_sent_once(
    family: ModuleType, method: str, failure: Scripted, error: type[PlugChatError]
) -> None:
    """If no response arrived, the message says that it may have happened, and what to ask."""
    server = ScriptedServer(family, failure)
    with pytest.raises(error) as caught:
        await getattr(server.client(), method)()
    assert type(caught.value) is error
    may_have_happened = getattr(caught.value, "may_have_happened", False)
    assert may_have_happened == ("it all the same: ask status()" in str(caught.value))
    assert may_have_happened is (failure is not DOWN)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("seconds", "is_shown"), [(19, True), (21, False)])
async def test_a_code_that_has_expired_on_its_way_is_a_timeout(
    family: ModuleType, seconds: float, is_shown: bool
) -> None:
    """The gateway is too slow, so that a longer `timeout` is not advised."""

    async def respond() -> Response:
        await anyio.sleep(seconds)
        response: Response = family.Response(200, content=CODE[1])
        return response

    client = ScriptedServer(family, respond).client(timeout=60, retries=0)
    if is_shown:
        assert (await client.qr_code()).payload == "2@code"
        return
    with pytest.raises(RequestTimeout, match="longer to respond than a code is valid") as caught:
        await client.qr_code()
    assert "timeout" not in str(caught.value)


async def test_cancelling_a_call_raises_nothing_else(family: ModuleType) -> None:
    """A caller's scope ends the call immediately, and nothing else is raised."""
    server = ScriptedServer(family, anyio.sleep_forever)
    with anyio.move_on_after(3) as scope:
        await server.client(timeout=10).qr_code()
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    "responses",
    [
        lambda family: [family.ConnectError("boom")],
        lambda family: [anyio.sleep_forever],
        lambda family: [(403, f'{{"error": "Client-Token {TOKEN} not allowed"}}'.encode(), {})],
        lambda family: [(400, f"bad token {TOKEN[:12]}... given".encode(), {})],
        lambda family: [(500, b'{"error": "code 2@c2VjcmV0LWNvZGUtc2VjcmV0LWNvZGUtc2VjcmV0"}', {})],
        lambda family: [(302, b"", {"Location": f"https://{TOKEN}@x.example/{TOKEN}"})],
    ],
    ids=["network", "timeout", "echo", "piece", "code", "redirect"],
)
async def test_no_secret_is_in_an_error_or_its_traceback(
    family: ModuleType, responses: Callable[[ModuleType], list[Scripted]]
) -> None:
    """Nor in the locals of any frame that a traceback would render."""
    client = ScriptedServer(family, *responses(family)).client(retries=0)
    with pytest.raises(PlugChatError) as caught:
        await client.qr_code()
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    # The frame of this test has the responses; the SDK's begin below it.
    del frames.stack[0]
    rendered = "".join(frames.format()) + repr(caught.value) + repr(vars(caught.value))
    assert "plugchat_async" in rendered
    for secret in (TOKEN, TOKEN[:12], TOKEN[-12:], "c2VjcmV0"):
        assert secret not in rendered

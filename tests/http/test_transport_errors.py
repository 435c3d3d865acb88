"""Whatever a transport raises becomes an error of ours, with the original behind it, cleaned."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import h2.exceptions
import h11
import httpcore
import httpcore2
import httpx
import httpx2
import pytest
import socksio
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from anyio.abc import SocketStream
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from pydantic import BaseModel, ValidationError
from yarl import URL

from plugchat_async import (
    AsyncPlugChat,
    AuthenticationError,
    NetworkError,
    PlugChatError,
    RequestTimeout,
)
from tests.journeys.spellings import PAYLOAD, SECRETS, TOKEN
from tests.journeys.traces import Traces
from tests.raw_server import listen

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

BODY = b'{"value": "' + b"2@" + b"x" * 60 + b'"}'

PLACES = ["request hook", "request", "body", "close", "response hook"]

CALLS: dict[str, Callable[[AsyncPlugChat], Awaitable[object]]] = {
    "qr_code": AsyncPlugChat.qr_code,
    "qr_code_image": AsyncPlugChat.qr_code_image,
    "status": AsyncPlugChat.status,
    "device": AsyncPlugChat.device,
    "disconnect": AsyncPlugChat.disconnect,
}


def exception_classes(*modules: ModuleType) -> list[type[Exception]]:
    """List the exception classes of modules."""
    found = {
        value
        for module in modules
        for value in (getattr(module, name) for name in dir(module))
        if isinstance(value, type) and issubclass(value, Exception)
    }
    return sorted(found, key=lambda cls: (cls.__module__, cls.__qualname__))


class Response(BaseModel):
    """Model that a user's hook may read a body as."""

    value: bool


class Stubborn(Exception):
    """An exception whose words are out of reach."""

    def __str__(self) -> str:
        return f"no {PAYLOAD}"


class Touchy(Exception):
    """An exception that can't be shown without its attribute."""

    def __init__(self, request: httpx.Request) -> None:
        self.request = request

    def __str__(self) -> str:
        return self.request.headers["Authorization"]


class Unchangeable(Exception):
    """An exception that computes its arguments."""

    @property
    def args(self) -> tuple[object, ...]:
        """Return what no assignment changes."""
        return (TOKEN,)

    @args.setter
    def args(self, _: object) -> None:
        raise AttributeError("read-only")


class Computed(Exception):
    """An exception that takes other arguments, and shows its own all the same."""

    @property
    def args(self) -> tuple[object, ...]:
        """Return what no assignment changes."""
        return (TOKEN,)

    @args.setter
    def args(self, _: object) -> None:
        pass


CLASSES = [
    *exception_classes(
        httpx,
        httpx2,
        httpcore,
        httpcore2,
        h11,
        h2.exceptions,
        anyio,
        ssl,
        socksio,
        aiohttp.client_exceptions,
    ),
    *(ValueError, RuntimeError, KeyError, OSError, UnicodeEncodeError, UnicodeDecodeError),
    *(Stubborn, Touchy, Unchangeable, Computed),
]


REQUEST = httpx.Request("GET", "http://gateway.test", headers={"Authorization": TOKEN})
RESPONSE = httpx.Response(500, content=PAYLOAD.encode(), request=REQUEST)
CONNECTION = ConnectionKey(TOKEN, 80, False, True, None, None, None)
HEADERS = CIMultiDictProxy(CIMultiDict({"Authorization": TOKEN}))
PLACE_OF_TOKEN = URL("http://gateway.test").with_query(token=TOKEN)

# Tried in turn, until a class takes them.
ARGUMENTS: list[tuple[tuple[object, ...], dict[str, object]]] = [
    ((TOKEN,), {"request": REQUEST, "response": RESPONSE}),
    (
        (RequestInfo(PLACE_OF_TOKEN, "GET", HEADERS, PLACE_OF_TOKEN), ()),
        {"status": 400, "message": PAYLOAD, "headers": HEADERS},
    ),
    ((TOKEN, CONNECTION, OSError(5, TOKEN)), {}),
    ((CONNECTION, OSError(5, TOKEN)), {}),
    (("ascii", PAYLOAD, 0, 3, TOKEN), {}),
    (("utf-8", PAYLOAD.encode(), 0, 3, TOKEN), {}),
    ((5, TOKEN, PAYLOAD), {}),
    ((TOKEN,), {}),
    ((REQUEST,), {}),
    ((TOKEN.encode(), PAYLOAD.encode(), TOKEN, 80), {}),
    ((), {}),
]


def make(cls: type[Exception]) -> Exception:
    """Make an exception with a secret in each place where there is room for one."""
    attempts = (_attempt(cls, *arguments) for arguments in ARGUMENTS)
    error = next(filter(None, attempts), cls.__new__(cls, TOKEN))
    error.add_note(f"for {TOKEN}")
    vars(error)["found"] = [
        {"headers": [(b"authorization", TOKEN.encode())]},
        REQUEST,
        bytearray(PAYLOAD.encode()),
        KeyError(TOKEN),
    ]
    vars(error)["itself"] = [{TOKEN: vars(error)["found"]}]
    vars(error)["itself"].append(vars(error)["itself"])
    error.__cause__ = validation_error()
    error.__context__ = OSError(5, TOKEN, PAYLOAD)
    error.__context__.__context__ = validation_error()
    return error


def _attempt(
    cls: type[Exception], positional: tuple[object, ...], named: dict[str, object]
) -> Exception | None:
    try:
        return cls(*positional, **named)
    except (AttributeError, TypeError):
        return None


def validation_error() -> Exception:
    """Make an exception that has no dictionary, and so can't be changed."""
    try:
        Response.model_validate_json(f'{{"value": "{TOKEN}"}}'.replace("\\", ""))
    except ValidationError as error:
        return error
    raise AssertionError("unreachable")


exceptions = st.builds(make, st.sampled_from(CLASSES)) | st.builds(validation_error)
groups = st.recursive(
    exceptions,
    lambda members: st.builds(
        ExceptionGroup,
        st.sampled_from([TOKEN, "several"]),
        st.lists(members, min_size=1, max_size=3),
    ),
    max_leaves=4,
)


class Failing:
    """A transport, a body and hooks that raise an exception at one place."""

    def __init__(self, library: ModuleType, place: str, error: BaseException) -> None:
        self._library = library
        self._place = place
        self._error = error
        failing = self

        class Body(library.AsyncByteStream):  # type: ignore[name-defined,misc] # either library's
            async def __aiter__(self) -> AsyncIterator[bytes]:
                yield BODY[:20]
                failing._raise_at("body")
                yield BODY[20:]

            async def aclose(self) -> None:
                failing._raise_at("close")

        class Transport(library.AsyncBaseTransport):  # type: ignore[name-defined,misc] # likewise
            async def handle_async_request(self, _: httpx.Request) -> httpx.Response:
                failing._raise_at("request")
                response: httpx.Response = library.Response(200, stream=Body())
                return response

        self._transport = Transport()

    def http_client(self) -> httpx.AsyncClient:
        """Make a user's client that fails."""
        http_client: httpx.AsyncClient = self._library.AsyncClient(
            transport=self._transport,
            event_hooks={"request": [self._request_hook], "response": [self._response_hook]},
        )
        return http_client

    async def _request_hook(self, _: httpx.Request) -> None:
        self._raise_at("request hook")

    async def _response_hook(self, _: httpx.Response) -> None:
        self._raise_at("response hook")

    def _raise_at(self, place: str) -> None:
        headers = {"Authorization": TOKEN}  # a local that a traceback would show
        if self._place == place:
            raise self._error
        del headers


def all_behind(error: BaseException) -> Iterator[BaseException]:
    """Give an exception and all that can be reached from it."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, BaseException):
            yield found
            waiting += [found.__cause__, found.__context__, *found.args, *vars(found).values()]
            waiting += getattr(found, "exceptions", ())
        elif isinstance(found, list | tuple):
            waiting += found
        elif isinstance(found, Mapping):
            waiting += [*found.keys(), *found.values()]
        else:
            # An object of a library may have anything in it.
            assert found is None or isinstance(found, str | bytes | int | float | type), found


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(error=groups, place=st.sampled_from(PLACES), call=st.sampled_from(sorted(CALLS)))
async def test_whatever_is_raised_becomes_an_error_without_secrets(
    library: ModuleType, error: Exception, place: str, call: str
) -> None:
    """Neither the error nor what is behind it shows a token or a code, to whom it may be shown."""
    http_client = Failing(library, place, error).http_client()
    client = AsyncPlugChat(TOKEN, retries=0, http_client=http_client)
    with pytest.raises(PlugChatError) as caught:
        await CALLS[call](client)
    await http_client.aclose()
    cause = caught.value.__cause__
    assert cause is error or type(cause) in {Exception, ExceptionGroup}  # what can't be changed
    check_is_clean(caught.value)


@pytest.mark.parametrize("cls", [Stubborn, Touchy, Unchangeable, Computed])
async def test_an_exception_that_can_t_be_cleaned_is_replaced(cls: type[Exception]) -> None:
    """Its class is named, and nothing else is left of it."""
    http_client = Failing(httpx, "request", make(cls)).http_client()
    with pytest.raises(NetworkError) as caught:
        await AsyncPlugChat(TOKEN, retries=0, http_client=http_client).status()
    assert cls.__name__ in f"{caught.value.__cause__}"
    check_is_clean(caught.value)


class Own(Unchangeable, PlugChatError):
    """A user's error below ours, that can't be cleaned."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AuthenticationError(f"for {TOKEN}", status_code=401, detail=PAYLOAD), AuthenticationError),
        (RequestTimeout(TOKEN), RequestTimeout),
        (Own(), NetworkError),
    ],
    ids=["a response", "a time-out", "unchangeable"],
)
async def test_an_error_of_a_hook_that_makes_calls_itself_shows_no_secret(
    place: str, error: PlugChatError, expected: type[PlugChatError]
) -> None:
    """It is raised unchanged, if it can be cleaned: neither its text nor the frames show one."""
    http_client = Failing(httpx, place, error).http_client()
    with pytest.raises(expected) as caught:
        await AsyncPlugChat(TOKEN, retries=0, http_client=http_client).qr_code()
    check_is_clean(caught.value)


async def test_an_unusable_environment_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The frames that have the headers among their locals are dropped."""
    monkeypatch.setenv("NO_PROXY", "[::1")
    with pytest.raises(NetworkError, match="NO_PROXY") as caught:
        await AsyncPlugChat(TOKEN, retries=0).status()
    assert caught.value.is_local
    check_is_clean(caught.value)


async def test_an_exception_that_is_being_handled_stays_unchanged() -> None:
    """It is the caller's own, and becomes the context of ours."""
    http_client = Failing(httpx, "request", OSError(TOKEN)).http_client()
    handled = ValueError(f"see {TOKEN}")
    with pytest.raises(NetworkError):
        try:
            raise handled
        except ValueError:
            await AsyncPlugChat(TOKEN, retries=0, http_client=http_client).disconnect()
    assert handled.args == (f"see {TOKEN}",)
    assert handled.__traceback__ is not None


async def test_an_exception_that_ends_a_program_passes_unchanged() -> None:
    """An exception that is not an `Exception` leaves as itself; those beside it are cleaned."""
    interrupted = KeyboardInterrupt("by the operator")
    group = BaseExceptionGroup("stopped", [interrupted, OSError(TOKEN)])
    http_client = Failing(httpx, "request", group).http_client()
    with pytest.raises(BaseExceptionGroup) as caught:
        await AsyncPlugChat(TOKEN, retries=0, http_client=http_client).status()
    assert caught.value is group
    assert [each.args for each in group.exceptions] == [("by the operator",), ("[redacted]",)]


def check_is_clean(error: BaseException) -> None:
    """Check what an error shows to logs, crash reporters and other processes."""
    error = error.with_traceback(_without_tests(error))
    traces = Traces(SECRETS)
    traces.add_error(error)
    for each in all_behind(error):
        traces.add_object(each)
        traces.add(f"attributes of {type(each).__name__}", repr((each.args, vars(each))))
    assert traces.leaks() == {}


def _without_tests(error: BaseException) -> Any:
    """Return the traceback from the package on: the frames of a test have its secrets."""
    traceback = error.__traceback__
    while traceback and "plugchat_async" not in traceback.tb_frame.f_code.co_filename:
        traceback = traceback.tb_next
    return traceback


@asynccontextmanager
async def serve_http2(headers: list[tuple[str, str]]) -> AsyncGenerator[str]:
    """Respond to each request with some headers, over HTTP/2, and give the base URL."""

    async def respond(connection: SocketStream) -> None:
        http2 = H2Connection(H2Configuration(client_side=False, validate_outbound_headers=False))
        http2.initiate_connection()
        async with connection:
            async for received in connection:
                for event in http2.receive_data(received):
                    if isinstance(event, RequestReceived):
                        http2.send_headers(event.stream_id, headers, end_stream=True)
                await connection.send(http2.data_to_send())

    async with listen(respond) as port:
        yield f"http://127.0.0.1:{port}/api/whatsapp"


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
async def test_a_status_that_is_not_a_number_is_a_network_error(library: ModuleType) -> None:
    """Over HTTP/2 a library fails to read it, with an exception of another library."""
    async with (
        serve_http2([(":status", TOKEN)]) as base_url,
        library.AsyncClient(http1=False, http2=True) as http_client,
        AsyncPlugChat(TOKEN, base_url=base_url, retries=0, http_client=http_client) as client,
    ):
        with pytest.raises(NetworkError) as caught:
            await client.status()
    assert isinstance(caught.value.__cause__, ValueError)
    check_is_clean(caught.value)

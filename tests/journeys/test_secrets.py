"""Whatever a run leaves, no token and no code is in it: logs, errors, pages, processes, files."""

from __future__ import annotations

import gzip
import html
import io
import json
import logging
import os
import stat
import subprocess
import sys
import time
import warnings
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
import httpx
import httpx2
import pytest
from fastapi import FastAPI
from PIL import Image

from plugchat_async import (
    AlreadyConnected,
    AsyncPlugChat,
    AuthenticationError,
    Connected,
    InstanceNotFound,
    NetworkError,
    PairingHub,
    PasskeyRequired,
    PlugChatError,
    QRCode,
    QRNotReady,
    RateLimited,
    RequestTimeout,
    ServerError,
    ShowingCode,
    SubscriptionRequired,
    UnexpectedRedirect,
    UnexpectedResponse,
)
from plugchat_async.fastapi import pairing_router
from plugchat_async.sandbox import Sandbox
from plugchat_async.sandbox._answers import BY_NAME, Endpoint
from plugchat_async.sandbox._instance import Instance
from tests.app_server import serve_app, serve_plugchat
from tests.camera import read_symbol
from tests.keyword_arguments import ClientArguments
from tests.raw_server import serve_raw
from tests.server_sent_events import data_of

from .spellings import PAYLOAD, SECOND_TOKEN, SECRETS, SPELLED, TOKEN
from .traces import Traces, recording

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from typing import Unpack

    from anyio.abc import SocketStream


def test_a_secret_is_found_wherever_it_was_left(tmp_path: Path) -> None:
    """In a log, a warning, a file, an error and its causes, their locals and their pickle."""
    with recording(SECRETS) as traces:
        _leave_secrets_everywhere(tmp_path)
        try:
            _fail_beside(SECOND_TOKEN)
        except ValueError as error:
            traces.add_error(error)
        traces.add_files(tmp_path)
    places = {place for place, leaks in traces.leaks().items() if leaks}
    assert places >= {
        "log of hpack",
        "log of anything",
        "a warning",
        "a file's name",
        "the file code.txt",
        "repr of KeyError",
        "pickle of ValueError",
        "traceback of ValueError",
        "traceback of ValueError by Rich",
        f"frame of {__file__}, _fail_beside",
    }


def _leave_secrets_everywhere(folder: Path) -> None:
    logging.getLogger("hpack").debug("Adding %s", TOKEN)
    logging.getLogger("anything").debug("harmless", extra={"headers": {"authorization": TOKEN}})
    warnings.warn(f"deprecated: {TOKEN}", UserWarning, stacklevel=1)
    (folder / f"{TOKEN[:12]}.txt").touch()
    (folder / "code.txt").write_text(PAYLOAD, encoding="utf-8")


def _fail_beside(token: str) -> None:
    try:
        raise KeyError(token)
    except KeyError as error:
        raise ValueError(f"no such token: {token}") from error


# Every response that the family is known to give, and worse ones


@dataclass(frozen=True, slots=True)
class Hostile:
    """A response that repeats secrets, and the error that `qr_code()` raises for it."""

    error: type[PlugChatError]
    response: bytes = field(repr=False)
    logged_by: frozenset[str] = frozenset()


def http(body: str | bytes, status: str = "200 OK", *head: str) -> bytes:
    """Write a response."""
    content = body.encode() if isinstance(body, str) else body
    lines = (f"HTTP/1.1 {status}", *head, f"Content-Length: {len(content)}", "", "")
    return "\r\n".join(lines).encode() + content


def sentence(spell: Callable[[str], str] = str) -> str:
    """Repeat all secrets in words, as a careless gateway does."""
    spelled = [spell(secret) for secret in SECRETS.values()]
    return f"You sent {spelled[0]} and '{spelled[1]}' for code={spelled[2]}."


def blank_png() -> bytes:
    """Draw an image that has no code in it, and the secrets in its margin."""
    drawn = io.BytesIO()
    Image.new("L", (64, 64), "white").save(drawn, "PNG")
    return drawn.getvalue() + sentence().encode()


# docs/explanation/security.md: httpcore logs the head of a response, and lines that break HTTP,
# as they came (DEBUG);
# httpx logs the reason phrase (INFO).
IN_THE_HEAD = frozenset({"log of httpcore.http11"})
IN_THE_REASON = IN_THE_HEAD | {"log of httpx"}

ECHOED = quote(sentence(), safe=" '=")

HOSTILE = {
    # in the body
    "refused": Hostile(AuthenticationError, http(json.dumps({"error": sentence()}), "403 No")),
    "refused, URL-quoted": Hostile(
        AuthenticationError, http(json.dumps({"error": sentence(quote)}), "401 No")
    ),
    "unknown, as text": Hostile(InstanceNotFound, http(sentence(), "404 Not Found")),
    "connected": Hostile(
        AlreadyConnected,
        http(json.dumps({"message": f"You are already connected. {sentence()}"}), "409 Conflict"),
    ),
    "connected, under 200": Hostile(
        AlreadyConnected, http(json.dumps({"connected": True, "error": sentence()}))
    ),
    "passkey": Hostile(
        PasskeyRequired, http(json.dumps({"challenge": TOKEN, "message": sentence()}))
    ),
    "unpaid": Hostile(
        SubscriptionRequired, http(json.dumps({"error": f"subscribe again: {sentence()}"}), "400 x")
    ),
    "too many": Hostile(
        RateLimited,
        http(json.dumps({"errors": [sentence()]}), "429 Too Many Requests", "Retry-After: 0"),
    ),
    "down, with a page": Hostile(
        ServerError, http(f"<html>{sentence(html.escape)}", "502 Down", "Retry-After: 0")
    ),
    "down, with a sentence": Hostile(
        ServerError, http(json.dumps({"detail": sentence()}), "500 Down", "Retry-After: 0")
    ),
    "not yet": Hostile(QRNotReady, http(json.dumps({"value": None, "message": sentence()}))),
    "an expired code beside its error": Hostile(
        UnexpectedResponse, http(json.dumps({"value": PAYLOAD, "error": sentence()}))
    ),
    "a code that no symbol holds": Hostile(
        UnexpectedResponse, http(json.dumps({"value": PAYLOAD * 40}))
    ),
    "a sentence instead of a code": Hostile(
        UnexpectedResponse, http(json.dumps({"value": sentence()}))
    ),
    "a broken image": Hostile(
        UnexpectedResponse, http(json.dumps({"value": f"data:image/png;base64,{PAYLOAD}"}))
    ),
    "an image without a code": Hostile(UnexpectedResponse, http(blank_png())),
    "no JSON": Hostile(UnexpectedResponse, http('{"error": "' + sentence())),
    "too large": Hostile(UnexpectedResponse, http(sentence() * 10_000)),
    "compressed, and torn": Hostile(
        UnexpectedResponse,
        http(gzip.compress(sentence().encode())[:-9], "200 OK", "Content-Encoding: gzip"),
    ),
    "half a body": Hostile(NetworkError, http(sentence())[:-5]),
    "nothing": Hostile(NetworkError, b""),
    "a response that stalls": Hostile(RequestTimeout, http(sentence() + "stalls")[:-6]),
    # in the head
    "a header": Hostile(QRNotReady, http("{}", "200 OK", f"X-Echo: {ECHOED}"), IN_THE_HEAD),
    "a cookie": Hostile(QRNotReady, http("", "200 OK", f"Set-Cookie: t={ECHOED}"), IN_THE_HEAD),
    "the type": Hostile(QRNotReady, http("{}", "200 OK", f"Content-Type: {ECHOED}"), IN_THE_HEAD),
    "the encoding": Hostile(
        UnexpectedResponse, http("{}", "200 OK", f"Content-Encoding: {ECHOED}"), IN_THE_HEAD
    ),
    "the way in": Hostile(
        AuthenticationError,
        http("", "401 No", f'WWW-Authenticate: B realm="{ECHOED}"'),
        IN_THE_HEAD,
    ),
    "the reason": Hostile(AuthenticationError, http("", f"403 {ECHOED}"), IN_THE_REASON),
    "a redirect's query": Hostile(
        UnexpectedRedirect,
        http("", "302 Found", f"Location: https://login.example/?token={ECHOED}"),
        IN_THE_HEAD,
    ),
    "a redirect's user": Hostile(
        UnexpectedRedirect,
        http("", "307 Moved", f"Location: https://{quote(TOKEN, safe='')}@login.example/"),
        IN_THE_HEAD,
    ),
    "a redirect that is not a URL": Hostile(
        UnexpectedRedirect, http("", "303 x", f"Location: https://[{ECHOED}"), IN_THE_HEAD
    ),
    "a length": Hostile(NetworkError, http("", "200 OK", f"Content-Length: {ECHOED}")),
    "a transfer": Hostile(NetworkError, http("", "200 OK", f"Transfer-Encoding: {ECHOED}")),
    "a redirect's host": Hostile(
        UnexpectedRedirect,
        http("", "302 Found", f"Location: https://{quote(TOKEN, safe='')}.example/"),
        IN_THE_HEAD,
    ),
    "a moment to come back": Hostile(
        InstanceNotFound, http("", "404 x", f"Retry-After: {ECHOED}"), IN_THE_HEAD
    ),
    "a broken status line": Hostile(
        NetworkError, f"HTTP/1.1 {ECHOED}\r\n\r\n".encode(), IN_THE_HEAD
    ),
    "a broken header": Hostile(
        NetworkError, f"HTTP/1.1 200 OK\r\n{ECHOED}\r\n\r\n".encode(), IN_THE_HEAD
    ),
    "a broken chunk": Hostile(
        NetworkError,
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{ECHOED}\r\n".encode(),
        IN_THE_HEAD,
    ),
    **{
        f"refused, in {name}": Hostile(
            AuthenticationError,
            http(json.dumps({"error": sentence(SPELLED[name])}), "403 No"),
        )
        for name in (
            "base64",
            "base64 after a byte",
            "base64 of URLs",
            "hex",
            "HTML",
            "JSON",
            "repr",
        )
    },
}


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Generator[Traces]:
    """Record what a test leaves, and know each code that a sandbox issues.

    The private `Instance.issue` is watched: codes leave a sandbox as text and as images in many
    forms, and a test that decodes them would need the decoder that it tests.
    """
    issue = Instance.issue
    with recording(SECRETS) as traces:

        def overheard(instance: Instance) -> str:
            payload = issue(instance)
            traces.hide(f"the code of {time.monotonic()}", payload)
            return payload

        monkeypatch.setattr(Instance, "issue", overheard)
        yield traces


@pytest.fixture
def anyio_backend(anyio_backend: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let asyncio talk, as it does in its debug mode."""
    name, options = anyio_backend
    return name, {"debug": True} if name == "asyncio" else options


def respond_as(name: str) -> Callable[[SocketStream], Awaitable[None]]:
    """Respond to every request in the same way, and hang up; the one that stalls never does."""

    async def handle(connection: SocketStream) -> None:
        await connection.send(HOSTILE[name].response)
        if HOSTILE[name].error is RequestTimeout:
            await anyio.sleep_forever()
        await connection.aclose()

    return handle


def client_for(base_url: str, **options: Unpack[ClientArguments]) -> AsyncPlugChat:
    """Make a client with both secrets."""
    return AsyncPlugChat(
        TOKEN, base_url=base_url, headers={"Client-Token": SECOND_TOKEN}, **options
    )


@pytest.mark.anyio
@pytest.mark.parametrize("name", HOSTILE)
async def test_no_echo_of_a_secret_is_left(name: str, traces: Traces) -> None:
    """However a gateway repeats it, it is in no error, log, repr, warning or traceback."""
    timeout = 0.1 if HOSTILE[name].error is RequestTimeout else 5
    retries = int(issubclass(HOSTILE[name].error, RateLimited | ServerError))
    async with (
        serve_raw(respond_as(name)) as base_url,
        client_for(base_url, timeout=timeout, retries=retries) as client,
    ):
        with pytest.raises(PlugChatError) as caught:
            await client.qr_code()
        traces.add_error(caught.value)
        for call in (client.qr_code_image, client.status):
            await leave(traces, call)
    assert type(caught.value) is HOSTILE[name].error
    assert set(traces.leaks()) == HOSTILE[name].logged_by


async def leave(traces: Traces, call: Callable[[], Awaitable[object]]) -> None:
    """Make a call, and keep what it leaves, whether it succeeds or fails."""
    try:
        traces.add_object(await call())
    except PlugChatError as error:
        traces.add_error(error)


def test_every_class_of_errors_is_provoked() -> None:
    """Each class without subclasses is raised for one of the responses."""
    leaves = {cls for cls in _below(PlugChatError) if not _public_subclasses(cls)}
    assert {hostile.error for hostile in HOSTILE.values()} == leaves | {NetworkError}


def _below(cls: type[PlugChatError]) -> list[type[PlugChatError]]:
    return [cls, *(each for below in _public_subclasses(cls) for each in _below(below))]


def _public_subclasses(cls: type[PlugChatError]) -> list[type[PlugChatError]]:
    # Other tests make some, too.
    return [each for each in cls.__subclasses__() if each.__module__ == cls.__module__]


@pytest.mark.anyio
@pytest.mark.parametrize("family", ["httpx", "httpx2"])
@pytest.mark.parametrize("name", ["refused", "a redirect's query", "half a body", "nothing"])
async def test_no_echo_is_left_over_a_user_supplied_client(
    name: str, family: str, traces: Traces
) -> None:
    """The SDK adds nothing to what such a client logs by itself."""
    make = {"httpx": httpx.AsyncClient, "httpx2": httpx2.AsyncClient}[family]
    async with serve_raw(respond_as(name)) as base_url, make() as http_client:
        client = client_for(base_url, http_client=http_client, retries=0)
        for call in (client.qr_code, client.qr_code_image, client.status):
            await leave(traces, call)
    places = {place.replace("httpcore2", "httpcore") for place in traces.leaks()}
    assert places == HOSTILE[name].logged_by


@pytest.mark.anyio
async def test_no_response_of_the_sandbox_leaves_a_secret(traces: Traces) -> None:
    """Every response by its name, on every endpoint, with the code that it carries."""
    sandbox = Sandbox()
    async with sandbox.serve() as base_url, client_for(base_url, retries=0) as client:
        calls: dict[Endpoint, Callable[[], Awaitable[object]]] = {
            "/qr-code": client.qr_code,
            "/qr-code/image": client.qr_code_image,
            "/status": client.status,
        }
        for name, response in BY_NAME.items():
            for endpoint in calls.keys() & response.endpoints:
                sandbox.answer_next(name, endpoint=endpoint)
                await leave(traces, calls[endpoint])
    assert {call.answer for call in sandbox.calls} == {
        name for name, response in BY_NAME.items() if calls.keys() & response.endpoints
    }
    assert traces.leaks() == {}


@pytest.mark.anyio
async def test_a_caller_who_gives_up_leaves_no_secret(traces: Traces) -> None:
    """The frames that the cancellation came through hold none."""
    async with (
        serve_raw(respond_as("a response that stalls")) as base_url,
        client_for(base_url) as client,
    ):
        with pytest.raises(TimeoutError) as caught, anyio.fail_after(0.1):
            await client.qr_code()
    traces.add_error(caught.value)
    assert traces.leaks() == {}


@pytest.mark.anyio
async def test_sessions_and_states_leave_no_secret(traces: Traces) -> None:
    """In their reprs: client, session, hub, watcher, states and codes."""
    sandbox = Sandbox()
    async with (
        sandbox.serve() as base_url,
        client_for(base_url) as client,
        PairingHub(status_interval=0.05) as hub,
        hub.watch(client) as states,
    ):
        pairing = client.pairing(status_interval=0.05)
        for shown in (client, vars(client), hub, states, pairing, sandbox):
            traces.add_object(shown)
        while not isinstance(state := await anext(states), Connected):
            traces.add_object(state)
            if isinstance(state, ShowingCode):
                for drawn in (state.qr.svg(), state.qr.terminal(), state.qr.png()):
                    traces.add("a drawing", drawn)
                assert sandbox.scan(state.qr.payload)
        traces.add_object(state)
        sandbox.answer_next("forbidden")
        with pytest.raises(AuthenticationError):
            await pairing.wait()
        traces.add_object(pairing)
        traces.add_object(sandbox.calls)
    assert traces.leaks() == {}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: AsyncPlugChat(f"{TOKEN}\n{SECOND_TOKEN}"), id="token"),
        pytest.param(lambda: AsyncPlugChat(TOKEN, base_url="http://plain.example"), id="base_url"),
        pytest.param(
            lambda: AsyncPlugChat(TOKEN, headers={"Client-Token": f"{SECOND_TOKEN}\n?"}),
            id="headers",
        ),
        pytest.param(
            lambda: AsyncPlugChat(TOKEN, headers={"Client-Token": SECOND_TOKEN}, timeout=-1),
            id="timeout",
        ),
        pytest.param(lambda: AsyncPlugChat(TOKEN).for_token(f"\0{SECOND_TOKEN}"), id="for_token"),
        pytest.param(lambda: QRCode(payload=PAYLOAD * 40).svg(), id="payload"),
    ],
)
def test_a_refused_argument_leaves_no_secret(make: Callable[[], object], traces: Traces) -> None:
    """Whatever is wrong with it, or with the argument beside it."""
    with pytest.raises(ValueError) as caught:
        make()
    traces.add_error(caught.value)
    assert traces.leaks() == {}


# The page


@contextmanager
def page(plugchat_url: str) -> Generator[str]:
    """Serve an app with the page over a socket."""
    client = client_for(plugchat_url)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with client:
            yield

    app = FastAPI(lifespan=lifespan)
    router = pairing_router(lambda: client, dependencies=[])
    app.include_router(router, prefix="/whatsapp")
    with serve_app(app) as port:
        yield f"http://127.0.0.1:{port}/whatsapp"


@pytest.fixture
def served() -> Generator[tuple[Sandbox, str]]:
    """Serve a sandbox over a socket."""
    sandbox = Sandbox()
    with serve_plugchat(sandbox) as base_url:
        yield sandbox, base_url


def test_the_page_leaves_no_secret(served: tuple[Sandbox, str], traces: Traces) -> None:
    """Its document, its events and its symbol: the code is drawn, and never written."""
    sandbox, base_url = served
    with page(base_url) as url, httpx.Client(timeout=60) as browser:

        def keep(response: httpx.Response) -> httpx.Response:
            traces.add(f"{response.request.method} {response.url.path}", repr(response.headers.raw))
            return response

        for language in ("en", "pt-BR"):
            document = keep(browser.get(url, headers={"Accept-Language": language}))
            traces.add("the page", document.content)

        def keep_line(line: str) -> str:
            traces.add("an event", line)
            return line

        with browser.stream("GET", f"{url}/events") as response:
            lines = map(keep_line, keep(response).iter_lines())
            code = data_of("code", lines)
            traces.add("the symbol", keep(browser.get(f"{url}/qr.svg")).content)
            assert sandbox.scan(read_symbol(code["svg"]))
            data_of("connected", lines)
        sandbox.answer_next("forbidden")
        keep(browser.post(f"{url}/restart"))
        with browser.stream("GET", f"{url}/events") as response:
            lines = map(keep_line, keep(response).iter_lines())
            assert data_of("failed", lines)["code"] == AuthenticationError.code
    assert traces.leaks() == {}


# The command


@dataclass(frozen=True, slots=True)
class Terminal:
    """Run the command as a process, with a separate home that starts empty."""

    home: Path
    environment: dict[str, str] = field(repr=False)

    def run(self, traces: Traces, *arguments: str) -> str:
        """Keep what a process leaves, and give its standard output, which is left out."""
        with subprocess.Popen(
            [sys.executable, "-P", "-X", "dev", "-m", "plugchat_async", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.home,
            env=self.environment,
        ) as process:
            listed = subprocess.check_output(["ps", "-o", "args=", "-p", str(process.pid)])
            assert arguments[0].encode() in listed
            traces.add("the list of processes", listed)
            out, err = process.communicate(timeout=60)
        traces.add("standard error", err)
        traces.add_files(self.home)
        return out.decode("utf-8", "replace")


@pytest.fixture
def terminal(tmp_path: Path, served: tuple[Sandbox, str]) -> Terminal:
    """Give a process all it needs, the token among its variables."""
    _, base_url = served
    programs, home = tmp_path / "programs", tmp_path / "home"
    for folder in (programs, home):
        folder.mkdir()
    viewer = programs / "xdg-open"
    viewer.write_text(
        '#!/bin/sh\nenv >"$HOME/child.environment"\necho "$@" >"$HOME/child.arguments"\n'
    )
    viewer.chmod(0o700)
    environment = {
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PLUGCHAT_BASE_URL": base_url,
        "PLUGCHAT_TOKEN": TOKEN,
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "TMPDIR": str(home),
    }
    return Terminal(home, environment)


@pytest.mark.parametrize(
    "arguments",
    [
        "status",
        "qr",
        "qr --output code.svg",
        "image",
        "pair --interval 0.2 --output code.png",
    ],
)
def test_a_command_leaves_no_secret(terminal: Terminal, traces: Traces, arguments: str) -> None:
    """Its output, its arguments and its files: codes are drawn, and never written."""
    out = terminal.run(traces, *arguments.split())
    assert out or "--output" in arguments
    traces.add("standard output", out)
    assert traces.leaks() == {}


@pytest.mark.parametrize(
    "arguments",
    [
        "status --debug",
        "status --json",
        "qr --debug --json",
        "image --debug",
        "pair --debug --json",
    ],
)
def test_a_command_that_fails_leaves_no_secret(
    terminal: Terminal, traces: Traces, served: tuple[Sandbox, str], arguments: str
) -> None:
    """Its sentences, its JSON and its traceback, while the gateway repeats the token."""
    sandbox, _ = served
    sandbox.answer_next("forbidden")
    traces.add("standard output", terminal.run(traces, *arguments.split()))
    assert [call.answer for call in sandbox.calls] == ["forbidden"]
    assert traces.leaks() == {}


@pytest.mark.parametrize("arguments", ["qr --json", "pair --json --interval 0.2"])
def test_a_code_is_written_for_scripts_and_nowhere_else(
    terminal: Terminal, traces: Traces, served: tuple[Sandbox, str], arguments: str
) -> None:
    """Under `payload`, as `plugchat pair --help` documents, and no token with it."""
    printed = [json.loads(line) for line in terminal.run(traces, *arguments.split()).splitlines()]
    codes = [event.pop("payload") for event in printed if "payload" in event]
    assert any(served[0].scan(code) for code in codes)
    traces.add("standard output", json.dumps(printed))
    assert traces.leaks() == {}


def test_a_token_of_a_file_leaves_it_nowhere_else(terminal: Terminal, traces: Traces) -> None:
    """Only the path is an argument."""
    file = terminal.home.with_name("token")
    file.touch(stat.S_IRUSR | stat.S_IWUSR)
    file.write_text(TOKEN, encoding="ascii")
    del terminal.environment["PLUGCHAT_TOKEN"]
    traces.add("standard output", terminal.run(traces, "status", "--token-file", str(file)))
    assert traces.leaks() == {}


def test_a_viewer_is_given_no_secret(terminal: Terminal, traces: Traces) -> None:
    """The program that `--open` starts has it neither in its arguments nor in its environment."""
    traces.add(
        "standard output",
        terminal.run(traces, "pair", "--open", "--output", "code.png", "--interval", "1"),
    )
    assert (terminal.home / "child.arguments").read_text("utf-8").strip().endswith("code.png")
    assert "HOME=" in (terminal.home / "child.environment").read_text("utf-8")
    assert traces.leaks() == {}

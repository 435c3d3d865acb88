"""The routes over a socket: who gets in, what they see, and when they are gone."""

from __future__ import annotations

import time
import tracemalloc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import anyio
import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request, Response

from plugchat_async import AsyncPlugChat, PairingEnd, PairingHub, PairingOutcome, QRCode
from plugchat_async.fastapi import pairing_router
from plugchat_async.sandbox import Sandbox
from tests.camera import read_symbol
from tests.keyword_arguments import HubArguments
from tests.sandbox_calls import codes_requested

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
    from typing import Unpack

    from fastapi import params
    from starlette.types import Message, Scope

    from .conftest import Listen, Serve, Serving

ROUTES = [
    ("GET", "/whatsapp"),
    ("GET", "/whatsapp/"),
    ("GET", "/whatsapp/events"),
    ("POST", "/whatsapp/restart"),
    ("GET", "/whatsapp/qr.svg"),
]


@asynccontextmanager
async def opened(hub: PairingHub) -> AsyncGenerator[None]:
    """Keep a hub open, as an app's lifespan does."""
    async with hub:
        yield


def app_with(
    sandbox: Sandbox, hub: PairingHub | None = None, *, dependencies: Sequence[params.Depends] = ()
) -> FastAPI:
    """Make an app with the page, for tenants that say who they are by a header."""

    def get_client(tenant: Annotated[str, Header()] = "tenant-a") -> AsyncPlugChat:
        return sandbox.client(tenant)

    lifespan = None if hub is None else lambda _: opened(hub)
    app = FastAPI(lifespan=lifespan)
    app.include_router(
        pairing_router(get_client, dependencies=dependencies, hub=hub), prefix="/whatsapp"
    )
    return app


def quick(**settings: Unpack[HubArguments]) -> PairingHub:
    """Make a hub whose sessions are over in no time."""
    arguments: HubArguments = {"interval": 0.2, "status_interval": 0.05, "linger": 0.2, **settings}
    return PairingHub(**arguments)


# What a viewer sees.


def test_a_phone_is_linked_from_the_page(sandbox: Sandbox, serve: Serve, listen: Listen) -> None:
    """The router opens a separate hub, and sends each state as an event."""
    url = serve(app_with(sandbox))
    assert httpx.get(f"{url}/whatsapp").status_code == 200
    events = listen(f"{url}/whatsapp/events")
    code = events.until("code")
    assert (code["round"], code["rounds"], code["valid_for"]) == (1, 3, 20)
    assert 0 < code["expires_in"] <= 20
    assert sandbox.scan(read_symbol(code["svg"]))
    assert events.until("connected") == {"already": False}


def test_a_phone_that_is_linked_already(sandbox: Sandbox, serve: Serve, listen: Listen) -> None:
    """The page is told so, without a code."""
    sandbox.answer_next("already_connected")
    events = listen(serve(app_with(sandbox)) + "/whatsapp/events")
    assert events.until("connected") == {"already": True}


def test_after_the_last_round_the_button_starts_again(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """It has to be pressed: pages that reconnect see the ending, and request no code."""
    url = serve(app_with(sandbox, quick(interval=1)))
    events, another = listen(f"{url}/whatsapp/events"), listen(f"{url}/whatsapp/events")
    assert events.until("expired") == {}
    another.until("expired")
    assert listen(f"{url}/whatsapp/events").until("expired") == {}
    assert codes_requested(sandbox) == 3
    assert httpx.post(f"{url}/whatsapp/restart").status_code == 204
    listen(f"{url}/whatsapp/events").until("code")
    assert codes_requested(sandbox) > 3


def test_a_failure_is_told_with_its_error_code_and_the_button_tries_again(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """It may be tried again at any time, since PlugChat set no limit."""
    sandbox.answer_next("unauthorized")
    url = serve(app_with(sandbox))
    failed = listen(f"{url}/whatsapp/events").until("failed")
    assert failed["code"] == "authentication_error"
    assert (failed["retry_at"], failed["retry_in"]) == (None, None)
    assert failed["message"]
    httpx.post(f"{url}/whatsapp/restart")
    assert listen(f"{url}/whatsapp/events").until("code")["round"] == 1


def test_a_late_viewer_is_told_what_is_left_of_the_code(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """The same symbol, with fewer seconds, and no further code requested."""
    url = serve(app_with(sandbox))
    early = listen(f"{url}/whatsapp/events").until("code")
    time.sleep(0.5)
    late = listen(f"{url}/whatsapp/events").until("code")
    assert late["svg"] == early["svg"]
    assert late["expires_in"] <= early["expires_in"] - 0.5
    assert codes_requested(sandbox) == 1


def test_tenants_see_their_own_codes(sandbox: Sandbox, serve: Serve, listen: Listen) -> None:
    """Even if they look simultaneously."""
    url = serve(app_with(sandbox))
    symbols = {
        listen(f"{url}/whatsapp/events", headers={"tenant": tenant}).until("code")["svg"]
        for tenant in ("a", "b", "a")
    }
    assert len(symbols) == 2


def test_the_symbol_is_drawn_once_a_code_and_not_once_a_viewer(
    sandbox: Sandbox,
    serve: Serve,
    listen: Listen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fifty viewers and the image's URL share one drawing."""
    drawn = []
    draw = QRCode.svg

    def counted(code: QRCode) -> str:
        drawn.append(code.round)
        return draw(code)

    monkeypatch.setattr(QRCode, "svg", counted)
    url = serve(app_with(sandbox, quick(interval=20)))
    viewers = [listen(f"{url}/whatsapp/events") for _ in range(50)]
    [symbol] = {viewer.until("code")["svg"] for viewer in viewers}
    assert httpx.get(f"{url}/whatsapp/qr.svg").text == symbol
    assert drawn == [1]
    assert sandbox.scan(read_symbol(symbol))
    for viewer in viewers:
        viewer.until("connected")
    sandbox.disconnect("tenant-a")
    httpx.post(f"{url}/whatsapp/restart")
    viewers = [listen(f"{url}/whatsapp/events") for _ in range(50)]
    assert {viewer.until("code")["svg"] for viewer in viewers} != {symbol}
    assert drawn == [1, 1]


def test_the_current_code_as_an_image(sandbox: Sandbox, serve: Serve, listen: Listen) -> None:
    """It starts nothing by itself; while somebody looks, it is the code that they see."""
    url = serve(app_with(sandbox, quick(interval=20)))
    image = f"{url}/whatsapp/qr.svg"
    assert httpx.get(image).status_code == 404
    assert codes_requested(sandbox) == 0
    events = listen(f"{url}/whatsapp/events")
    code = events.until("code")
    response = httpx.get(image)
    assert response.headers["content-type"] == "image/svg+xml"
    assert response.text == code["svg"]
    assert httpx.get(image, headers={"tenant": "b"}).status_code == 404
    assert sandbox.scan(read_symbol(response.text))
    events.until("connected")
    assert httpx.get(image).status_code == 404


def test_an_expired_code_has_no_image(
    sandbox: Sandbox, serve: Serve, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example when the next one is late."""
    url = serve(app_with(sandbox))
    listen(f"{url}/whatsapp/events").until("code")
    monkeypatch.setattr(QRCode, "is_expired", True)
    assert httpx.get(f"{url}/whatsapp/qr.svg").status_code == 404


def test_nothing_that_leaves_holds_the_token_or_the_text_of_a_code(
    serve: Serve, listen: Listen
) -> None:
    """The browser gets the symbol, and no more."""
    sandbox = Sandbox(tokens=["tenant-a"])
    url = serve(app_with(sandbox))
    events = listen(f"{url}/whatsapp/events")
    code = events.until("code")
    payload = read_symbol(code["svg"])
    page = httpx.get(f"{url}/whatsapp")
    left = f"{page.headers}{page.text}{events.response.headers}{code}"
    for secret in ("tenant-a", payload, payload.partition(",")[0], payload[-20:]):
        assert secret not in left


# When a stream ends.


def test_a_stream_ends_with_the_ending_that_it_told(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """Later sessions are seen only by those who pass the dependencies again."""
    sandbox.answer_next("already_connected")
    events = listen(serve(app_with(sandbox)) + "/whatsapp/events")
    assert events.until("connected") == {"already": True}
    assert "event:" not in events.rest()


def test_each_event_has_an_id_of_its_state(sandbox: Sandbox, serve: Serve, listen: Listen) -> None:
    """All who watch a session see the same."""
    url = serve(app_with(sandbox))
    streams = [listen(f"{url}/whatsapp/events") for _ in range(2)]
    symbol = listen(f"{url}/whatsapp/events").until("code")["svg"]
    [code] = {stream.id_of("code") for stream in streams}
    assert sandbox.scan(read_symbol(symbol))
    [ending] = {stream.id_of("connected") for stream in streams}
    assert code != ending


def test_a_browser_that_reconnects_after_an_ending_is_told_to_stop(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """An `EventSource` that nobody closes makes one more request, and no call of the API.

    To another tenant, that ending means nothing.
    """
    sandbox.answer_next("unauthorized")
    address = serve(app_with(sandbox)) + "/whatsapp/events"
    known = {"last-event-id": listen(address).id_of("failed")}
    calls = len(sandbox.calls)
    again = httpx.get(address, headers=known)
    assert (again.status_code, again.content) == (204, b"")
    assert "no-store" in again.headers["cache-control"]
    assert len(sandbox.calls) == calls
    assert listen(address, headers={**known, "tenant": "tenant-b"}).until("code")["round"] == 1


def test_a_browser_that_reconnects_to_a_running_session_sees_it(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """Whatever it saw last, be it an ending."""
    sandbox.answer_next("unauthorized")
    url = serve(app_with(sandbox))
    ending = listen(f"{url}/whatsapp/events").id_of("failed")
    httpx.post(f"{url}/whatsapp/restart")
    current = listen(f"{url}/whatsapp/events").id_of("code")
    for seen in (ending, current):
        again = listen(f"{url}/whatsapp/events", headers={"last-event-id": seen})
        assert again.until("code")["round"] == 1


def test_on_end_has_finished_when_a_page_is_told(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """The function is called once, whoever watches."""
    stored: list[PairingEnd] = []

    async def remember(_: AsyncPlugChat, ending: PairingEnd) -> None:
        stored.append(ending)

    app = FastAPI()
    client = sandbox.client("tenant-a")
    app.include_router(
        pairing_router(lambda: client, dependencies=[], on_end=remember), prefix="/whatsapp"
    )
    address = serve(app) + "/whatsapp/events"
    viewers = [listen(address) for _ in range(3)]
    [symbol] = {viewer.until("code")["svg"] for viewer in viewers}
    assert sandbox.scan(read_symbol(symbol))
    for viewer in viewers:
        viewer.until("connected")
        assert [ending.outcome for ending in stored] == [PairingOutcome.CONNECTED]


# Who gets in.


def refuse() -> None:
    """Refuse, as a login does."""
    raise HTTPException(401, "log in first")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_asks_for_what_the_app_asks_for(
    sandbox: Sandbox, serve: Serve, method: str, path: str
) -> None:
    """Nobody passes who is not let in, and nothing is started for them."""
    url = serve(app_with(sandbox, dependencies=[Depends(refuse)]))
    assert httpx.request(method, url + path).status_code == 401
    assert sandbox.calls == ()


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_client_that_cannot_be_had_is_fastapis_own_error(
    serve: Serve, method: str, path: str
) -> None:
    """It comes as a response, before any stream or page."""

    async def get_client() -> AsyncPlugChat:
        raise HTTPException(402, "no plan with WhatsApp")

    app = FastAPI()
    app.include_router(pairing_router(get_client, dependencies=[]), prefix="/whatsapp")
    response = httpx.request(method, serve(app) + path)
    assert response.status_code == 402
    assert response.json() == {"detail": "no plan with WhatsApp"}


def test_the_client_may_come_from_any_kind_of_dependency(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """Such as one that closes it when the request is over."""

    async def get_client() -> AsyncGenerator[AsyncPlugChat]:
        async with sandbox.client().for_token("tenant-a") as client:
            yield client

    app = FastAPI()
    app.include_router(pairing_router(get_client, dependencies=[]), prefix="/whatsapp")
    assert listen(serve(app) + "/whatsapp/events").until("code")["round"] == 1


def test_the_choice_to_leave_the_page_open_is_written_out(sandbox: Sandbox) -> None:
    """Whoever opens the page can link a phone."""
    with pytest.raises(TypeError, match="dependencies"):
        pairing_router(sandbox.client)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "arguments",
    [
        {"dependencies": None},
        {"dependencies": Depends(refuse)},
        {"dependencies": [refuse]},
        {"dependencies": [], "hub": "a hub"},
        {"dependencies": [], "on_end": "a function"},
    ],
)
def test_a_router_that_was_told_nonsense_is_refused_immediately(
    sandbox: Sandbox, arguments: dict[str, object]
) -> None:
    """Above all, nothing but an empty list leaves the page open."""
    with pytest.raises(TypeError, match="must be a"):
        pairing_router(sandbox.client, **arguments)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("client", [None, "a token"])
def test_a_client_that_is_not_a_function_is_refused(client: object) -> None:
    """With what it has to be."""
    with pytest.raises(TypeError, match="get_client must be a function that returns"):
        pairing_router(client, dependencies=[])  # type: ignore[arg-type]  # on purpose


def test_a_hub_has_its_own_on_end(sandbox: Sandbox) -> None:
    """It would be unclear which of two is called."""
    with pytest.raises(ValueError, match=r"PairingHub\(on_end="):
        pairing_router(
            sandbox.client, dependencies=[], hub=PairingHub(), on_end=lambda _, ending: None
        )


def test_a_button_of_another_origin_is_refused(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """Another site's page can't request codes."""
    sandbox.answer_next("unauthorized")
    url = serve(app_with(sandbox))
    listen(f"{url}/whatsapp/events").until("failed")
    asked = len(sandbox.calls)
    elsewhere = {"origin": "https://elsewhere.example"}
    assert httpx.post(f"{url}/whatsapp/restart", headers=elsewhere).status_code == 403
    time.sleep(0.1)
    assert len(sandbox.calls) == asked


def test_viewers_beyond_the_limit_are_told_to_come_back(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """Before a stream starts; the others go on, and so does another tenant."""
    url = serve(app_with(sandbox, PairingHub(max_watchers=2)))
    viewers = [listen(f"{url}/whatsapp/events") for _ in range(2)]
    with httpx.Client() as client:
        for _ in range(500):
            refused = client.get(f"{url}/whatsapp/events")
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
    assert listen(f"{url}/whatsapp/events", headers={"tenant": "b"}).until("code")
    assert [viewer.until("code")["round"] for viewer in viewers] == [1, 1]


def test_nothing_is_kept_and_nothing_is_told_on(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """Neither by a cache of any kind, nor in a `Referer`; not of a refusal either."""
    url = serve(app_with(sandbox, PairingHub(max_watchers=1)))
    events = listen(f"{url}/whatsapp/events")
    events.until("code")
    assert events.response.headers["content-type"].startswith("text/event-stream")
    responses = [
        events.response,
        httpx.get(f"{url}/whatsapp"),
        httpx.get(f"{url}/whatsapp/qr.svg"),
        httpx.get(f"{url}/whatsapp/qr.svg", headers={"tenant": "b"}),
        httpx.get(f"{url}/whatsapp/events"),
        httpx.post(f"{url}/whatsapp/restart"),
        httpx.post(f"{url}/whatsapp/restart", headers={"Origin": "https://other.example"}),
    ]
    assert [response.status_code for response in responses] == [200, 200, 200, 404, 503, 204, 403]
    for response in responses:
        assert "no-store" in response.headers["cache-control"]
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'self'" in response.headers["content-security-policy"]


def test_no_proxy_compresses_or_holds_back_the_events(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """Nginx buffers responses, and others compress them, unless they are told not to."""
    headers = listen(serve(app_with(sandbox)) + "/whatsapp/events").response.headers
    assert {"no-store", "no-transform"} <= set(headers["cache-control"].split(", "))
    assert set(headers["x-accel-buffering"].split(", ")) == {"no"}


# Places that the page may be mounted in.


@pytest.mark.parametrize("path", ["/whatsapp", "/whatsapp/"])
def test_the_page_is_there_with_and_without_a_slash(
    sandbox: Sandbox, serve: Serve, path: str
) -> None:
    """Without a redirect, which a proxy in front might get wrong."""
    url = serve(app_with(sandbox))
    assert httpx.get(url + path).status_code == 200


def test_the_page_names_no_address(sandbox: Sandbox, serve: Serve) -> None:
    """So that it works behind any prefix of a proxy: the script goes by its own address."""
    page = httpx.get(serve(app_with(sandbox), root_path="/panel") + "/whatsapp").text
    assert "/panel" not in page
    assert "/whatsapp" not in page


def test_a_router_in_a_router_and_two_in_an_app(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """Each has a separate hub, beside the lifespan of the app; one included twice shares one."""
    opened_by_app = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        opened_by_app.append(True)
        yield

    app = FastAPI(lifespan=lifespan)
    tenants = APIRouter(prefix="/tenants")
    router = pairing_router(lambda: sandbox.client("a"), dependencies=[])
    tenants.include_router(router, prefix="/whatsapp")
    app.include_router(tenants)
    app.include_router(router, prefix="/again")
    app.include_router(
        pairing_router(lambda: sandbox.client("a"), dependencies=[]), prefix="/other"
    )
    url = serve(app)
    codes = [
        listen(f"{url}/{path}/events").until("code")["svg"]
        for path in ("tenants/whatsapp", "again", "other")
    ]
    assert opened_by_app == [True]
    assert codes[0] == codes[1] != codes[2]


def test_a_mounted_app_takes_the_outer_apps_hub(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """A mounted app has no lifespan."""
    hub = PairingHub()
    outer = FastAPI(lifespan=lambda _: opened(hub))
    inner = FastAPI()
    inner.include_router(
        pairing_router(sandbox.client, dependencies=[], hub=hub), prefix="/whatsapp"
    )
    outer.mount("/panel", inner)
    url = serve(outer)
    assert httpx.get(f"{url}/panel/whatsapp").status_code == 200
    assert listen(f"{url}/panel/whatsapp/events").until("code")["round"] == 1


@pytest.mark.asyncio
async def test_a_hub_that_was_given_is_not_closed_with_the_app(sandbox: Sandbox) -> None:
    """It is shared: its owner closes it."""
    client = sandbox.client()
    async with PairingHub() as hub:
        app = FastAPI()
        app.include_router(pairing_router(lambda: client, dependencies=[], hub=hub), prefix="/w")
        async with app.router.lifespan_context(app):
            pass
        async with hub.watch(client) as states:
            await anext(states)


def test_the_routes_are_described_for_other_front_ends(sandbox: Sandbox) -> None:
    """A native app shows the code by itself; the page is none of an API."""
    paths = app_with(sandbox).openapi()["paths"]
    statuses = {
        path: (method, set(operation["responses"]) - {"422"})
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    assert statuses == {
        "/whatsapp/events": ("get", {"200", "204", "503"}),
        "/whatsapp/restart": ("post", {"204", "403"}),
        "/whatsapp/qr.svg": ("get", {"200", "404"}),
    }
    image = paths["/whatsapp/qr.svg"]["get"]["responses"]["200"]
    assert set(image["content"]) == {"image/svg+xml"}


def test_the_events_are_described_for_other_front_ends(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """Each event has a schema, with a description of each field, and keeps to it."""
    sandbox.answer_next("unauthorized")
    app = app_with(sandbox)
    document = app.openapi()
    content = document["paths"]["/whatsapp/events"]["get"]["responses"]["200"]["content"]
    schema = content["text/event-stream"]["schema"]["items"]
    assert set(schema["discriminator"]["mapping"]) == {
        *("starting", "code", "connected", "expired", "failed")
    }
    schemas = document["components"]["schemas"]
    described = {name: each for name, each in schemas.items() if name.startswith("Pairing")}
    for name, each in described.items():
        assert each["description"], name
        for field, its_schema in each["properties"].items():
            assert field in {"event", "data"} or its_schema["description"], (name, field)
    data = described["PairingFailedEvent"]["properties"]["data"]["$ref"].rpartition("/")[2]
    failed = listen(serve(app) + "/whatsapp/events").until("failed")
    assert set(failed) == set(described[data]["required"])


# When viewers are gone.


async def stay_connected() -> Message:
    """Receive nothing, as from a browser that waits."""
    await anyio.sleep_forever()
    raise AssertionError


async def be_stuck(_: Message) -> None:
    """Send nothing, as to a browser that does not read."""
    await anyio.sleep_forever()


class Reading:
    """Reading of a stream of codes, that measures the memory in use between two of them."""

    def __init__(self, first: int, last: int) -> None:
        self._codes = 0
        self._first = first
        self._last = last
        self.done = anyio.Event()
        self.growth = 0

    async def send(self, message: Message) -> None:
        """Count what was sent."""
        self._codes += b"event: code" in message.get("body", b"")
        if self._codes == self._first and not tracemalloc.is_tracing():
            tracemalloc.start()
        if self._codes == self._last and not self.done.is_set():
            self.growth, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.done.set()


async def untouched(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Pass a request on, as most middleware does."""
    return await call_next(request)


@pytest.mark.parametrize("behind_middleware", [False, True])
def test_a_browser_that_vanishes_leaves_its_place_to_another(
    sandbox: Sandbox, serve: Serve, listen: Listen, behind_middleware: bool
) -> None:
    """Its watcher is gone without a word from it, also behind middleware that wraps the stream."""
    app = app_with(sandbox, PairingHub(interval=20, max_watchers=1, linger=60))
    if behind_middleware:
        app.middleware("http")(untouched)
    url = serve(app)
    vanishing = listen(f"{url}/whatsapp/events")
    vanishing.until("code")
    with httpx.Client(base_url=url) as client:
        assert client.get("/whatsapp/events").status_code == 503
        vanishing.response.close()
        deadline = time.monotonic() + 60
        status = 503
        while status == 503:
            assert time.monotonic() < deadline
            with client.stream("GET", "/whatsapp/events") as response:
                status = response.status_code
    assert status == 200
    assert codes_requested(sandbox) == 1


@pytest.mark.journey
# FastAPI leaves generators of cancelled responses to the event loop, of which trio complains.
@pytest.mark.filterwarnings("ignore:Async generator .* was garbage collected:ResourceWarning")
@pytest.mark.anyio
async def test_readers_that_are_stuck_hold_nobody_up(sandbox: Sandbox) -> None:
    """Nor is anything kept for them: they miss what they do not read."""
    hub = quick(interval=0.001, max_rounds=100_000, status_interval=None)
    app = app_with(sandbox, hub)
    scope = {"type": "http", "method": "GET", "path": "/whatsapp/events", "headers": []}
    request: Scope = {**scope, "query_string": b"", "root_path": "", "http_version": "1.1"}
    reading = Reading(10, 40)
    async with app.router.lifespan_context(app), anyio.create_task_group() as browsers:
        for _ in range(50):
            browsers.start_soon(app, dict(request), stay_connected, be_stuck)
        browsers.start_soon(app, dict(request), stay_connected, reading.send)
        await reading.done.wait()
        browsers.cancel_scope.cancel()
    # Thirty codes of some kilobytes for each of the fifty would be many times as much.
    assert reading.growth < 2**20


def test_the_poller_ends_after_the_last_viewer(
    sandbox: Sandbox, serve: Serve, listen: Listen
) -> None:
    """After the linger no code is requested any more."""
    endings: list[PairingEnd] = []
    hub = quick(
        interval=0.1,
        max_rounds=1000,
        status_interval=None,
        linger=0.2,
        on_end=lambda _, ending: endings.append(ending),
    )
    viewer = listen(serve(app_with(sandbox, hub)) + "/whatsapp/events")
    viewer.until("code")
    viewer.response.close()
    deadline = time.monotonic() + 60
    while not endings:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    asked = len(sandbox.calls)
    time.sleep(0.3)
    assert len(sandbox.calls) == asked


def test_uvicorn_stops_with_viewers_connected(
    sandbox: Sandbox, serving: Serving, listen: Listen
) -> None:
    """With the setting that the documentation names; the hub is closed, and asks no more."""
    with serving(app_with(sandbox), timeout_graceful_shutdown=1) as url:
        for _ in range(20):
            listen(f"{url}/whatsapp/events").until("code")
    asked = len(sandbox.calls)
    time.sleep(0.3)
    assert len(sandbox.calls) == asked

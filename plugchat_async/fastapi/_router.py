"""The routes: the page, its events, its buttons, its QR code."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from inspect import isawaitable
from typing import TYPE_CHECKING, Annotated, TypeAlias

from fastapi import (
    APIRouter,
    BackgroundTasks,
    Depends,
    FastAPI,
    Header,
    HTTPException,
    Request,
    Response,
    params,
)
from fastapi.routing import APIRoute
from starlette.background import BackgroundTask

from plugchat_async import (
    AsyncPlugChat,
    Expired,
    Failed,
    PairingHub,
    ShowingCode,
    TooManyWatchers,
    Watcher,
)

from ._app_hub import AppHub
from ._early_session import EarlySession
from ._encoded_events import EncodedEvents
from ._event_stream import EventStream, EventStreamResponse
from ._events import Drawings, PairingEvent
from ._known_endings import KnownEndings
from ._link_routes import check_dependant, require_ticket_in_path, require_ticket_in_prefix
from ._links import PairingLinks, PairingTicket
from ._origins import require_same_origin
from ._page import PairingPage
from ._page_route import page_route
from ._return_url import check_return_url
from ._security_headers import SECURITY_HEADERS
from ._stopping import Stopping
from ._theme import PairingTheme
from ._words import OwnWords

if TYPE_CHECKING:
    from plugchat_async._end_hook import OnEnd

ClientDependency: TypeAlias = (
    Callable[..., AsyncPlugChat]
    | Callable[..., Awaitable[AsyncPlugChat]]
    | Callable[..., Iterator[AsyncPlugChat]]
    | Callable[..., AsyncIterator[AsyncPlugChat]]
)

ReturnURL: TypeAlias = str | Callable[[Request], str | Awaitable[str | None] | None]

# By then some of the windows that fill the limit may have been closed.
_RETRY_AFTER_SECONDS = 10

_Responses: TypeAlias = dict[int | str, dict[str, object]]
_ANOTHER_ORIGIN: _Responses = {403: {"description": "It came from a page of another origin"}}
_TOO_MANY: _Responses = {
    503: {"description": "Too many watchers: come back after `Retry-After`"},
}

_PAGE_OF_LINK = "pairing_page_of_link"

_STREAM_HEADERS = SECURITY_HEADERS | {
    "Cache-Control": f"{SECURITY_HEADERS['Cache-Control']}, no-transform",
    "X-Accel-Buffering": "no",
}


def pairing_router(
    get_client: ClientDependency,
    *,
    dependencies: Sequence[params.Depends],
    hub: PairingHub | None = None,
    on_end: "OnEnd | None" = None,
    return_url: ReturnURL | None = None,
    embed_in: Sequence[str] = (),
    theme: PairingTheme | None = None,
    words: OwnWords | None = None,
    links: PairingLinks | None = None,
) -> APIRouter:
    """Make the page on which a tenant links a phone, to be included with a prefix.

    | route | what it is |
    |---|---|
    | `GET {prefix}` | the live page |
    | `GET {prefix}/events` | events: `starting`, `code`, `connected`, `expired`, `failed` |
    | `POST {prefix}/restart` | the button after an ending: 204, or 403 for another origin |
    | `GET {prefix}/qr.svg` | the current code: 404 if there is none; it starts no session |
    | `POST {prefix}/start` | with `links` only, the button before the first code: 204, or 403 |

    When a browser opens the page, its session begins with that request; prefetches, HTTP clients
    and pages of links begin none.

    An event stream ends with the session, after five minutes at the latest, and when the server is
    told to stop (SIGTERM, Ctrl-C), so that open pages do not hold it up. For the signal, the router
    installs a handler that calls the server's own, and restores that at the end. Which servers need
    further settings: [Deployment](../guides/deployment.md).

    Args:
        get_client: A dependency that returns the client of this request's tenant. If it comes from
            `for_token()`, you may close it when the request ends. A dependency with `yield` is held
            for as long as the page is open.
        dependencies: What each request has to pass, such as a login. Anyone who opens the page
            can link a phone, so there is no default; `dependencies=[]` leaves it open to everyone.
        hub: A hub that is shared with other parts of the app, and open while the app runs; it is
            not closed. None: the router opens a separate hub for as long as the app runs, with the
            default settings and at most 100 watchers an instance. A mounted app has no lifespan, so
            its router needs a hub that the outer app opens. Several workers need a
            `RedisPairingHub`; without it, they log a warning.
        on_end: Called with the client and a `PairingEnd` once for each session, before a page is
            told, like that of `PairingHub`. Not together with `hub`: pass it to that hub instead.
        return_url: Address to open after a scan: a path or an http(s) URL, or a function of the
            request, sync or async, that returns one or None. Do not take it from the query:
            anyone could send your users elsewhere.
        embed_in: Origins whose pages may frame the page and are told its states by `postMessage`,
            such as `["https://app.example"]`. For pages of the same origin, both hold in any case.
        theme: The product's name, logo and colours.
        words: Sentences instead of the page's own, by language and name, such as
            `{"pt-BR": {"title": "Conecte sua loja"}}`.
        links: Signed links, whose `PairingTicket` is passed to `get_client` by `Depends(links)`.
            Include the router with a prefix that ends in `/{ticket}`. The page then begins with a
            button, and no code is requested before it is pressed.

    Returns:
        The router. Watchers beyond the hub's limit get 503 with `Retry-After`.

    Raises:
        TypeError: An argument is of the wrong type; `dependencies` is a sequence of `Depends(...)`.
            Or FastAPI can't resolve an annotation, such as of links that are a local variable.
        ValueError: Both `hub` and `on_end` are given, the page can't use a word, an origin or the
            return URL, or a dependency takes a ticket of other links than `links`.
    """
    _check(get_client, dependencies, hub, on_end)
    _check_return_url(return_url)
    if links is not None and not isinstance(links, PairingLinks):
        raise TypeError(f"links must be a PairingLinks or None, not {type(links).__name__}")
    app_hub = AppHub(hub, on_end)
    early_session = EarlySession(get_client, app_hub)
    stopping = Stopping()
    drawings = Drawings()
    encoded_events = EncodedEvents(drawings)
    known_endings = KnownEndings()
    pairing_page = PairingPage(
        theme=theme, words=words, embed_in=embed_in, begins_with_button=links is not None
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        if links is not None:
            require_ticket_in_prefix(app, _PAGE_OF_LINK)
        async with app_hub.lifespan(app):
            with stopping.listening():
                yield

    # Whatever get_client takes, no route is open to a ticket that is not valid.
    tickets = [] if links is None else [Depends(require_ticket_in_path), Depends(links)]
    router = APIRouter(dependencies=[*dependencies, *tickets], lifespan=lifespan)

    async def page(
        request: Request,
        client: Annotated[AsyncPlugChat, Depends(get_client)],
        ticket: Annotated[PairingTicket | None, Depends(links or _no_ticket)],
        background: BackgroundTasks,
    ) -> Response:
        if links is None and early_session.may_begin(request):
            # Before the tasks of other dependencies, which may take long.
            background.tasks.insert(0, BackgroundTask(early_session.begin, client))
        return pairing_page.response(
            request.headers.get("accept-language", ""),
            SECURITY_HEADERS,
            return_url=await _return_url_of(request, ticket, return_url),
        )

    for path in ("", "/"):
        router.add_api_route(
            path,
            page,
            name=None if links is None else _PAGE_OF_LINK,
            include_in_schema=False,
            route_class_override=page_route(pairing_page),
        )

    async def watch(
        client: Annotated[AsyncPlugChat, Depends(get_client)],
        last_event_id: Annotated[str, Header(description="`id` of the last event seen")] = "",
    ) -> AsyncIterator[Watcher]:
        if links is not None and await app_hub.hub.state(client) is None:
            raise HTTPException(204, headers=SECURITY_HEADERS)
        # A mounted app has no lifespan.
        app_hub.warn_of_several_workers()
        with _refusing_too_many(), stopping.listening():
            if await known_endings.include(app_hub.hub, client, last_event_id):
                raise HTTPException(204, headers=SECURITY_HEADERS)
            async with app_hub.hub.watch(client) as watcher:
                yield watcher
                known_endings.add(client, watcher.version)

    @router.get(
        "/events",
        response_class=EventStreamResponse,
        responses={
            200: {"model": list[PairingEvent], "description": "Events; the `data` of each is JSON"},
            204: {
                "description": "`Last-Event-ID` is that of the present ending, or, with `links`,"
                " nobody has pressed the button: stop"
            },
            **_TOO_MANY,
        },
    )
    async def events(watcher: Annotated[Watcher, Depends(watch)]) -> Response:
        stream = EventStream(watcher, app_hub.hub, encoded_events, stopping)
        return EventStreamResponse(stream, headers=_STREAM_HEADERS)

    @router.post(
        "/restart",
        status_code=204,
        dependencies=[Depends(require_same_origin)],
        responses=_ANOTHER_ORIGIN if links is None else {**_ANOTHER_ORIGIN, **_TOO_MANY},
    )
    async def restart(client: Annotated[AsyncPlugChat, Depends(get_client)]) -> Response:
        if links is None:
            await app_hub.hub.restart(client)
        # Before its button was pressed, a link begins nothing.
        elif await app_hub.hub.state(client) is not None:
            await _begin(app_hub.hub, client)
        return Response(status_code=204, headers=SECURITY_HEADERS)

    if links is not None:

        @router.post(
            "/start",
            status_code=204,
            dependencies=[Depends(require_same_origin)],
            responses={**_ANOTHER_ORIGIN, **_TOO_MANY},
        )
        async def start(client: Annotated[AsyncPlugChat, Depends(get_client)]) -> Response:
            await _begin(app_hub.hub, client)
            return Response(status_code=204, headers=SECURITY_HEADERS)

    @router.get(
        "/qr.svg",
        response_class=Response,
        responses={
            200: {"content": {"image/svg+xml": {}}},
            404: {"description": "There is no code"},
        },
    )
    async def qr_svg(client: Annotated[AsyncPlugChat, Depends(get_client)]) -> Response:
        state = await app_hub.hub.state(client)
        if not isinstance(state, ShowingCode) or state.qr.is_expired:
            raise HTTPException(404, "there is no code", SECURITY_HEADERS)
        return Response(
            await drawings.svg(state.qr), media_type="image/svg+xml", headers=SECURITY_HEADERS
        )

    for route in (each for each in router.routes if isinstance(each, APIRoute)):
        check_dependant(route.dependant, links)
    return router


async def _begin(hub: PairingHub, client: AsyncPlugChat) -> None:
    # What begins here lingers until the page's stream joins it, maybe in another process:
    # restarted with nobody watching, a session is forgotten, and a link's stream begins none.
    with _refusing_too_many():
        async with hub.watch(client) as states:
            if isinstance(await anext(states, None), Expired | Failed):
                await hub.restart(client)


@contextmanager
def _refusing_too_many() -> Generator[None]:
    try:
        yield
    except TooManyWatchers as error:
        come_back = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
        raise HTTPException(503, str(error), SECURITY_HEADERS | come_back) from error


# Async, so that FastAPI runs it in no thread.
async def _no_ticket() -> None:
    """Return no ticket, if there are no links."""


async def _return_url_of(
    request: Request, ticket: PairingTicket | None, configured: ReturnURL | None
) -> str | None:
    if ticket is not None and ticket.return_url is not None:
        return ticket.return_url
    if configured is None or isinstance(configured, str):
        return configured
    url = configured(request)
    if isawaitable(url):
        url = await url
    return None if url is None else check_return_url(url)


def _check_return_url(return_url: object) -> None:
    if isinstance(return_url, str):
        check_return_url(return_url)
    elif return_url is not None and not callable(return_url):
        kind = type(return_url).__name__
        raise TypeError(f"return_url must be a str or a function of the request, not {kind}")


def _check(
    get_client: object, dependencies: Sequence[object] | None, hub: object, on_end: object
) -> None:
    if not callable(get_client):
        raise TypeError(
            "get_client must be a function that returns the AsyncPlugChat of the request's tenant,"
            f" not {type(get_client).__name__}"
        )
    # FastAPI takes None for no dependencies, and would silently leave the page open.
    if not isinstance(dependencies, Sequence) or not all(
        isinstance(each, params.Depends) for each in dependencies
    ):
        raise TypeError(
            "dependencies must be a list of Depends(...), such as your login;"
            " [] leaves the page open to everyone"
        )
    if hub is not None and not isinstance(hub, PairingHub):
        raise TypeError(f"hub must be a PairingHub or None, not {type(hub).__name__}")
    if on_end is not None and not callable(on_end):
        raise TypeError(f"on_end must be a function or None, not {type(on_end).__name__}")
    if hub is not None and on_end is not None:
        raise ValueError("give on_end to the hub instead: hub=PairingHub(on_end=...)")

"""The app around the page that a browser is shown."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypedDict

from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse

from plugchat_async import AsyncPlugChat, PairingHub
from plugchat_async.fastapi import PairingLinks, PairingTheme, PairingTicket, pairing_router
from tests.app_server import serve_app
from tests.keyword_arguments import HubArguments

from .served_example import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
    from typing import Unpack

    from starlette.types import ASGIApp

Wrap: TypeAlias = "Callable[[ASGIApp], ASGIApp]"

links = PairingLinks("a secret of more than 32 characters")


NEXT_STEP = HTMLResponse(
    '<!doctype html><title>Next</title><link rel="icon" href="data:,">The next step'
)


OWN_PAGE = HTMLResponse((EXAMPLES / "own_page.html").read_text("utf-8"))


class PageOptions(TypedDict, total=False):
    """Arguments of `pairing_router()` beside dependencies, a hub and links."""

    return_url: str
    embed_in: Sequence[str]
    theme: PairingTheme | None
    words: Mapping[str, Mapping[str, object]]


class Site:
    """App with the page of each tenant, by a login and by links; it can be stopped and locked."""

    def __init__(
        self,
        plugchat_url: str,
        port: int = 0,
        *,
        options: PageOptions | None = None,
        wrapped_by: Wrap | None = None,
        root_path: str = "",
        **settings: Unpack[HubArguments],
    ) -> None:
        self.is_locked = False
        self.hub = PairingHub(**settings)
        self.app = FastAPI(lifespan=self._lifespan)
        self._port = port
        self._root_path = root_path
        self._plugchat_url = plugchat_url
        self._served: ASGIApp = self.app if wrapped_by is None else wrapped_by(self.app)
        page_options: PageOptions = {} if options is None else options
        login = [Depends(self._require_login)]
        self.app.include_router(
            pairing_router(self._get_client, dependencies=login, hub=self.hub, **page_options),
            prefix="/whatsapp",
        )
        self.app.include_router(
            pairing_router(
                self._get_client_of_link,
                dependencies=[],
                hub=self.hub,
                links=links,
                **page_options,
            ),
            prefix="/whatsapp/{ticket}",
        )

        @self.app.get("/own")
        def own_page() -> HTMLResponse:
            return OWN_PAGE

        @self.app.get("/next")
        def next_step() -> HTMLResponse:
            return NEXT_STEP

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncGenerator[None]:
        client = AsyncPlugChat("tenant-a", base_url=self._plugchat_url, timeout=60)
        async with client as self._client, self.hub:
            yield

    def _get_client(self, tenant: str = "tenant-a") -> AsyncPlugChat:
        return self._client.for_token(tenant)

    def _get_client_of_link(
        self, ticket: Annotated[PairingTicket, Depends(links)]
    ) -> AsyncPlugChat:
        return self._client.for_token(ticket.subject)

    def _require_login(self) -> None:
        if self.is_locked:
            raise HTTPException(401)

    @contextmanager
    def running(self) -> Generator[str]:
        """Serve the app until the block ends."""
        with serve_app(self._served, port=self._port, root_path=self._root_path) as port:
            yield f"http://127.0.0.1:{port}/whatsapp"


def link_beside(url: str, return_url: str | None = None) -> str:
    """Return a link for the tenant of a site's page."""
    return f"{url}/{links.create('tenant-a', return_url)}"

"""The app around the page that a browser is shown."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI, HTTPException

from plugchat_async import AsyncPlugChat, PairingHub
from plugchat_async.fastapi import pairing_router
from tests.app_server import serve_app
from tests.keyword_arguments import HubArguments

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from typing import Unpack


class Site:
    """Hold an app with the page of each tenant, that can be stopped, and locked."""

    def __init__(self, plugchat_url: str, port: int = 0, **settings: Unpack[HubArguments]) -> None:
        self.is_locked = False
        self.hub = PairingHub(**settings)
        self.app = FastAPI(lifespan=self._lifespan)
        self._port = port
        self._plugchat_url = plugchat_url
        router = pairing_router(
            self._get_client, dependencies=[Depends(self._require_login)], hub=self.hub
        )
        self.app.include_router(router, prefix="/whatsapp")

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncGenerator[None]:
        client = AsyncPlugChat("tenant-a", base_url=self._plugchat_url, timeout=60)
        async with client as self._client, self.hub:
            yield

    def _get_client(self, tenant: str = "tenant-a") -> AsyncPlugChat:
        return self._client.for_token(tenant)

    def _require_login(self) -> None:
        if self.is_locked:
            raise HTTPException(401)

    @contextmanager
    def running(self) -> Generator[str]:
        """Serve the app until the block ends."""
        with serve_app(self.app, port=self._port) as port:
            yield f"http://127.0.0.1:{port}/whatsapp"

"""Who may see the page: the browser that came first with the key, which opens once."""

import secrets

from fastapi import Depends, FastAPI, HTTPException, Request, Response

from plugchat_async import AsyncPlugChat, PairingHub
from plugchat_async.fastapi import pairing_router

_COOKIE = "plugchat"
_PAGE = "/pair"

_SECURITY_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


class Door:
    """Exchange a key for a pass, once.

    Attributes:
        path_of_key: The path to visit first.
    """

    def __init__(self) -> None:
        self._key: str | None = secrets.token_urlsafe(32)
        self._pass = secrets.token_urlsafe(32)
        self.path_of_key = f"/key/{self._key}"

    def exchange(self, key: str) -> str | None:
        """Give the pass for the key, which is worthless afterwards; None for any other."""
        if self._key is None or not secrets.compare_digest(key.encode(), self._key.encode()):
            return None
        self._key = None
        return self._pass

    def check(self, request: Request) -> None:
        """Refuse, as a dependency, whoever has no pass."""
        shown = request.cookies.get(_COOKIE, "")
        if not secrets.compare_digest(shown.encode(), self._pass.encode()):
            raise HTTPException(403, "open the address that plugchat printed; it opens once")


def make_app(client: AsyncPlugChat, hub: PairingHub, door: Door) -> FastAPI:
    """Put the page behind the door."""
    app = FastAPI(openapi_url=None)

    @app.get("/key/{key}")
    async def enter(key: str) -> Response:
        given = door.exchange(key)
        if given is None:
            raise HTTPException(
                403, "this address was used already, or never was one", _SECURITY_HEADERS
            )
        response = Response(status_code=303, headers={**_SECURITY_HEADERS, "Location": _PAGE})
        # A strict one stays behind where the address is clicked in a page, such as a terminal's.
        response.set_cookie(_COOKIE, given, path=_PAGE, httponly=True, samesite="lax")
        return response

    router = pairing_router(lambda: client, dependencies=[Depends(door.check)], hub=hub)
    app.include_router(router, prefix=_PAGE)
    return app

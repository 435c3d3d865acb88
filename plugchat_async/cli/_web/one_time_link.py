"""Access to the page: for the first browser that opens the link, which works once."""

import secrets

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import HTMLResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from plugchat_async import AsyncPlugChat, PairingHub
from plugchat_async.cli._texts import language, text
from plugchat_async.fastapi import pairing_router

_COOKIE = "plugchat"

# Any other name may be that of a foreign page (DNS rebinding).
_HOSTS = ["127.0.0.1", "localhost"]

_NOTICE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta name="viewport" content="width=device-width"><title>plugchat</title>
<p style="font: 1.25rem system-ui; margin: 20vh auto; max-width: 30em; padding: 1em">{sentence}</p>
"""

_SECURITY_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


class OneTimeLink:
    """Link that is redeemed for a cookie, once.

    Attributes:
        path: The path of the link.
        page: The path of the page. Browsers send a cookie to every port of a host: they send this
            one to no other port, since only there is something at this path.
    """

    def __init__(self) -> None:
        self._key: str | None = secrets.token_urlsafe(32)
        self._pass = secrets.token_urlsafe(32)
        self.path = f"/open/{self._key}"
        self.page = f"/{secrets.token_urlsafe(16)}"

    def redeem(self, key: str) -> str | None:
        """Return the pass for the key, which is worthless afterwards; None for any other."""
        if self._key is None or not secrets.compare_digest(key.encode(), self._key.encode()):
            return None
        self._key = None
        return self._pass

    def check(self, request: Request) -> None:
        """Refuse, as a dependency, a request without the pass."""
        shown = request.cookies.get(_COOKIE, "")
        if not secrets.compare_digest(shown.encode(), self._pass.encode()):
            raise HTTPException(403, text("web.closed"))


def make_app(client: AsyncPlugChat, hub: PairingHub, link: OneTimeLink) -> FastAPI:
    """Make the page for the browser that redeems the link."""
    app = FastAPI(openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS)

    @app.get("/open/{key}")
    async def open_link(key: str) -> Response:
        given = link.redeem(key)
        if given is None:
            raise HTTPException(403, text("web.used"), _SECURITY_HEADERS)
        response = Response(status_code=303, headers={**_SECURITY_HEADERS, "Location": link.page})
        # A strict one stays behind if the link is clicked in a page, such as a terminal's.
        response.set_cookie(_COOKIE, given, path=link.page, httponly=True, samesite="lax")
        return response

    @app.exception_handler(HTTPException)
    async def explain(request: Request, error: HTTPException) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return await http_exception_handler(request, error)  # to the page's script
        page = _NOTICE.format(language=language(), sentence=error.detail)
        return HTMLResponse(page, error.status_code, _SECURITY_HEADERS)

    router = pairing_router(lambda: client, dependencies=[Depends(link.check)], hub=hub)
    app.include_router(router, prefix=link.page)
    return app

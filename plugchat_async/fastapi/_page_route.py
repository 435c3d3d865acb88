"""The page's route, on which a refused link is a page in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute

from ._links import RefusedTicket

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Request, Response

    from ._page import PairingPage


def page_route(page: PairingPage) -> type[APIRoute]:
    """Return a class of routes that tell a person in words why their link is refused.

    An exception handler would have to be the app's.

    Args:
        page: The page.
    """

    class PageRoute(APIRoute):
        """The page's route."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            """Return the usual handler, with such a page for a refused link."""
            handle = super().get_route_handler()

            async def respond(request: Request) -> Response:
                try:
                    return await handle(request)
                except RefusedTicket as error:
                    language = request.headers.get("accept-language", "")
                    return page.notice(
                        error.name, language, error.headers or {}, status_code=error.status_code
                    )

            return respond

    return PageRoute

"""HTTP interface of the sandbox, with the gateway's paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._answers import ENDPOINTS, Endpoint, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

try:
    from starlette.responses import Response
    from starlette.routing import Route, Router
except ImportError as error:
    from plugchat_async._extras import missing

    raise ImportError(missing("the sandbox", "Starlette", "sandbox")) from error

PREFIX = "/api/whatsapp"


def application(
    answer: Callable[[Endpoint, str | None], Reply], control: Sequence[BaseRoute]
) -> Router:
    """Build the ASGI application.

    Args:
        answer: Returns the response, given the endpoint and the raw `Authorization` header.
        control: Routes beside those of the gateway.
    """
    routes = [_route(endpoint, answer) for endpoint in ENDPOINTS]
    # The gateway is not known to redirect a trailing slash, so neither does this one.
    return Router([*routes, *control], redirect_slashes=False)


def _route(endpoint: Endpoint, answer: Callable[[Endpoint, str | None], Reply]) -> Route:
    async def respond(request: Request) -> Response:
        reply = answer(endpoint, request.headers.get("authorization"))
        return Response(reply.body, reply.status, reply.headers)

    route = Route(PREFIX + endpoint, respond)
    # Starlette answers HEAD by the route for GET, which would issue a code.
    route.methods = {"GET"}
    return route

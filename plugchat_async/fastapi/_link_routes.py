"""Checks that the routes and the links of a router belong together."""

from typing import ForwardRef

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from starlette.routing import NoMatchFound

from ._links import PairingLinks

_NO_TICKET = (
    "the router has links=..., but the prefix that it is included with has no {ticket}: write"
    ' app.include_router(router, prefix="/whatsapp/{ticket}")'
)


def check_dependant(dependant: Dependant, links: PairingLinks | None) -> None:
    """Refuse a route whose dependencies can't work with the router's links.

    Args:
        dependant: The route's dependencies, as FastAPI has analysed them.
        links: The links of the router.

    Raises:
        ValueError: There is `Depends(...)` of other links, of which the page would not know.
        TypeError: There is an annotation that FastAPI could not resolve.
    """
    if isinstance(dependant.call, PairingLinks) and dependant.call is not links:
        given = "no links" if links is None else "other links"
        raise ValueError(
            f"a dependency has Depends(links), but the router was given {given}: pass the same"
            " object, pairing_router(..., links=links)"
        )
    for parameter in dependant.query_params:
        annotation = parameter.field_info.annotation
        if parameter.field_info.is_required() and isinstance(annotation, ForwardRef):
            raise TypeError(
                f"FastAPI can't resolve the annotation {annotation.__forward_arg__!r}: define its"
                " names in the module instead of in a function, or remove"
                " `from __future__ import annotations`"
            )
    for each in dependant.dependencies:
        check_dependant(each, links)


def require_ticket_in_prefix(app: FastAPI, name: str) -> None:
    """Refuse to start an app whose prefix has no place for the ticket.

    Args:
        app: The app.
        name: The name of the page's route.

    Raises:
        RuntimeError: The route has no parameters at all.
    """
    try:
        app.url_path_for(name)
    except NoMatchFound:
        return
    raise RuntimeError(_NO_TICKET)


async def require_ticket_in_path(request: Request) -> None:
    """Refuse, as a dependency, a prefix without `{ticket}` in an app that is mounted.

    Its lifespan does not run, and FastAPI would respond with 422.

    Raises:
        RuntimeError: The route has no such parameter.
    """
    if "ticket" not in request.path_params:
        raise RuntimeError(_NO_TICKET)

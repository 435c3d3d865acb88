"""The session that begins with the request of the page, while the browser still loads it.

Nobody watches it then: it lingers until the page's event stream joins it. If none does, it ends as
any session does that was left.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from inspect import isasyncgenfunction, isgeneratorfunction, unwrap
from typing import TYPE_CHECKING, cast

from fastapi.dependencies.utils import get_dependant

from ._navigation import is_navigation

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request
    from fastapi.dependencies.models import Dependant

    from plugchat_async import AsyncPlugChat

    from ._app_hub import AppHub

# For which a browser may take from the response to the request of the events.
_MIN_LINGER = 1.0


class EarlySession:
    """Session that begins before the page's script asks for its events, if it is safe to.

    Args:
        get_client: The dependency that returns the client.
        app_hub: The hub of the app.
    """

    def __init__(self, get_client: Callable[..., object], app_hub: AppHub) -> None:
        self._is_client_held = _has_yield(get_dependant(path="", call=get_client))
        self._app_hub = app_hub

    def may_begin(self, request: Request) -> bool:
        """Return whether the page is about to be shown, and its client stays open after it.

        Args:
            request: The request of the page.
        """
        # What is held by `yield` may be closed with the page's own request. An override may, too.
        is_overridden = bool(getattr(request.app, "dependency_overrides", None))
        return not self._is_client_held and not is_overridden and is_navigation(request.headers)

    async def begin(self, client: AsyncPlugChat) -> None:
        """Begin a session, unless there is one.

        Args:
            client: The client of the page's tenant.
        """
        # The page's event stream meets the same trouble, and tells of it.
        with suppress(RuntimeError, TypeError):
            hub = self._app_hub.hub
            # A page that never asks for its events costs one code at most.
            if self._app_hub.is_alone and _MIN_LINGER <= hub.linger <= hub.interval:
                # It begins by that alone. To wait would take a watcher's place from the page.
                async with hub.watch(client):
                    pass


def _has_yield(dependant: Dependant) -> bool:
    # FastAPI knows this by names that it has changed.
    call = cast("Callable[..., object]", dependant.call)
    function = unwrap(call.func if isinstance(call, partial) else call)
    functions = (function, unwrap(type(function).__call__))
    return any(isgeneratorfunction(each) or isasyncgenfunction(each) for each in functions) or any(
        map(_has_yield, dependant.dependencies)
    )

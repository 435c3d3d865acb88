"""A server in memory with a list of responses, for HTTP clients of either family."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

import anyio
import httpx
import httpx2

from plugchat_async import AsyncPlugChat

from .keyword_arguments import ClientArguments

if TYPE_CHECKING:
    from types import ModuleType
    from typing import Unpack


Request: TypeAlias = httpx.Request | httpx2.Request
Response: TypeAlias = httpx.Response | httpx2.Response
Hook: TypeAlias = Callable[[Response], Awaitable[None]]

StaticResponse: TypeAlias = tuple[int, bytes, dict[str, str]]
"""A status, a body and headers."""

Scripted: TypeAlias = StaticResponse | Exception | Callable[[], Awaitable[Response | None]]
"""A response, or what is raised instead, or what is called for one."""

TOKEN = "F3A9-the-token-of-a-tenant-7C21"


class ScriptedServer:
    """A server that gives each response of a list once, with a record of its requests.

    Attributes:
        requests: The requests so far.
        at: The moment of each, on the event loop's clock.
    """

    def __init__(self, family: ModuleType, *responses: Scripted) -> None:
        self.family = family
        self.responses = list(responses)
        self.requests: list[Request] = []
        self.at: list[float] = []

    async def __call__(self, request: Request) -> Response | None:
        self.requests.append(request)
        self.at.append(anyio.current_time())
        response = self.responses.pop(0)
        if isinstance(response, Exception):
            raise response
        if callable(response):
            return await response()
        status, body, headers = response
        made: Response = self.family.Response(status, content=body, headers=headers)
        return made

    def http_client(
        self, *, hook: Hook | None = None, follow_redirects: bool = False
    ) -> httpx.AsyncClient:
        """Make a user's HTTP client that talks to it, of either family."""
        http_client: httpx.AsyncClient = self.family.AsyncClient(
            transport=self.family.MockTransport(self),
            event_hooks={"response": [] if hook is None else [hook]},
            follow_redirects=follow_redirects,
        )
        return http_client

    def client(
        self, *, hook: Hook | None = None, **options: Unpack[ClientArguments]
    ) -> AsyncPlugChat:
        """Make a client that talks to it."""
        options["http_client"] = self.http_client(hook=hook)
        return AsyncPlugChat(TOKEN, **options)

    @property
    def pauses(self) -> list[float]:
        """The seconds between requests."""
        return [round(b - a, 2) for a, b in zip(self.at, self.at[1:], strict=False)]

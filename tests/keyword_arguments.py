"""The keyword arguments of public constructors, for what passes them on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugchat_async import AsyncPlugChat, PairingEnd

    from .http_clients import HttpClient


class HubArguments(TypedDict, total=False):
    """Arguments of `PairingHub`."""

    interval: float
    max_rounds: int
    status_interval: float | None
    linger: float
    max_watchers: int | None
    on_end: Callable[[AsyncPlugChat, PairingEnd], Awaitable[object] | object] | None
    on_end_timeout: float


class ClientArguments(TypedDict, total=False):
    """Arguments of `AsyncPlugChat` beside a token and a base URL."""

    timeout: float
    retries: int
    max_connections: int
    http_client: HttpClient | None

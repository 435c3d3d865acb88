"""The HTTP clients to make calls over: the package's own pool, and users' clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import httpx
import httpx2

HttpClient: TypeAlias = httpx.AsyncClient | httpx2.AsyncClient

MakeHttpClient: TypeAlias = Callable[[], HttpClient] | None

HTTP_CLIENTS: dict[str, MakeHttpClient] = {
    "own pool": None,
    "httpx": httpx.AsyncClient,
    "httpx2": httpx2.AsyncClient,
}

"""A client of httpx-aiohttp, which hands some of aiohttp's own exceptions on."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import aiohttp
import pytest
from httpx_aiohttp import HttpxAiohttpClient

from plugchat_async import AsyncPlugChat, NetworkError
from tests.raw_server import serve_raw

if TYPE_CHECKING:
    from anyio.abc import SocketStream

TOKEN = "f3a9-the-token-of-a-tenant"

# It knows asyncio alone.
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


@pytest.mark.parametrize(
    "head",
    [
        b"SPAM " + TOKEN.encode(),
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 9000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6",
    ],
    ids=["not HTTP", "a header too long", "two lengths"],
)
async def test_a_head_that_aiohttp_can_t_read_is_a_network_error(head: bytes) -> None:
    """Its exception has the token among its attributes, and goes no further."""

    async def handle(connection: SocketStream) -> None:
        await connection.send(head + b"\r\n\r\n")
        await connection.aclose()

    async with (
        serve_raw(handle) as base_url,
        HttpxAiohttpClient() as http_client,
        AsyncPlugChat(TOKEN, base_url=base_url, retries=0, http_client=http_client) as client,
    ):
        with pytest.raises(NetworkError, match="ClientResponseError") as caught:
            await client.qr_code()
    cause = caught.value.__cause__
    assert isinstance(cause, aiohttp.ClientResponseError)
    shown = [*traceback.format_exception(caught.value), repr(cause), repr(vars(cause))]
    assert TOKEN not in "".join(shown)

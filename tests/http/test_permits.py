"""A request that needs a permit, which a session of several processes takes in its store."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from plugchat_async import AsyncPlugChat
from plugchat_async._client import identity_of, requests_of
from plugchat_async._http.calls import PermittedConnections
from plugchat_async._http.pool import Pool
from tests.scripted_server import TOKEN, ScriptedServer, StaticResponse

pytestmark = pytest.mark.anyio

CODE: StaticResponse = (200, b'{"value": "2@code"}', {})
DOWN: StaticResponse = (500, b"", {})


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let minutes pass in milliseconds."""
    return virtual_time


async def test_each_attempt_needs_a_permit() -> None:
    """It is asked for directly before the request is sent."""
    server = ScriptedServer(httpx, DOWN, CODE)
    permitted: list[float] = []

    async def permit() -> None:
        permitted.append(anyio.current_time())

    fetched = await requests_of(server.client(), permit=permit).fetch_code(2, 3)
    assert (fetched.code.payload, fetched.code.round, fetched.code.rounds) == ("2@code", 2, 3)
    assert permitted == server.at
    assert len(permitted) == 2


async def test_without_a_permit_nothing_is_sent() -> None:
    """The exception arrives as itself, and the client can be used all the same."""
    server = ScriptedServer(httpx, CODE)
    client = server.client()

    async def permit() -> None:
        raise LookupError("another process leads")

    with pytest.raises(LookupError):
        await requests_of(client, permit=permit).fetch_code(1, 3)
    assert server.requests == []
    assert (await client.qr_code()).payload == "2@code"


async def test_a_closed_client_requests_nothing() -> None:
    """With a permit as without."""
    client = ScriptedServer(httpx).client()
    await client.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await requests_of(client, permit=anyio.lowlevel.checkpoint).fetch_code(1, 3)


async def test_an_instance_is_the_same_in_every_process() -> None:
    """By its base URL, the documented one by default, and its token."""
    client = AsyncPlugChat(TOKEN, base_url="https://a.example/api/whatsapp")
    base_url, token = identity_of(client)
    assert (base_url, token.get_secret_value()) == ("https://a.example/api/whatsapp", TOKEN)
    assert TOKEN not in repr(token)
    assert identity_of(ScriptedServer(httpx).client())[0] == (
        "https://app.plugchat.com.br/api/whatsapp"
    )


async def test_connections_with_a_permit_are_the_same_connections() -> None:
    """Closing the ones closes the others."""
    connections = Pool(1, uses_proxies=False)
    permitted = PermittedConnections(connections, anyio.lowlevel.checkpoint)
    await permitted.aclose()
    assert permitted.is_closed
    assert connections.is_closed

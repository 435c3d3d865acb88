"""What comes beyond an answer is no answer to the next call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from plugchat_async import AsyncPlugChat
from tests.http_clients import HTTP_CLIENTS
from tests.raw_server import serve_raw

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from tests.http_clients import MakeHttpClient

pytestmark = pytest.mark.anyio

CODE = b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"value":"2@%b"}'


@pytest.mark.parametrize("make_http_client", HTTP_CLIENTS.values(), ids=HTTP_CLIENTS)
@pytest.mark.parametrize(
    "surplus",
    [CODE % b"else", (CODE % b"else")[:-1], b"HTTP/1.1 200", b"\0"],
    ids=["another answer", "most of another", "half a line", "a byte"],
)
async def test_an_answer_that_nobody_asked_for_is_not_the_next_one(
    make_http_client: MakeHttpClient, surplus: bytes
) -> None:
    """The next call asks over a new connection, and needs no further attempt."""
    ports: list[int] = []

    async def answer(connection: SocketStream) -> None:
        ports.append(connection.extra(anyio.abc.SocketAttribute.remote_port))
        await connection.send(CODE % f"{len(ports):04}".encode() + surplus)

    http_client = make_http_client and make_http_client()
    async with (
        serve_raw(answer) as base_url,
        AsyncPlugChat(
            "tenant-one", base_url=base_url, retries=0, http_client=http_client
        ) as client,
    ):
        payloads = [
            (await each.qr_code()).payload for each in (client, client.for_token("tenant-two"))
        ]
        if http_client is not None:
            await http_client.aclose()
    assert payloads == ["2@0001", "2@0002"]
    assert len(set(ports)) == 2


async def test_a_connection_without_surplus_is_kept() -> None:
    """The next call goes over the same one."""
    ports: list[int] = []

    async def answer(connection: SocketStream) -> None:
        ports.append(connection.extra(anyio.abc.SocketAttribute.remote_port))
        await connection.send(CODE % b"code")

    async with (
        serve_raw(answer) as base_url,
        AsyncPlugChat("tenant-one", base_url=base_url) as client,
    ):
        await client.qr_code()
        await client.qr_code()
    assert len(set(ports)) == 1

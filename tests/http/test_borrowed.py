"""A user-supplied client: what of it applies, and what does not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import httpx
import httpx2
import pytest

from plugchat_async import AsyncPlugChat, NetworkError
from tests.scripted_server import TOKEN, ScriptedServer

if TYPE_CHECKING:
    from types import ModuleType

    from tests.scripted_server import Response, StaticResponse

pytestmark = pytest.mark.anyio

CODE: StaticResponse = (200, b'{"value": "2@code"}', {})


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def family(request: pytest.FixtureRequest) -> ModuleType:
    """Use clients of both families."""
    module: ModuleType = request.param
    return module


async def test_a_user_supplied_client_is_never_closed(family: ModuleType) -> None:
    """Its owner closes it."""
    http_client = ScriptedServer(family, CODE).http_client()
    async with AsyncPlugChat(TOKEN, http_client=http_client) as client:
        await client.qr_code()
    assert not http_client.is_closed
    with pytest.raises(RuntimeError, match=r"closed by aclose\(\)"):
        await client.qr_code()
    await http_client.aclose()


async def test_a_client_that_its_owner_has_closed_is_refused(family: ModuleType) -> None:
    """By the name of the argument, and before anything is sent."""
    server = ScriptedServer(family, CODE)
    http_client = server.http_client()
    await http_client.aclose()
    with pytest.raises(RuntimeError, match="http_client was closed by its owner"):
        await AsyncPlugChat(TOKEN, http_client=http_client).qr_code()
    assert server.requests == []


async def test_a_call_that_began_before_the_client_was_closed_makes_no_further_attempt(
    family: ModuleType,
) -> None:
    """The client is lent no more."""
    server = ScriptedServer(family)
    client = server.client()

    async def close_and_fail() -> None:
        await client.aclose()
        raise OSError("gone")

    server.responses = [close_and_fail, CODE]
    with pytest.raises(RuntimeError, match=r"closed by aclose\(\)"):
        await client.qr_code()
    assert len(server.requests) == 1


async def test_its_headers_apply_as_they_are_at_that_moment(family: ModuleType) -> None:
    """Ours win: the token's, the extra headers and the one against compression."""
    server = ScriptedServer(family, CODE, CODE)
    http_client = server.http_client()
    http_client.headers.update({"X-Name": "one", "X-Extra": "theirs", "Accept-Encoding": "br"})
    client = AsyncPlugChat(TOKEN, http_client=http_client, headers={"x-extra": "ours"})
    await client.qr_code()
    http_client.headers["X-Name"] = "another"
    await client.qr_code()
    assert [request.headers["X-Name"] for request in server.requests] == ["one", "another"]
    for request in server.requests:
        assert request.headers.get_list("X-Extra") == ["ours"]
        assert request.headers.get_list("Accept-Encoding") == ["identity"]
        assert request.headers.get_list("Authorization") == [TOKEN]


async def test_the_token_alone_identifies_the_caller(family: ModuleType) -> None:
    """Neither `auth`, nor a default `Authorization`, nor a cookie, nor a parameter goes along."""
    server = ScriptedServer(family, CODE)
    http_client = server.http_client()
    http_client.auth = ("user", "password")
    http_client.headers.update({"Authorization": "Bearer theirs", "Cookie": "session=theirs"})
    http_client.cookies.set("session", "theirs")
    http_client.params = {"key": "theirs"}
    await AsyncPlugChat(TOKEN, http_client=http_client).qr_code()
    (request,) = server.requests
    assert request.headers.get_list("Authorization") == [TOKEN]
    assert "Cookie" not in request.headers
    assert str(request.url) == "https://app.plugchat.com.br/api/whatsapp/qr-code"


async def test_nothing_of_a_request_is_in_the_next_one(family: ModuleType) -> None:
    """Another instance's request has that instance's token, and nothing of the one before."""
    server = ScriptedServer(family, CODE, CODE)
    client = server.client()
    await client.qr_code()
    await client.for_token("another").qr_code()
    assert [request.headers["Authorization"] for request in server.requests] == [TOKEN, "another"]


async def test_its_timeouts_do_not_apply(family: ModuleType) -> None:
    """The deadline of the call is ours; a handshake is watched."""
    server = ScriptedServer(family, CODE)
    await server.client().qr_code()
    (request,) = server.requests
    assert set(request.extensions["timeout"].values()) == {None}


async def test_a_subclass_is_a_client_of_its_family(family: ModuleType) -> None:
    """As are the clients of httpx-aiohttp and of many applications."""

    class Own(family.AsyncClient):  # type: ignore[misc, name-defined]  # either family's
        pass

    server = ScriptedServer(family, CODE)
    async with Own(transport=family.MockTransport(server)) as http_client:
        code = await AsyncPlugChat(TOKEN, http_client=http_client).qr_code()
    assert code.payload == "2@code"


@pytest.mark.parametrize(
    "other", [httpx.Client(), object(), "https://api.example", httpx.AsyncClient]
)
async def test_anything_else_is_refused_immediately(other: object) -> None:
    """A synchronous client would fail at the first call; it is refused before."""
    with pytest.raises(TypeError, match="AsyncClient of httpx or httpx2"):
        AsyncPlugChat("token", http_client=other)  # type: ignore[arg-type]  # on purpose


async def test_after_a_fork_it_is_refused(
    family: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`test_pool` forks; here the process only seems to be another."""
    client = ScriptedServer(family, CODE, CODE).client()
    await client.qr_code()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(RuntimeError, match="make it, and the client, in each process"):
        await client.qr_code()


async def test_a_hook_that_raises_for_another_request_s_status_makes_a_call_fail(
    family: ModuleType,
) -> None:
    """No response to the call arrived by it."""

    async def log_in(response: Response) -> None:
        request = family.Request("GET", "https://login.example")
        family.Response(401, request=request).raise_for_status()

    client = ScriptedServer(family, CODE).client(hook=log_in, retries=0)
    with pytest.raises(NetworkError, match="HTTPStatusError"):
        await client.qr_code()

"""The sandbox's paths, methods and header are the documented ones, and no others."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from plugchat_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Ask = Callable[..., Awaitable[httpx.Response]]

pytestmark = pytest.mark.anyio

ENDPOINTS = [
    "/qr-code",
    "/qr-code/image",
    "/status",
    "/device",
    "/disconnect",
    "/restore-session",
    "/restart",
]


async def request(
    sandbox: Sandbox, method: str, path: str, headers: dict[str, str] | None = None
) -> httpx.Response:
    """Send any request to the sandbox in-process."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        return await client.request(method, f"http://localhost{path}", headers=headers)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_a_call_without_a_token_is_refused(sandbox: Sandbox, endpoint: str) -> None:
    """No `Authorization` header, or an empty one, makes a 401."""
    path = f"/api/whatsapp{endpoint}"
    assert (await request(sandbox, "GET", path)).status_code == 401
    assert (await request(sandbox, "GET", path, {"Authorization": ""})).status_code == 401
    assert [(call.status, call.answer, call.token) for call in sandbox.calls] == [
        (401, "unauthorized", None),
        (401, "unauthorized", ""),
    ]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_only_the_named_tokens_are_let_in(ask: Ask, endpoint: str) -> None:
    """If tokens were named, any other makes a 401."""
    sandbox = Sandbox(tokens=["token-a", "token-b"])
    responses = [await ask(endpoint, token, of=sandbox) for token in ("token-a", "token-b", "x")]
    assert [response.status_code for response in responses] == [200, 200, 401]


async def test_the_header_is_the_token_unchanged(ask: Ask) -> None:
    """A scheme in front makes another token."""
    sandbox = Sandbox(tokens=["Bearer x"])
    responses = [await ask("/status", token, of=sandbox) for token in ("Bearer x", "x", "bearer x")]
    assert [response.status_code for response in responses] == [200, 401, 401]


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_only_get_is_allowed(sandbox: Sandbox, method: str) -> None:
    """Any other method makes a 405 that names GET, and issues no code."""
    for endpoint in ENDPOINTS:
        response = await request(
            sandbox, method, f"/api/whatsapp{endpoint}", {"Authorization": "x"}
        )
        assert response.status_code == 405
        assert response.headers["allow"] == "GET"
    assert sandbox.calls == ()


@pytest.mark.parametrize(
    "path", ["/", "/qr-code", "/api/whatsapp", "/api/whatsapp/qr-code/", "/api/whatsapp/qrcode"]
)
async def test_there_is_nothing_beside_the_endpoints(sandbox: Sandbox, path: str) -> None:
    """Any other path makes a 404, without a redirect."""
    assert (await request(sandbox, "GET", path, {"Authorization": "x"})).status_code == 404
    assert sandbox.calls == ()


def test_without_starlette_the_sandbox_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ImportError says what to install."""
    monkeypatch.setitem(sys.modules, "starlette.responses", None)
    monkeypatch.delitem(sys.modules, "plugchat_async.sandbox._application")
    with pytest.raises(ImportError, match=r"Starlette \(extra \[sandbox\]\): pip install "):
        importlib.import_module("plugchat_async.sandbox._application")

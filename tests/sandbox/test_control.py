"""The sandbox controlled over HTTP: what `Sandbox` does on demand, for any language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from plugchat_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from unittest.mock import Mock

    Ask = Callable[..., Awaitable[httpx.Response]]

pytestmark = pytest.mark.anyio


async def post(sandbox: Sandbox, action: str, **parameters: str) -> httpx.Response:
    """Ask for an action."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        return await client.post(f"http://localhost/sandbox/{action}", params=parameters)


async def done(sandbox: Sandbox, action: str, **parameters: str) -> dict[str, Any]:
    """Ask for an action that is possible."""
    response = await post(sandbox, action, **parameters)
    assert response.status_code == 200
    result: dict[str, Any] = response.json()
    return result


async def test_the_current_code_is_scanned(sandbox: Sandbox, ask: Ask) -> None:
    """Of the instance that is named; there is none before the first one."""
    assert await done(sandbox, "scan", token="token-a") == {"scanned": False}
    await ask("/qr-code")
    assert await done(sandbox, "scan", token="another") == {"scanned": False}
    assert await done(sandbox, "scan", token="token-a") == {"scanned": True}
    assert (await ask("/status")).json()["connected"] is True


async def test_a_payload_is_scanned(sandbox: Sandbox, ask: Ask) -> None:
    """Whichever instance it belongs to."""
    payload = (await ask("/qr-code")).json()["value"]
    assert await done(sandbox, "scan", payload="2@another") == {"scanned": False}
    assert await done(sandbox, "scan", payload=payload) == {"scanned": True}


@pytest.mark.parametrize("tokens", [None, ["token-a", "token-b", "token-c"]])
async def test_without_a_token_each_instance_is_meant(ask: Ask, tokens: list[str] | None) -> None:
    """Whichever tokens the apps under test use."""
    sandbox = Sandbox(tokens=tokens)
    assert await done(sandbox, "scan") == {"scanned": False}
    for token in ("token-a", "token-b"):
        await ask("/qr-code", token, of=sandbox)
    assert await done(sandbox, "scan") == {"scanned": True}
    assert {scan.token for scan in sandbox.scans} == {"token-a", "token-b"}
    assert await done(sandbox, "scan") == {"scanned": False}
    for action, sentence in (
        ("lose-session", "You need to restore the session."),
        ("disconnect", "You are not connected."),
    ):
        await done(sandbox, action)
        for token in ("token-a", "token-b"):
            assert (await ask("/status", token, of=sandbox)).json()["error"] == sentence


async def test_the_phone_scans_by_itself(sandbox: Sandbox, clock: Mock, ask: Ask) -> None:
    """After some seconds; without any, it stops."""
    await done(sandbox, "scan-after", seconds="5")
    await ask("/qr-code")
    clock.return_value += 6
    assert len(sandbox.scans) == 1
    await done(sandbox, "disconnect", token="token-a")
    await done(sandbox, "scan-after")
    await ask("/qr-code")
    clock.return_value += 6
    assert len(sandbox.scans) == 1


async def test_a_session_is_lost(sandbox: Sandbox, ask: Ask) -> None:
    """`/status` asks to restore it."""
    await done(sandbox, "lose-session", token="token-a")
    assert "restore the session" in (await ask("/status")).json()["error"]


async def test_the_next_response_is_ordered(sandbox: Sandbox, ask: Ask) -> None:
    """How often, and for which calls."""
    await done(sandbox, "answer-next", name="rate_limited", times="2", endpoint="/status")
    statuses = [(await ask(endpoint)).status_code for endpoint in ("/qr-code", *["/status"] * 3)]
    assert statuses == [200, 429, 429, 200]


async def test_the_record(sandbox: Sandbox, ask: Ask) -> None:
    """Calls and scans, without tokens and payloads."""
    await ask("/qr-code")
    await done(sandbox, "scan", token="token-a")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        record = (await client.get("http://localhost/sandbox/calls")).json()
    assert record == {
        "calls": [{"endpoint": "/qr-code", "at": 0.0, "status": 200, "answer": "code"}],
        "scans": [{"at": 0.0}],
    }


@pytest.mark.parametrize(
    ("action", "parameters", "reason"),
    [
        ("answer-next", {"name": "nonsense"}, "no response is called 'nonsense'"),
        ("answer-next", {}, "missing query parameter: name"),
        ("answer-next", {"name": "code", "times": "many"}, "times has to be a whole number"),
        ("answer-next", {"name": "code", "times": "1" + "0" * 400}, "times has to be a whole"),
        ("answer-next", {"name": "code", "endpoint": "/nowhere"}, "endpoint has to be"),
        ("answer-next", {"name": "passkey", "endpoint": "/disconnect"}, "never returns"),
        ("answer-next", {"name": "passkey_required", "endpoint": "/device"}, "never returns"),
        ("scan", {"phone": "1"}, "unknown query parameter: phone; there are payload, token"),
        ("scan-after", {"token": "a"}, "unknown query parameter: token; there are seconds"),
        ("scan-after", {"seconds": "soon"}, "seconds has to be a finite number, not 'soon'"),
        ("scan-after", {"seconds": "1e999"}, "seconds has to be a finite number, not '1e999'"),
        ("scan-after", {"seconds": "nan"}, "seconds has to be a finite number, not 'nan'"),
        ("scan-after", {"seconds": "-1"}, "seconds must be 0 or more"),
    ],
)
async def test_a_refusal_gives_the_reason(
    sandbox: Sandbox, action: str, parameters: dict[str, str], reason: str
) -> None:
    """With status 400."""
    response = await post(sandbox, action, **parameters)
    assert response.status_code == 400
    assert reason in response.json()["error"]


async def test_a_body_is_refused(sandbox: Sandbox) -> None:
    """Its parameters would be ignored."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        response = await client.post("http://localhost/sandbox/scan", json={"token": "a"})
    assert response.status_code == 400
    assert "go into the query" in response.json()["error"]


async def test_a_parameter_of_the_record_is_refused(sandbox: Sandbox) -> None:
    """It has none."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        response = await client.get("http://localhost/sandbox/calls", params={"token": "a"})
    assert response.status_code == 400
    assert response.json() == {"error": "unknown query parameter: token; there is none"}


async def test_a_token_that_is_not_let_in(ask: Ask) -> None:
    """It has no instance."""
    response = await post(Sandbox(tokens=["one", "two"]), "disconnect", token="three")
    assert response.status_code == 400
    assert "does not let this token in" in response.json()["error"]

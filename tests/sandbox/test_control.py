"""The sandbox controlled over HTTP: what `Sandbox` does on demand, for any language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from plugchat_async.sandbox import Action, Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from unittest.mock import Mock

    Ask = Callable[..., Awaitable[httpx.Response]]

pytestmark = pytest.mark.anyio


async def post(sandbox: Sandbox, action: str, **parameters: str | list[str]) -> httpx.Response:
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
        "calls": [
            {"endpoint": "/qr-code", "at": 0.0, "status": 200, "answer": "code", "instance": 1}
        ],
        "scans": [{"at": 0.0, "instance": 1}],
    }


async def test_refused_tokens_number_no_instance(ask: Ask) -> None:
    """Those that are let in are numbered as they come."""
    sandbox = Sandbox(tokens=["token-a", "token-b"])
    for token in ("another", "token-b", "another", "token-a", "token-b"):
        await ask("/status", token, of=sandbox)
    assert [call.instance for call in sandbox.calls] == [None, 1, None, 2, 1]


async def test_actions_are_recorded_without_token_and_payload(sandbox: Sandbox, ask: Ask) -> None:
    """Those that were refused, too; on one line each."""
    await ask("/qr-code")
    await done(sandbox, "scan", token="token-a", payload="2@secret")
    await done(sandbox, "answer-next", name="rate_limited", times=" 2\n", endpoint="/status")
    await post(sandbox, "disconnect", **{"a\nb": "c"})
    assert sandbox.actions == (
        Action("scan", 0.0, 200, "", 1),
        Action("answer-next", 0.0, 200, "name=rate_limited times= 2? endpoint=/status", None),
        Action("disconnect", 0.0, 400, "unknown query parameter: a?b; there are token", None),
    )


@pytest.mark.parametrize(
    ("parameters", "is_warned"),
    [({"seconds": "14.9"}, False), ({"seconds": "15"}, True), ({}, False)],
)
async def test_a_phone_that_would_never_scan_is_warned_of(
    sandbox: Sandbox, parameters: dict[str, str], *, is_warned: bool
) -> None:
    """Each code is usually replaced before."""
    result = await done(sandbox, "scan-after", **parameters)
    assert ("every 15 s" in result.get("warning", "")) is is_warned


async def test_an_order_for_any_number_of_calls(sandbox: Sandbox, ask: Ask) -> None:
    """It takes no room, and can be cancelled."""
    await done(sandbox, "answer-next", name="server_error", times="1" + "0" * 30)
    assert [(await ask("/status")).status_code for _ in range(3)] == [500] * 3
    await done(sandbox, "answer-next")
    assert (await ask("/status")).status_code == 200


@pytest.mark.parametrize(
    ("url", "headers", "status"),
    [
        ("http://127.0.0.1", {}, 200),
        ("http://localhost:8025", {"Origin": "http://localhost:3000"}, 200),
        ("http://[::1]:8025", {"Host": "sandbox.localhost"}, 200),
        ("http://127.0.0.1", {"Host": "rebound.example"}, 403),
        ("http://127.0.0.1", {"Host": "127.0.0.1.example:8025"}, 403),
        ("http://127.0.0.1", {"Host": "[", "Origin": "http://["}, 403),
        ("http://127.0.0.1", {"Origin": "https://elsewhere.example"}, 403),
        ("http://127.0.0.1", {"Origin": "null"}, 403),
        ("http://sandbox:8025", {}, 200),
        ("http://sandbox:8025", {"Origin": "http://sandbox:8025"}, 200),
        ("http://sandbox:8025", {"Origin": "http://elsewhere.example"}, 403),
    ],
)
async def test_a_page_elsewhere_controls_nothing(
    sandbox: Sandbox, url: str, headers: dict[str, str], status: int
) -> None:
    """Neither by its origin nor by a name that leads here (DNS rebinding)."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        responses = [
            await client.post(f"{url}/sandbox/disconnect", headers=headers),
            await client.get(f"{url}/sandbox/calls", headers=headers),
        ]
    assert [response.status_code for response in responses] == [status, status]
    assert all("error" in response.json() for response in responses) is (status == 403)


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("POST", "/sandbox/nothing", 404, "there is no /sandbox/nothing; there are scan, "),
        ("GET", "/sandbox/scan", 405, "/sandbox/scan takes POST, not GET"),
        ("POST", "/sandbox/calls", 405, "/sandbox/calls takes GET, not POST"),
    ],
)
async def test_a_wrong_request_is_refused_in_json(
    sandbox: Sandbox, method: str, path: str, status: int, reason: str
) -> None:
    """As every other refusal."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        response = await client.request(method, f"http://localhost{path}")
    assert response.status_code == status
    assert response.json()["error"].startswith(reason)
    assert response.headers.get("allow") == (reason.split()[2][:-1] if status == 405 else None)


@pytest.mark.parametrize(
    ("action", "parameters", "reason"),
    [
        ("answer-next", {"name": "nonsense"}, "no response is called 'nonsense'"),
        ("answer-next", {"name": ""}, "empty query parameter: name"),
        ("scan-after", {"seconds": ""}, "empty query parameter: seconds"),
        ("disconnect", {"token": ""}, "empty query parameter: token"),
        ("answer-next", {"times": "2"}, "missing query parameter: name"),
        ("answer-next", {"name": ["code", "passkey"]}, "repeated query parameter: name"),
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
        ("scan-after", {"seconds": "-1"}, "seconds has to be 0 or more, not '-1'"),
    ],
)
async def test_a_refusal_gives_the_reason(
    sandbox: Sandbox, action: str, parameters: dict[str, str | list[str]], reason: str
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

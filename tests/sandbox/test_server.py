"""The sandbox over a real socket: reachable immediately, gone within a second."""

from __future__ import annotations

import re
import socket
import sys
import threading
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import httpx
import pytest

from plugchat_async import AsyncPlugChat
from plugchat_async.sandbox import Sandbox
from plugchat_async.sandbox._server import serve

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

HEADERS = {"Authorization": "token-a"}


def address(base_url: str) -> tuple[str, int]:
    """Return host and port of a base URL."""
    url = httpx.URL(base_url)
    assert url.port is not None
    return url.host, url.port


@pytest.mark.anyio
async def test_a_phone_is_linked_over_a_socket() -> None:
    """Codes come over real HTTP, and the phone scans them in this process."""
    sandbox = Sandbox()
    async with sandbox.serve() as base_url, httpx.AsyncClient(headers=HEADERS) as client:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api/whatsapp", base_url)
        code = await client.get(f"{base_url}/qr-code")
        assert sandbox.scan(code.json()["value"])
        assert (await client.get(f"{base_url}/status")).json()["connected"] is True
        assert [call.endpoint for call in sandbox.calls] == ["/qr-code", "/status"]


@pytest.mark.anyio
async def test_an_instance_is_changed_over_a_socket() -> None:
    """A phone that scans by itself, a lost session, a restart and a disconnection."""
    sandbox = Sandbox()
    sandbox.scan_after(0)
    async with sandbox.serve() as base_url, httpx.AsyncClient(headers=HEADERS) as client:

        async def get(endpoint: str) -> dict[str, object]:
            content: dict[str, object] = (await client.get(base_url + endpoint)).json()
            return content

        await get("/qr-code")
        assert (await get("/device"))["phone"] == "5511999990000"
        sandbox.lose_session(HEADERS["Authorization"])
        assert (await get("/status"))["error"] == "You need to restore the session."
        assert await get("/restore-session") == {"value": True}
        assert await get("/restart") == {"value": True}
        assert (await get("/status"))["connected"] is True
        assert await get("/disconnect") == {"value": True}
        assert (await get("/device"))["phone"] == ""
        assert len(sandbox.calls) == 8


@pytest.mark.anyio
async def test_the_port_is_free_again_after_the_end() -> None:
    """A sandbox can be served again on its former port, and two have two ports."""
    sandbox = Sandbox()
    async with sandbox.serve() as base_url, Sandbox().serve() as other:
        assert base_url != other
    host, port = address(base_url)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, port), timeout=1)
    async with sandbox.serve(port=port) as again:
        assert again == base_url


@pytest.mark.anyio
async def test_a_taken_port_is_an_immediate_os_error() -> None:
    """The caller learns of it, not a thread's log."""
    async with Sandbox().serve() as base_url:
        _, port = address(base_url)
        with pytest.raises(OSError, match="in use"):
            await Sandbox().serve(port=port).__aenter__()


@pytest.mark.anyio
@pytest.mark.parametrize("port", [-1, 65536])
async def test_a_port_that_cannot_be_is_a_value_error(port: int) -> None:
    """The message names the range."""
    with pytest.raises(ValueError, match="between 0 and 65535"):
        await Sandbox().serve(port=port).__aenter__()


@pytest.mark.anyio
async def test_an_ipv6_address_stands_in_brackets() -> None:
    """The base URL can be used unchanged."""
    sandbox = Sandbox()
    async with (
        sandbox.serve("::1") as base_url,
        httpx.AsyncClient(headers=HEADERS, trust_env=False) as client,
    ):
        assert base_url.startswith("http://[::1]:")
        assert (await client.get(f"{base_url}/status")).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize(("host", "here"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
async def test_if_it_listens_everywhere_its_base_url_is_this_machines(host: str, here: str) -> None:
    """The client refuses plain http to any other."""
    sandbox = Sandbox()
    async with sandbox.serve(host) as base_url, AsyncPlugChat("token", base_url=base_url) as client:
        assert base_url.startswith(f"http://{here}:")
        assert not (await client.status()).connected


@pytest.mark.anyio
async def test_open_connections_do_not_hold_up_the_end() -> None:
    """One kept alive and one in the middle of its request are closed, and the thread is gone."""
    async with httpx.AsyncClient(headers=HEADERS) as client:
        async with Sandbox().serve() as base_url:
            await client.get(f"{base_url}/status")
            with socket.create_connection(address(base_url), timeout=60) as half:
                half.sendall(b"GET /api/whatsapp/qr-code HTTP/1.1\r\nHost: x\r\n")
                await client.get(f"{base_url}/status")
        assert not [thread for thread in threading.enumerate() if thread.name == "plugchat-sandbox"]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # the wait is in uvicorn's own loop
async def test_a_request_without_a_response_does_not_hold_up_the_end() -> None:
    """It is given up after half a second, and the thread is gone."""
    asked = threading.Event()

    async def never(_scope: Scope, _receive: Receive, _send: Send) -> None:
        asked.set()
        await anyio.sleep_forever()

    async with serve(never, host="127.0.0.1", port=0) as base_url:
        with socket.create_connection(address(base_url), timeout=60) as silent:
            silent.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await anyio.to_thread.run_sync(asked.wait, 60)
    assert not [thread for thread in threading.enumerate() if thread.name == "plugchat-sandbox"]


@pytest.mark.anyio
async def test_cancellation_ends_the_server_too() -> None:
    """When the task around it is cancelled, the thread is gone all the same."""
    with anyio.CancelScope() as scope:
        async with Sandbox().serve():
            scope.cancel()
            await anyio.sleep_forever()
    assert not [thread for thread in threading.enumerate() if thread.name == "plugchat-sandbox"]


@pytest.mark.anyio
async def test_an_error_inside_comes_out_as_itself() -> None:
    """No group is wrapped around what the body raises."""
    with pytest.raises(ZeroDivisionError):
        async with Sandbox().serve():
            raise ZeroDivisionError


def test_without_uvicorn_serving_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ImportError says what to install, and the rest of the sandbox works."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "plugchat_async.sandbox._server")
    with pytest.raises(ImportError, match=r"Uvicorn \(extra \[sandbox\]\): pip install "):
        Sandbox().serve()


@pytest.mark.anyio
async def test_an_empty_host_is_refused() -> None:
    """Python would listen on every address of the machine, unasked."""
    with pytest.raises(ValueError, match=r"pass 0\.0\.0\.0"):
        await Sandbox().serve("").__aenter__()

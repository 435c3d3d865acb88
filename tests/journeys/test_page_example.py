"""The documentation's multi-tenant app, run by uvicorn as its docstring says."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import httpx
import pytest

from plugchat_async.sandbox import Sandbox
from tests.camera import read_symbol
from tests.server_sent_events import data_of

if TYPE_CHECKING:
    from collections.abc import Generator

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
TOKENS = {"acme": "the-token-of-acme", "globex": "the-token-of-globex"}

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


@contextmanager
def example(plugchat_url: str) -> Generator[str]:
    """Run the app as a process of its own."""
    # It takes over a port that is open already: nobody else can take it, nor comes too early.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, descriptor = listener.getsockname()[1], listener.fileno()
        command = [sys.executable, "-m", "uvicorn", "multi_tenant_app:app", f"--fd={descriptor}"]
        process = subprocess.Popen(
            command,
            cwd=EXAMPLES,
            env={
                **os.environ,
                "PLUGCHAT_BASE_URL": plugchat_url,
                "TENANT_TOKENS": json.dumps(TOKENS),
            },
            pass_fds=[descriptor],
        )
    try:
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    finally:
        process.kill()
        process.wait()


@contextmanager
def logged_in(url: str, tenant: str) -> Generator[httpx.Client]:
    """Come in as a browser does."""
    with httpx.Client(base_url=url, follow_redirects=True, timeout=60) as browser:
        page = browser.post(f"/login/{tenant}")
        assert page.url.path == "/whatsapp"
        assert page.headers["content-type"].startswith("text/html")
        yield browser


def link(url: str, sandbox: Sandbox) -> None:
    """Link the phone of each tenant, in turn, from their own page."""
    assert httpx.get(f"{url}/whatsapp", timeout=60).status_code == 401  # as soon as it has started
    assert httpx.post(f"{url}/login/nobody").status_code == 404
    assert "Log in as acme" in httpx.get(url).text
    with (
        logged_in(url, "acme") as acme,
        logged_in(url, "globex") as globex,
        acme.stream("GET", "/whatsapp/events") as events,
    ):
        told = events.iter_lines()
        assert data_of("code", told)["rounds"] == 3
        assert sandbox.scan(read_symbol(acme.get("/whatsapp/qr.svg").text))
        assert data_of("connected", told) == {"already": False}
        assert acme.get("/status").json() == {"connected": True}
        assert globex.get("/status").json() == {"connected": False}
        assert globex.get("/whatsapp/qr.svg").status_code == 404
    assert {call.token for call in sandbox.calls} == set(TOKENS.values())


async def test_two_tenants_of_the_example() -> None:
    """Each sees their own code, and uvicorn stops in time."""
    sandbox = Sandbox(tokens=TOKENS.values())
    async with sandbox.serve() as plugchat_url:
        with example(plugchat_url) as url:
            await anyio.to_thread.run_sync(link, url, sandbox)

"""What the guide "Behind a proxy" promises: which way a call goes, and whom it trusts."""

from __future__ import annotations

import os
import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
import trustme

from plugchat_async import AsyncPlugChat, NetworkError
from plugchat_async.sandbox import Sandbox
from tests.app_server import serve_app

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytestmark = pytest.mark.anyio

TOKEN = "the-token-of-a-tenant"


class Refusal(socketserver.StreamRequestHandler):
    """Note what a proxy is asked for, and refuse it."""

    def handle(self) -> None:
        """Read to the end of the headers."""
        assert isinstance(self.server, Proxy)
        for line in iter(self.rfile.readline, b"\r\n"):
            self.server.asked.append(line.decode().strip())
        self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")


class Proxy(socketserver.ThreadingTCPServer):
    """Be a proxy that keeps a record."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Refusal)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """The address for the settings of a client."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def proxy() -> Generator[Proxy]:
    """Run a proxy."""
    with Proxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
async def test_the_environment_s_proxy_is_used_and_never_sees_the_token(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """It is asked for a tunnel to PlugChat, in which TLS hides what is said."""
    monkeypatch.setenv(variable, proxy.url)
    async with AsyncPlugChat(TOKEN, retries=0) as client:
        with pytest.raises(NetworkError):
            await client.qr_code()
    assert proxy.asked[0] == "CONNECT app.plugchat.com.br:443 HTTP/1.1"
    assert TOKEN not in "".join(proxy.asked)


async def test_a_proxy_of_one_s_own_choice_is_used(proxy: Proxy) -> None:
    """By a client that is brought along."""
    async with (
        httpx.AsyncClient(proxy=proxy.url) as http_client,
        AsyncPlugChat(TOKEN, retries=0, http_client=http_client) as client,
    ):
        with pytest.raises(NetworkError):
            await client.qr_code_image()
    assert proxy.asked[0] == "CONNECT www.plugchat.com.br:443 HTTP/1.1"


async def test_hosts_under_no_proxy_are_asked_directly(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a sandbox on this machine."""
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with Sandbox().serve() as base_url, AsyncPlugChat(TOKEN, base_url=base_url) as client:
        assert not (await client.status()).connected
    assert proxy.asked == []


async def test_a_client_that_does_not_trust_the_environment_goes_directly(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`trust_env=False` leaves the variables unread."""
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    async with (
        Sandbox().serve() as base_url,
        httpx.AsyncClient(trust_env=False) as http_client,
        AsyncPlugChat(TOKEN, base_url=base_url, http_client=http_client) as client,
    ):
        assert not (await client.status()).connected
    assert proxy.asked == []


@contextmanager
def sandbox_over_tls(authority: trustme.CA, folder: Path) -> Generator[str]:
    """Serve a sandbox with a certificate that no public authority knows."""
    certificate = authority.issue_cert("localhost")
    pem = folder / "server.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(pem))
    with serve_app(Sandbox(), ssl_certfile=pem, lifespan="off") as port:
        yield f"https://localhost:{port}/api/whatsapp"


def status(base_url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Ask in a process of its own, since the trusted authorities are read once a process."""
    variables = {"PLUGCHAT_TOKEN": TOKEN, "PLUGCHAT_BASE_URL": base_url, **environment}
    command = [sys.executable, "-m", "plugchat_async", "status"]
    return subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_private_authority_is_trusted_by_ssl_cert_file(tmp_path: Path) -> None:
    """And by nothing else: without it there is no answer."""
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with sandbox_over_tls(authority, tmp_path) as base_url:
        trusting, refusing = status(base_url, SSL_CERT_FILE=str(bundle)), status(base_url)
    assert trusting.stdout.startswith("Not connected")
    assert "[network_error]" in refusing.stderr

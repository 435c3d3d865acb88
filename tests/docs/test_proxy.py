"""Promises of the guide to outbound proxies: which way a call goes, and whom it trusts."""

from __future__ import annotations

import gc
import os
import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
import trustme

from plugchat_async import AsyncPlugChat, NetworkError, PlugChatError, RequestTimeout
from plugchat_async.sandbox import Sandbox
from tests.app_server import serve_app
from tests.raw_server import listen

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from anyio.abc import SocketStream

pytestmark = [pytest.mark.anyio, pytest.mark.journey]

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


async def test_the_proxy_of_a_user_supplied_client_is_used(proxy: Proxy) -> None:
    """Whatever the environment says."""
    async with (
        httpx.AsyncClient(proxy=proxy.url) as http_client,
        AsyncPlugChat(TOKEN, retries=0, http_client=http_client) as client,
    ):
        with pytest.raises(NetworkError):
            await client.qr_code_image()
    assert proxy.asked[0] == "CONNECT www.plugchat.com.br:443 HTTP/1.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_this_machine_is_asked_directly(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """No proxy has a way to it, and none is told the token of plain http."""
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    async with Sandbox().serve() as base_url:
        async with AsyncPlugChat(TOKEN, base_url=base_url.replace("127.0.0.1", host)) as client:
            assert not (await client.status()).connected
    assert proxy.asked == []


@pytest.mark.parametrize(("direct", "asked"), [("gateway.test", 0), ("other.test", 1)])
async def test_hosts_under_no_proxy_are_asked_directly(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, direct: str, asked: int
) -> None:
    """And all others by the proxy."""
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", direct)
    async with AsyncPlugChat(
        TOKEN, base_url="http://gateway.test:9", allow_insecure_http=True, timeout=5, retries=0
    ) as client:
        with pytest.raises(PlugChatError):
            await client.status()
    assert proxy.asked[:1] == ["GET http://gateway.test:9/status HTTP/1.1"][:asked]


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


# How a SOCKS proxy agrees to go on without a password, and that it is connected.
AGREED = [b"\x05\x00", b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"]


@pytest.mark.parametrize(
    ("responses", "error"),
    [
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], NetworkError),
        ([], RequestTimeout),
        (AGREED[:1], RequestTimeout),
        (AGREED, RequestTimeout),
        ([*AGREED, b"no TLS"], NetworkError),
    ],
)
async def test_a_faulty_socks_proxy_causes_one_of_our_errors(
    monkeypatch: pytest.MonkeyPatch, responses: list[bytes], error: type[PlugChatError]
) -> None:
    """And its connection is closed, or pytest would warn."""

    async def handle(connection: SocketStream) -> None:
        async with connection:
            for each in responses:
                await connection.receive()
                await connection.send(each)
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    await connection.receive()

    async with listen(handle) as port:
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{port}")
        async with AsyncPlugChat(TOKEN, retries=0, timeout=1) as client:
            with pytest.raises(error):
                await client.qr_code()
        gc.collect()


@contextmanager
def sandbox_over_tls(authority: trustme.CA, folder: Path) -> Generator[str]:
    """Serve a sandbox with a certificate that no public authority knows."""
    certificate = authority.issue_cert("localhost")
    pem = folder / "server.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(pem))
    with serve_app(Sandbox(), ssl_certfile=pem, lifespan="off") as port:
        yield f"https://localhost:{port}/api/whatsapp"


def status(base_url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Ask in a separate process: certificate authorities are read once a process."""
    variables = {"PLUGCHAT_TOKEN": TOKEN, "PLUGCHAT_BASE_URL": base_url, **environment}
    command = [sys.executable, "-m", "plugchat_async", "status"]
    return subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_private_certificate_authority_is_trusted_by_ssl_cert_file(tmp_path: Path) -> None:
    """And by nothing else: without it no response arrives."""
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with sandbox_over_tls(authority, tmp_path) as base_url:
        trusting, refusing = status(base_url, SSL_CERT_FILE=str(bundle)), status(base_url)
        with pytest.raises(NetworkError, match=r"CERTIFICATE_VERIFY_FAILED.* certificate"):
            await AsyncPlugChat(TOKEN, base_url=base_url, retries=0).status()
    assert trusting.stdout.startswith("Not connected")
    assert "[network_error]" in refusing.stderr

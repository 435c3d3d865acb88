"""Mistakes in this machine's environment are told by the variables to check, and never retried."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from plugchat_async import AsyncPlugChat, NetworkError
from plugchat_async._http import pool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

PROXY = "http://proxy.example:8080"
PASSWORD = "s3cret"

VARIABLES = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"]


@pytest.fixture(autouse=True)
def _ca_bundle_unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    # Read once a process, whatever the environment becomes.
    pool._read_ca_bundle.cache_clear()
    yield
    pool._read_ca_bundle.cache_clear()


@pytest.mark.parametrize(
    ("environment", "reason", "named"),
    [
        ({"NO_PROXY": "[::1]"}, "NO_PROXY can't be parsed", ["NO_PROXY"]),
        ({"NO_PROXY": "localhost,fe80::/10"}, "NO_PROXY can't be parsed", ["NO_PROXY"]),
        (
            {"NO_PROXY": "[::1]", "HTTPS_PROXY": PROXY, "ALL_PROXY": "proxy.example:8080"},
            "NO_PROXY can't be parsed",
            ["NO_PROXY"],
        ),
        (
            {"https_proxy": f"http://user:{PASSWORD}/x@proxy.example"},
            "HTTPS_PROXY can't be parsed",
            ["HTTPS_PROXY"],
        ),
        (
            {"HTTPS_PROXY": f"user:{PASSWORD}/x@proxy.example", "HTTP_PROXY": PROXY},
            "HTTPS_PROXY can't be parsed",
            ["HTTPS_PROXY"],
        ),
        (
            {"ALL_PROXY": f"http://user:{PASSWORD}@proxy:x", "HTTP_PROXY": f"http://:{PASSWORD}:x"},
            "HTTP_PROXY and ALL_PROXY can't be parsed",
            ["HTTP_PROXY", "ALL_PROXY"],
        ),
        (
            {"ALL_PROXY": f"gopher://user:{PASSWORD}@proxy.example", "HTTP_PROXY": PROXY},
            "Unknown scheme",
            ["ALL_PROXY"],
        ),
        ({"HTTPS_PROXY": "http://[bad"}, "HTTPS_PROXY can't be parsed", ["HTTPS_PROXY"]),
        ({"ALL_PROXY": "http://:8080"}, "ALL_PROXY can't be parsed", ["ALL_PROXY"]),
        ({"ALL_PROXY": f"{PROXY}0"}, "ALL_PROXY can't be parsed", ["ALL_PROXY"]),
        ({"SSL_CERT_FILE": "/nowhere/ca.pem"}, "No such file", ["SSL_CERT_FILE"]),
        (
            {"SSL_CERT_FILE": "/nowhere/ca.pem", "SSL_CERT_DIR": "/nowhere"},
            "No such file",
            ["SSL_CERT_FILE"],
        ),
        ({"SSL_CERT_DIR": "/nowhere"}, "SSL_CERT_DIR is not a directory", ["SSL_CERT_DIR"]),
        ({"SSL_CERT_DIR": __file__}, "SSL_CERT_DIR is not a directory", ["SSL_CERT_DIR"]),
        ({"SSL_CERT_FILE": __file__, "ALL_PROXY": PROXY}, "certificate", ["SSL_CERT_FILE"]),
    ],
)
async def test_a_mistake_in_the_environment_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], reason: str, named: list[str]
) -> None:
    """After one attempt, with no password; the next call works once the mistake is mended."""
    with monkeypatch.context() as mistaken:
        for name, value in environment.items():
            mistaken.setenv(name, value)
        error = await failure()
    assert error.is_local
    assert reason in str(error)
    check = str(error).rpartition("check the environment variable")[2]
    assert [name for name in VARIABLES if name in check] == sorted(named, key=VARIABLES.index)
    assert PASSWORD not in f"{error}{error.__cause__}"
    assert error.__context__ is None


async def test_a_proxy_by_its_ipv6_address_and_one_directory_of_several_are_not_mistakes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The call goes to the proxy, where nothing listens."""
    monkeypatch.setenv("HTTPS_PROXY", "http://[::1]:9")
    monkeypatch.setenv("SSL_CERT_DIR", os.pathsep.join(("/nowhere", str(tmp_path))))
    async with AsyncPlugChat("token", retries=0) as client:
        with pytest.raises(NetworkError, match="ConnectError") as caught:
            await client.status()
    assert not caught.value.is_local


async def test_a_missing_package_names_the_variable_that_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A SOCKS proxy needs `httpx[socks]`; the other proxy does not."""
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.example:1080")
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    error = await failure()
    assert "httpx[socks]" in str(error)
    assert str(error).endswith("check the environment variable ALL_PROXY")


async def test_no_variable_is_named_if_none_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason alone tells what to do, such as when no file can be opened."""

    def fail() -> None:
        raise OSError("Too many open files")

    monkeypatch.setattr(httpx, "create_ssl_context", fail)
    assert str(await failure()) == "no connection can be made, Too many open files"


async def test_what_was_not_sent_has_not_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a mistake in the environment there is nothing to ask `status()` for."""
    monkeypatch.setenv("NO_PROXY", "[::1]")
    with pytest.raises(NetworkError, match=r"check the environment variable NO_PROXY$"):
        await AsyncPlugChat("token").restart()


async def failure() -> NetworkError:
    """Call PlugChat, and return the error; the pauses of further attempts would take minutes."""
    async with AsyncPlugChat("token", retries=50) as client:
        with pytest.raises(NetworkError) as caught, anyio.fail_after(30):
            await client.status()
    return caught.value

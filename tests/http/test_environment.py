"""Mistakes in this machine's environment are told by the variables to check, and never retried."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from plugchat_async import AsyncPlugChat, NetworkError
from plugchat_async._http import environment, pool

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


NOT_A_PROXY = "is not a proxy's URL, such as http://proxy.example:3128"
QUOTED = "is in quotation marks, which are a part of it: remove them"
SECRET_PROXY = f"http://user:{PASSWORD}@proxy.example"


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"NO_PROXY": "[::1]"}, "NO_PROXY can't be parsed: remove '[::1]'"),
        (
            {"NO_PROXY": "localhost, fe80::/10,::1,.a.example,https://a.example,,[::]"},
            "NO_PROXY can't be parsed: remove 'fe80::/10', '[::]'",
        ),
        (
            {"NO_PROXY": f"http://user:{PASSWORD}@[::", "HTTPS_PROXY": PROXY},
            "NO_PROXY can't be parsed: remove '[::'",
        ),
        ({"https_proxy": f"http://user:{PASSWORD}/x@proxy.example"}, f"HTTPS_PROXY {NOT_A_PROXY}"),
        (
            {"HTTPS_PROXY": f"user:{PASSWORD}/x@proxy.example", "HTTP_PROXY": PROXY},
            f"HTTPS_PROXY {NOT_A_PROXY}",
        ),
        (
            {"ALL_PROXY": f"http://user:{PASSWORD}@proxy:x", "HTTP_PROXY": f"http://:{PASSWORD}:x"},
            f"HTTP_PROXY {NOT_A_PROXY}; ALL_PROXY {NOT_A_PROXY}",
        ),
        (
            {"ALL_PROXY": f"gopher://user:{PASSWORD}@proxy.example", "HTTP_PROXY": PROXY},
            f"ALL_PROXY {NOT_A_PROXY}",
        ),
        *(
            ({"HTTPS_PROXY": f"{marks[0]}{SECRET_PROXY}{marks[1]}"}, f"HTTPS_PROXY {QUOTED}")
            for marks in ['""', "''", "“”"]
        ),
        ({"HTTPS_PROXY": f'"{SECRET_PROXY}'}, f"HTTPS_PROXY {NOT_A_PROXY}"),
        ({"HTTPS_PROXY": f"HTTPS_PROXY={SECRET_PROXY}"}, f"HTTPS_PROXY {NOT_A_PROXY}"),
        ({"HTTPS_PROXY": "'proxy.example:3128'"}, f"HTTPS_PROXY {QUOTED}"),
        *(
            ({"HTTPS_PROXY": f"http://user:{PASSWORD}@{host}"}, f"HTTPS_PROXY {NOT_A_PROXY}")
            for host in [
                *("127.0.0.1:65536", "127.0.0.1:0", "127.0.0.1:-5", ":3128", "exa mple:80"),
                *("a..b:80", f"{'a' * 64}.example"),
            ]
        ),
    ],
)
async def test_a_mistake_in_the_environment_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], reason: str
) -> None:
    """After one attempt, with no password; the next call works once the mistake is mended."""
    with monkeypatch.context() as mistaken:
        for name, value in variables.items():
            mistaken.setenv(name, value)
        error = await failure()
    assert error.is_local
    start = f"no connection can be made, since the environment variable {reason}"
    assert str(error).startswith(start)
    assert str(error.__cause__) in str(error)
    assert PASSWORD not in f"{error}{error.__cause__!r}"
    assert error.__context__ is None


@pytest.mark.parametrize(
    ("variables", "reason", "name"),
    [
        ({"SSL_CERT_FILE": "/nowhere/ca.pem"}, "No such file", "SSL_CERT_FILE"),
        (
            {"SSL_CERT_FILE": "/nowhere/ca.pem", "SSL_CERT_DIR": "/nowhere"},
            "No such file",
            "SSL_CERT_FILE",
        ),
        ({"SSL_CERT_DIR": "/nowhere"}, "SSL_CERT_DIR is not a directory", "SSL_CERT_DIR"),
        ({"SSL_CERT_DIR": __file__}, "SSL_CERT_DIR is not a directory", "SSL_CERT_DIR"),
        ({"SSL_CERT_FILE": __file__, "ALL_PROXY": PROXY}, "certificate", "SSL_CERT_FILE"),
    ],
)
async def test_certificates_that_can_t_be_read_name_their_variable(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], reason: str, name: str
) -> None:
    """Beside the operating system's reason."""
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    error = await failure()
    assert error.is_local
    assert reason in str(error)
    assert str(error).endswith(f": check the environment variable {name}")
    assert error.__context__ is None


@pytest.mark.parametrize(
    "proxy", ["proxy.example", "http://[::1]:3128", "http://10.0.0.1:65535", "http://my_proxy:1"]
)
async def test_a_proxy_is_taken(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """With or without a scheme, a name or an address."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    environment.check_proxies()


def test_one_directory_of_several_is_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As OpenSSL has it."""
    monkeypatch.setenv("SSL_CERT_DIR", os.pathsep.join(("/nowhere", str(tmp_path))))
    environment.check_certificates()


async def test_a_proxy_that_is_not_used_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """`NO_PROXY=*` switches all of them off."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:99999")
    monkeypatch.setenv("NO_PROXY", "localhost,*")
    environment.check_proxies()


@pytest.mark.parametrize("scheme", ["socks5", "SOCKS5"])
async def test_a_missing_package_names_the_variable_that_needs_it(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """A SOCKS proxy needs `httpx[socks]`; the other proxy does not."""
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://proxy.example:1080")
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    assert str(await failure()) == (
        "no connection can be made, since the environment variable ALL_PROXY names a SOCKS proxy:"
        " run pip install 'httpx[socks]'"
    )


async def test_no_variable_is_named_if_none_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason alone tells what to do, such as when no file can be opened."""

    def fail() -> None:
        raise OSError("Too many open files")

    monkeypatch.setattr(httpx, "create_ssl_context", fail)
    assert str(await failure()) == "no connection can be made, Too many open files"


async def test_a_request_that_was_not_sent_has_not_happened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a mistake in the environment there is nothing to ask `status()` for."""
    monkeypatch.setenv("NO_PROXY", "[::1]")
    with pytest.raises(NetworkError, match=r"variable NO_PROXY can't be parsed: remove .*'$"):
        await AsyncPlugChat("token").restart()


async def failure() -> NetworkError:
    """Call PlugChat, and return the error; the pauses of further attempts would take minutes."""
    async with AsyncPlugChat("token", retries=50) as client:
        with pytest.raises(NetworkError) as caught, anyio.fail_after(30):
            await client.status()
    return caught.value

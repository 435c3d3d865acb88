"""The page behind nginx, with the documentation's own configuration."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
import trustme

from .browsing import ONE_CODE, REFUSED, read, wait_for
from .page_site import Site, link_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from plugchat_async.sandbox import Sandbox

    from .browsing import OpenWindow

pytestmark = pytest.mark.browser

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "deployment.md"
CONFIGURATION = (
    GUIDE.read_text("utf-8").partition('```nginx title="nginx.conf"\n')[2].partition("```")[0]
)
# What stands around it in Debian's nginx.conf.
AROUND = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def nginx(folder: Path, server: str) -> Generator[None]:
    """Run nginx with a server block until the block ends."""
    file = folder / "nginx.conf"
    file.write_text(AROUND.format(folder=folder, server=server), "utf-8")
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
    assert program, "install nginx"
    process = subprocess.Popen([program, "-c", str(file), "-e", str(folder / "error.log")])
    try:
        deadline = time.monotonic() + 30
        # It listens before it writes that file.
        while not (folder / "nginx.pid").exists():
            assert process.poll() is None, (folder / "error.log").read_text("utf-8")
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def behind_nginx(
    tmp_path: Path, plugchat_url: str
) -> Generator[Callable[[Callable[[str], str]], str]]:
    """Give a way to serve the page behind nginx, its configuration changed; give its authority."""
    authority = trustme.CA().issue_cert("app.example")
    key, chain = tmp_path / "key.pem", tmp_path / "fullchain.pem"
    authority.private_key_pem.write_to_path(key)
    for certificate in authority.cert_chain_pems:
        certificate.write_to_path(chain, append=True)

    def serve(change: Callable[[str], str]) -> str:
        app_port, port = free_port(), free_port()
        site = Site(plugchat_url, app_port, root_path="/shop", **ONE_CODE)
        stack.enter_context(site.running())
        server = change(CONFIGURATION.replace("listen 443 ", f"listen 127.0.0.1:{port} "))
        server = server.replace("127.0.0.1:8026", f"127.0.0.1:{app_port}")
        server = server.replace("/etc/ssl/app.example", str(tmp_path))
        stack.enter_context(nginx(tmp_path, server))
        return f"app.example:{port}"

    with ExitStack() as stack:
        yield serve


def without_tls(server: str) -> str:
    """Serve plain HTTP, over which browsers send no `Sec-Fetch-Site`."""
    return re.sub("ssl_certificate.*;", "", server.replace(" ssl http2;", ";"))


def with_host(variable: Literal["$host", "$http_host"]) -> Callable[[str], str]:
    """Pass on one or the other as the header `Host`, over plain HTTP."""
    return lambda server: without_tls(server).replace("$http_host", variable)


def test_the_page_behind_tls_and_a_prefix(
    sandbox: Sandbox, behind_nginx: Callable[[Callable[[str], str]], str], window: OpenWindow
) -> None:
    """As the documentation says it: from the first code over the button to the scan."""
    authority = behind_nginx(str)
    page = window(f"https://{authority}/shop/whatsapp", ignore_https_errors=True)
    wait_for(page, "expired")
    page.get_by_role("button").click()
    wait_for(page, "code")
    assert sandbox.scan(read(page))
    wait_for(page, "connected")


def test_a_link_is_not_in_the_log_of_nginx(
    behind_nginx: Callable[[Callable[[str], str]], str], window: OpenWindow, tmp_path: Path
) -> None:
    """Whoever reads the log can't open it."""
    authority = behind_nginx(str)
    window(f"https://{authority}/shop/whatsapp", ignore_https_errors=True)
    url = link_beside(f"https://{authority}/shop/whatsapp")
    page = window(url, ignore_https_errors=True)
    page.get_by_role("button").click()
    wait_for(page, "code")
    log = (tmp_path / "access.log").read_text("utf-8")
    assert "/shop/whatsapp" in log
    assert "/link/" not in log


@pytest.mark.parametrize(("variable", "state"), [("$http_host", "code"), ("$host", "declined")])
def test_without_tls_the_port_has_to_be_passed_on(
    behind_nginx: Callable[[Callable[[str], str]], str],
    window: OpenWindow,
    variable: Literal["$host", "$http_host"],
    state: str,
) -> None:
    """With nginx's `$host` the button is refused, and the page says so."""
    authority = behind_nginx(with_host(variable))
    page = window(f"http://{authority}/shop//whatsapp", expected=REFUSED)
    wait_for(page, "expired")
    page.get_by_role("button").click()
    wait_for(page, state)

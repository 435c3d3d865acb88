"""The page behind reverse proxies, with the configuration of the guide "Deployment"."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import httpx
import pytest
import trustme

from .browsing import REFUSED, read, wait_for
from .page_site import Site, link_beside
from .reverse_proxies import free_port, logs_in, nginx, running

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from plugchat_async.sandbox import Sandbox

    from .browsing import OpenWindow

pytestmark = pytest.mark.browser

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "deployment.md").read_text("utf-8")
FILES = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', GUIDE, re.MULTILINE | re.DOTALL))

BEFORE_CADDY = "{\n admin off\n auto_https disable_redirects\n servers {\n protocols h1 h2\n }\n}\n"


class Proxy:
    """A reverse proxy in a folder, in front of an app."""

    def __init__(self, folder: Path, app_port: int) -> None:
        self.port = free_port()
        self._folder = folder
        self.app_port = app_port

    @property
    def logs(self) -> str:
        """All that it wrote."""
        return logs_in(self._folder)

    def configuration(self, name: str) -> str:
        """Return a file of the guide, with the folder and the port of the app."""
        text = FILES[name].replace("127.0.0.1:8026", f"127.0.0.1:{self.app_port}")
        folders = r"/etc/ssl/app\.example|/etc/traefik|/var/log/(?:traefik|caddy)"
        return re.sub(folders, str(self._folder), text)

    def nginx(self, change: Callable[[str], str] = str) -> list[str]:
        """Return the command that runs nginx, with its configuration changed."""
        server = self.configuration("nginx.conf")
        server = server.replace("listen 443 ", f"listen 127.0.0.1:{self.port} ")
        return nginx(self._folder, change(server))

    def traefik(self) -> list[str]:
        """Return the command that runs Traefik."""
        static = self.configuration("traefik.yml").replace(" :443", f" 127.0.0.1:{self.port}")
        static += "global:\n  checkNewVersion: false\n"
        (self._folder / "traefik.yml").write_text(static, "utf-8")
        (self._folder / "shop.yml").write_text(self.configuration("shop.yml"), "utf-8")
        return ["traefik", f"--configFile={self._folder / 'traefik.yml'}"]

    def caddy(self) -> list[str]:
        """Return the command that runs Caddy."""
        file = self._folder / "Caddyfile"
        site = self.configuration("Caddyfile")
        site = site.replace("app.example {", f"app.example:{self.port} {{\n bind 127.0.0.1", 1)
        file.write_text(BEFORE_CADDY + site, "utf-8")
        return ["caddy", "run", "--adapter=caddyfile", f"--config={file}"]

    def running(self, command: list[str], scheme: str = "https") -> AbstractContextManager[None]:
        """Run it until the block ends."""
        return running(self._folder, command, lambda: self._serves(scheme))

    def _serves(self, scheme: str) -> bool:
        try:
            # Traefik listens before it has read where to pass requests on.
            with httpx.Client(verify=False) as client:
                return client.get(
                    f"{scheme}://127.0.0.1:{self.port}/shop/whatsapp",
                    headers={"Host": f"app.example:{self.port}"},
                    extensions={"sni_hostname": "app.example"},
                ).is_success
        except httpx.TransportError:
            return False


@pytest.fixture
def proxy(tmp_path: Path, plugchat_url: str) -> Generator[Proxy]:
    """Give a proxy in front of an app that runs, with a certificate beside its files."""
    certificate = trustme.CA().issue_cert("app.example")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for each in certificate.cert_chain_pems:
        each.write_to_path(tmp_path / "fullchain.pem", append=True)
    proxy = Proxy(tmp_path, free_port())
    with Site(plugchat_url, proxy.app_port, root_path="/shop", status_interval=0.1).running():
        yield proxy


@pytest.mark.parametrize("program", ["nginx", "traefik", "caddy"])
def test_the_page_and_a_link_behind_tls_and_a_prefix(
    sandbox: Sandbox,
    proxy: Proxy,
    window: OpenWindow,
    program: Literal["nginx", "traefik", "caddy"],
) -> None:
    """Events and buttons get through, and no log has the link."""
    url = f"https://app.example:{proxy.port}/shop/whatsapp"
    link = link_beside(url)
    with proxy.running(getattr(proxy, program)()):
        page = window(url, ignore_https_errors=True)
        by_link = window(link, ignore_https_errors=True)
        by_link.get_by_role("button").click()
        wait_for(by_link, "code")
        assert sandbox.scan(read(by_link))
        wait_for(page, "connected")
        wait_for(by_link, "connected")
    assert "/shop/whatsapp" in proxy.logs
    assert link.rpartition("/")[2] not in proxy.logs


def without_tls(server: str) -> str:
    """Serve plain HTTP, over which browsers send no `Sec-Fetch-Site`."""
    return re.sub("ssl_certificate.*;", "", server.replace(" ssl http2;", ";"))


@pytest.mark.parametrize(("variable", "state"), [("$http_host", "code"), ("$host", "declined")])
def test_without_tls_the_port_has_to_be_passed_on(
    proxy: Proxy, window: OpenWindow, variable: str, state: str
) -> None:
    """With nginx's `$host` the button is refused, and the page says so."""
    command = proxy.nginx(lambda server: without_tls(server).replace("$http_host", variable))
    with proxy.running(command, "http"):
        url = link_beside(f"http://app.example:{proxy.port}/shop//whatsapp")
        page = window(url, expected=REFUSED)
        page.get_by_role("button").click()
        wait_for(page, state)

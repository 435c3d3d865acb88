"""The documentation's apps around the page, run by uvicorn as their docstrings say."""

from __future__ import annotations

import os
import re
import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager
from email import message_from_string
from typing import TYPE_CHECKING

import httpx
import pytest

from plugchat_async.sandbox import Sandbox
from tests.app_server import serve_plugchat
from tests.camera import read_symbol
from tests.sandbox_calls import codes_requested
from tests.server_sent_events import data_of

from .served_example import EXAMPLES, served_example

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

TOKENS = {"acme": "the-token-of-acme", "globex": "the-token-of-globex"}
SECRET = "a secret of more than 32 characters"


@pytest.fixture
def sandbox() -> Sandbox:
    """Give a PlugChat with two instances."""
    return Sandbox(tokens=TOKENS.values())


@pytest.fixture
def plugchat_url(sandbox: Sandbox) -> Generator[str]:
    """Serve that PlugChat."""
    with serve_plugchat(sandbox) as base_url:
        yield base_url


@contextmanager
def logged_in(url: str, tenant: str) -> Generator[httpx.Client]:
    """Come in as a browser does."""
    with httpx.Client(base_url=url, follow_redirects=True, timeout=60) as browser:
        page = browser.post(f"/login/{tenant}")
        assert page.url.path == "/whatsapp"
        assert page.headers["content-type"].startswith("text/html")
        yield browser


def link(sandbox: Sandbox, browser: httpx.Client, url: str) -> None:
    """Link a phone from a page."""
    with browser.stream("GET", f"{url}/events") as events:
        told = events.iter_lines()
        assert data_of("code", told)["rounds"] == 3
        assert sandbox.scan(read_symbol(browser.get(f"{url}/qr.svg").text))
        assert data_of("connected", told) == {"already": False}


def test_two_tenants_of_the_app_with_a_cookie(
    sandbox: Sandbox, plugchat_url: str, tmp_path: Path
) -> None:
    """Each sees their own code, and uvicorn stops in time."""
    environment = {"DATABASE": str(tmp_path / "tenants.sqlite3"), "SESSION_SECRET": SECRET}
    with served_example("multi_tenant_app", plugchat_url, TOKENS, **environment) as url:
        # As soon as it has started.
        assert httpx.get(f"{url}/whatsapp", timeout=60).status_code == 401
        assert httpx.post(f"{url}/login/nobody").status_code == 404
        assert "Log in as acme" in httpx.get(url).text
        with logged_in(url, "acme") as acme, logged_in(url, "globex") as globex:
            link(sandbox, acme, "/whatsapp")
            assert acme.get("/status").json() == {"was_linked": True, "connected": True}
            assert globex.get("/status").json() == {"was_linked": False, "connected": False}
            assert globex.get("/whatsapp/qr.svg").status_code == 404
    assert {call.token for call in sandbox.calls} == set(TOKENS.values())


def test_the_django_site_and_its_login(sandbox: Sandbox, plugchat_url: str, tmp_path: Path) -> None:
    """Django serves the rest of the site, and its session opens the page."""
    environment = {"DATABASE": str(tmp_path / "site.sqlite3"), "DJANGO_SECRET_KEY": SECRET}
    subprocess.run(
        [sys.executable, EXAMPLES / "django_site.py", "migrate", "--verbosity=0"],
        env={**os.environ, **environment, "TENANT_TOKENS": "{}"},
        check=True,
    )
    with (
        served_example("django_site", plugchat_url, TOKENS, **environment) as url,
        httpx.Client(base_url=url, timeout=60) as browser,
    ):
        assert "Link your WhatsApp" in browser.get("/").text
        for path in ("/whatsapp", "/whatsapp/events"):
            assert browser.get(path).status_code == 401
        assert browser.get("/login/acme").text == "Welcome, acme"
        assert browser.get("/whatsapp").status_code == 200
        link(sandbox, browser, "/whatsapp")
    assert {call.token for call in sandbox.calls} == {TOKENS["acme"]}


class Mailbox(socketserver.StreamRequestHandler):
    """A mail server that keeps one letter."""

    letters: list[str] = []  # noqa: RUF012 - of the one server of the one test

    def handle(self) -> None:
        """Take a letter, as RFC 5321 has it."""
        self.wfile.write(b"220 mail.example\r\n")
        while command := self.rfile.readline()[:4].upper():
            match command:
                case b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    self.letters.append(b"".join(lines).decode())
                    self.wfile.write(b"250 kept\r\n")
                case b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                case _:
                    self.wfile.write(b"250 fine\r\n")


@pytest.fixture
def mailbox() -> Generator[int]:
    """Serve a mailbox; give its port."""
    with socketserver.TCPServer(("127.0.0.1", 0), Mailbox) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_link_by_e_mail(sandbox: Sandbox, plugchat_url: str, mailbox: int) -> None:
    """It opens the page of one tenant; a scanner of the letter requests no code."""
    environment = {
        "PUBLIC_URL": "http://127.0.0.1:{port}",
        "SMTP_PORT": str(mailbox),
        "LINK_SECRET": SECRET,
    }
    with (
        served_example("link_by_email", plugchat_url, TOKENS, **environment) as url,
        httpx.Client(timeout=60) as browser,
    ):
        sent = browser.post(f"{url}/invitations/acme", params={"email": "ana@acme.example"})
        assert sent.status_code == 204
        (letter,) = Mailbox.letters
        message = message_from_string(letter)
        assert message["To"] == "ana@acme.example"
        text = message.get_payload(decode=True)
        assert isinstance(text, bytes)
        (address,) = re.findall(r"http\S+", text.decode())
        for path in ("", "/events", "/qr.svg"):
            browser.get(address + path)
        assert codes_requested(sandbox) == 0
        page = browser.get(address).text
        (return_url,) = re.findall(r'"return_url": "([^"]+)"', page)
        assert "Your WhatsApp is linked" in browser.get(return_url).text
        assert browser.post(f"{address}/start").status_code == 204
        link(sandbox, browser, address)
    assert {call.token for call in sandbox.calls} == {TOKENS["acme"]}

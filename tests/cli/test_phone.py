"""A phone that scans by itself what goes out over the wire."""

from __future__ import annotations

import sys
from typing import Any

import anyio
import pytest

from plugchat_async.cli._phone import SandboxWithPhone

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let seconds pass in milliseconds."""
    return virtual_time


async def test_a_code_is_scanned_when_its_time_has_come() -> None:
    """Once, and not before."""
    sandbox = SandboxWithPhone(5)
    client = sandbox.client()
    await client.qr_code()
    await anyio.sleep(4.9)
    assert not sandbox.scan_what_is_due()
    await anyio.sleep(0.2)
    assert sandbox.scan_what_is_due()
    assert not sandbox.scan_what_is_due()
    assert (await client.status()).connected


async def test_a_code_that_was_replaced_is_dead() -> None:
    """The phone tries it in vain, and gets the next."""
    sandbox = SandboxWithPhone(5)
    client = sandbox.client()
    await client.qr_code()
    await anyio.sleep(3)
    await client.qr_code()
    await anyio.sleep(3)
    assert not sandbox.scan_what_is_due()
    await anyio.sleep(3)
    assert sandbox.scan_what_is_due()


async def test_instances_are_linked_one_by_one() -> None:
    """Each token has a phone of its own."""
    sandbox = SandboxWithPhone(5)
    clients = [sandbox.client("token-a"), sandbox.client("token-b")]
    for client in clients:
        await client.qr_code()
    await anyio.sleep(5)
    assert sandbox.scan_what_is_due()
    assert [(await client.status()).connected for client in clients] == [True, True]


async def test_an_image_is_scanned_too() -> None:
    """With the extra that reads it."""
    sandbox = SandboxWithPhone(0)
    await sandbox.client().qr_code_image()
    assert sandbox.scan_what_is_due()


async def test_without_the_extra_an_image_is_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is the same."""
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    sandbox = SandboxWithPhone(0)
    assert (await sandbox.client().qr_code_image()).media_type == "image/png"
    assert not sandbox.scan_what_is_due()


async def test_what_is_no_code_is_no_matter() -> None:
    """Nor is a request that went astray."""
    sandbox = SandboxWithPhone(0)
    await sandbox.client().status()
    assert not sandbox.scan_what_is_due()


async def test_a_phone_in_the_drawer_scans_nothing() -> None:
    """For those who scan by themselves."""
    sandbox = SandboxWithPhone(None)
    code = await sandbox.client().qr_code()
    await anyio.sleep(10)
    assert not sandbox.scan_what_is_due()
    assert sandbox.scan(code.payload)

"""Types of the public names. Only checked, never run."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import assert_type

import httpx
import httpx2
from pydantic import SecretStr

from plugchat_async import (
    AlreadyConnected,
    AsyncPlugChat,
    Connected,
    Device,
    Expired,
    Failed,
    InstanceStatus,
    Pairing,
    PairingHub,
    PairingOutcome,
    PlugChatError,
    QRCode,
    QRImage,
    RateLimited,
    ShowingCode,
    Starting,
    UnexpectedRedirect,
)
from plugchat_async.sandbox import ANSWERS, Call, Sandbox, Scan


async def calls(brought: httpx.AsyncClient, second: httpx2.AsyncClient) -> None:
    """Clients of both families are accepted, and each call has its type."""
    AsyncPlugChat(SecretStr("token"), http_client=second)
    async with AsyncPlugChat("token", http_client=brought, headers={"Client-Token": "x"}) as client:
        assert_type(client, AsyncPlugChat)
        assert_type(client.for_token("other"), AsyncPlugChat)
        assert_type(await client.qr_code(), QRCode)
        assert_type(await client.qr_code_image(), QRImage)
        assert_type(await client.status(), InstanceStatus)
        assert_type(client.qr_stream(interval=15, max_rounds=3), AsyncGenerator[QRCode, None])


async def session(client: AsyncPlugChat) -> None:
    """A session is both an iterator and a context manager."""
    async with client.pairing(status_interval=None) as pairing:
        assert_type(pairing, Pairing)
        async for code in pairing:
            assert_type(code, QRCode)
        assert_type(pairing.outcome, PairingOutcome | None)
        assert_type(pairing.qr, QRCode | None)
        assert_type(await pairing.check(), bool)
    assert_type(await client.pairing().wait(), PairingOutcome)
    assert_type(await client.pairing().wait(on_code=print), PairingOutcome)


async def watching(client: AsyncPlugChat) -> None:
    """States are told apart by `match`."""
    async with PairingHub() as hub, hub.watch(client) as states:
        async for state in states:
            match state:
                case ShowingCode(qr=code):
                    assert_type(code, QRCode)
                case Connected(already=already):
                    assert_type(already, bool)
                case Failed(code=word):
                    assert_type(word, str)
                case Expired() | Starting():
                    pass


def drawing(code: QRCode, image: QRImage) -> None:
    """Each rendering has its type."""
    assert_type(code.svg(border=4), str)
    assert_type(code.png(scale=8, border=4), bytes)
    assert_type(code.data_uri(), str)
    assert_type(code.terminal(border=2, color=False), str)
    assert_type(code.expires_at, datetime)
    assert_type(code.expires_in, float)
    assert_type(code.is_expired, bool)
    assert_type(image.decode(), QRCode)


def told(status: InstanceStatus, device: Device) -> None:
    """A field that the API may leave out can be None."""
    assert_type(status.needs_restore, bool)
    assert_type(device.phone, str | None)
    assert_type(device.name, str | None)
    assert_type(device.image_url, str | None)
    assert_type(device.platform, str | None)
    assert_type(device.model, str | None)


def frozen(code: QRCode, image: QRImage, status: InstanceStatus, state: Failed) -> None:
    """A model can't be changed: if a checker allows it, it reports an unused ignore."""
    code.payload = "another"  # type: ignore[misc]
    image.data = b"another"  # type: ignore[misc]
    status.connected = True  # type: ignore[misc]
    state.code = "another"  # type: ignore[misc]


def errors(error: PlugChatError) -> None:
    """Each error has what its docstring says."""
    assert_type(error.code, str)
    if isinstance(error, AlreadyConnected):
        assert_type(error.after_scan, bool)
        assert_type(error.round, int)
        assert_type(error.detail, str | None)
    if isinstance(error, RateLimited):
        assert_type(error.retry_after, float | None)
    if isinstance(error, UnexpectedRedirect):
        assert_type(error.location, str | None)


async def sandbox() -> None:
    """The sandbox is typed as well."""
    own = Sandbox()
    assert_type(own.client(), AsyncPlugChat)
    assert_type(own.scan("payload", phone="5511999990000"), bool)
    own.scan_after(5)
    own.lose_session(token="token")
    assert_type(own.calls, tuple[Call, ...])
    assert_type(own.scans, tuple[Scan, ...])
    assert_type(ANSWERS, Mapping[str, str])
    async with own.serve() as base_url:
        assert_type(base_url, str)

"""`plugchat device`: show which phone is linked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import typer

from plugchat_async.cli._texts import text

if TYPE_CHECKING:
    from plugchat_async import AsyncPlugChat, Device
    from plugchat_async.cli._access.client import Access


def run(access: Access, *, as_json: bool) -> None:
    """Fetch the device, and print a line for each known property."""
    device = anyio.run(_fetch, access.client())
    if as_json:
        return typer.echo(device.model_dump_json())
    known = [
        f"{text(f'device.{name}')}: {value}"
        for name in ("phone", "name", "platform", "model")
        if (value := getattr(device, name))
    ]
    return typer.echo("\n".join(known) or text("device.none"))


async def _fetch(client: AsyncPlugChat) -> Device:
    async with client:
        return await client.device()

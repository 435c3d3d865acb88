"""`plugchat status`: whether a phone is linked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import typer

from plugchat_async.cli._texts import texts

if TYPE_CHECKING:
    from plugchat_async import AsyncPlugChat, InstanceStatus
    from plugchat_async.cli._access.client import Access


def run(access: Access, *, as_json: bool) -> None:
    """Ask, and print a line or two."""
    status = anyio.run(_ask, access.client())
    typer.echo(status.model_dump_json() if as_json else _in_words(status))


async def _ask(client: AsyncPlugChat) -> InstanceStatus:
    async with client:
        return await client.status()


def _in_words(status: InstanceStatus) -> str:
    if status.connected:
        is_offline = status.smartphone_connected is False
        return texts().connected_offline if is_offline else texts().connected
    # The API's documentation of /status: this sentence is one of three.
    is_lost = "restore the session" in (status.error or "")
    return f"{texts().session_lost if is_lost else texts().not_connected}\n{texts().link_it}"

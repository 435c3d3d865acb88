"""`plugchat status`: show whether a phone is linked."""

from __future__ import annotations

import typer

from plugchat_async import AsyncPlugChat, InstanceStatus
from plugchat_async.cli._access.client import Access, call
from plugchat_async.cli._output.json_lines import print_json
from plugchat_async.cli._texts import text


def run(access: Access, *, as_json: bool) -> None:
    """Fetch the status, and print a line or two."""
    status = call(access.client(), AsyncPlugChat.status)
    if as_json:
        return print_json(**status.model_dump(mode="json"))
    return typer.echo(text(f"status.{_name(status)}"))


def _name(status: InstanceStatus) -> str:
    if status.connected:
        return "offline" if status.smartphone_connected is False else "connected"
    return "session_lost" if status.needs_restore else "not_connected"

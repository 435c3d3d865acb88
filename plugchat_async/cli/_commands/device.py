"""`plugchat device`: show which phone is linked."""

from __future__ import annotations

import typer

from plugchat_async import AsyncPlugChat
from plugchat_async.cli._access.client import Access, call
from plugchat_async.cli._output.json_lines import print_json
from plugchat_async.cli._texts import text


def run(access: Access, *, as_json: bool) -> None:
    """Fetch the device, and print a line for each known property."""
    device = call(access.client(), AsyncPlugChat.device)
    if as_json:
        return print_json(**device.model_dump(mode="json"))
    known = [
        f"{text(f'device.{name}')}: {value}"
        for name in ("phone", "name", "platform", "model")
        if (value := getattr(device, name))
    ]
    return typer.echo("\n".join(known) or text("device.none"))

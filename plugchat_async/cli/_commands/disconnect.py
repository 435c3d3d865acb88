"""`plugchat disconnect`: unlink the phone, after confirmation."""

from __future__ import annotations

import sys

import typer

from plugchat_async import AsyncPlugChat
from plugchat_async.cli._access.client import Access, call
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._output.json_lines import print_json
from plugchat_async.cli._output.stderr import say
from plugchat_async.cli._terminal.keyboard import ask_for_letter
from plugchat_async.cli._texts import text


def run(access: Access, *, as_json: bool, yes: bool) -> None:
    """Unlink the phone, after confirmation.

    Raises:
        Failure: There is no terminal to ask at, or what happened can't be written.
        typer.Exit: It was not confirmed.
    """
    client = access.client()
    if not (yes or _is_confirmed(as_json=as_json)):
        say(text("disconnect.kept"))
        raise typer.Exit(1)
    try:
        call(client, AsyncPlugChat.disconnect)
    except KeyboardInterrupt:
        say(text("disconnect.interrupted"))
        raise KeyboardInterrupt(text("disconnect.interrupted")) from None
    try:
        print_json(event="disconnected") if as_json else typer.echo(text("disconnect.done"))
    except OSError as error:
        raise Failure("unlinked_untold", reason=error.strerror) from error


def _is_confirmed(*, as_json: bool) -> bool:
    if as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure("not_confirmed")
    try:
        return ask_for_letter(text("disconnect.question")) == text("disconnect.yes")
    except KeyboardInterrupt:
        say(text("disconnect.kept"))
        raise

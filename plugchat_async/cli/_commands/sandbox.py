"""`plugchat sandbox`: a local PlugChat simulator, until Ctrl-C."""

from __future__ import annotations

import shlex
from contextlib import AsyncExitStack
from itertools import chain
from operator import attrgetter
from typing import TypeAlias

import anyio
import typer

from plugchat_async._schedule import DEFAULT_INTERVAL
from plugchat_async.cli import _event_loop
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._texts import text
from plugchat_async.sandbox import Action, Call, Sandbox, Scan
from plugchat_async.sandbox._sandbox import DEFAULT_TOKEN

_SECONDS_BETWEEN_LOOKS = 0.2

Event: TypeAlias = Call | Scan | Action


def run(host: str, port: int, token: str | None, scan_after: float | None) -> None:
    """Serve until interrupted."""
    _event_loop.run(_serve, host, port, token, scan_after)


async def _serve(host: str, port: int, token: str | None, scan_after: float | None) -> None:
    sandbox = Sandbox(tokens=None if token is None else [token])
    sandbox.scan_after(scan_after)
    async with AsyncExitStack() as stack:
        _introduce(await _listen(stack, sandbox, host, port), token, scan_after)
        told = [0, 0, 0]
        while True:
            records: list[tuple[Event, ...]] = [sandbox.calls, sandbox.scans, sandbox.actions]
            events = (record[start:] for record, start in zip(records, told, strict=True))
            for event in sorted(chain(*events), key=attrgetter("at")):
                typer.echo(log_line(event))
            told = [*map(len, records)]
            await anyio.sleep(_SECONDS_BETWEEN_LOOKS)


async def _listen(stack: AsyncExitStack, sandbox: Sandbox, host: str, port: int) -> str:
    try:
        return await stack.enter_async_context(sandbox.serve(host, port))
    except (OSError, UnicodeError) as error:
        # The reason, without the address that the socket module adds to it in parentheses.
        reason = str(getattr(error, "strerror", error)).partition(" (")[0]
        raise Failure("port_unusable", host=host, port=port, reason=reason) from error


def _introduce(base_url: str, token: str | None, scan_after: float | None) -> None:
    phone = text("sandbox.no_phone" if scan_after is None else "sandbox.phone", seconds=scan_after)
    if scan_after is not None and scan_after >= DEFAULT_INTERVAL:
        phone = f"{text('warning')}: {text('sandbox.never', seconds=scan_after)}"
    tokens = "sandbox.instances" if token is None else "sandbox.one_instance"
    typer.echo(
        f"{text('sandbox.serves')}\n\n"
        f"  export PLUGCHAT_BASE_URL={shlex.quote(base_url)}\n"
        f"  export PLUGCHAT_TOKEN={shlex.quote(token or DEFAULT_TOKEN)}\n"
        "  plugchat pair\n\n"
        f"{phone}\n"
        f"{text('sandbox.control', url=base_url.partition('/api/')[0])}\n"
        f"{text(tokens)} {text('how_to_stop')}.\n"
    )


def log_line(event: Event) -> str:
    """Return one event on one line: its time, its instance by number, and what happened."""
    match event:
        case Call():
            what = f"GET {event.endpoint:<16} {event.status}  {event.answer}"
        case Action():
            what = f"POST /sandbox/{event.name}  {event.status}  {event.detail}"
        case _:
            what = text("sandbox.scanned")
    name = "-" if event.instance is None else f"#{event.instance}"
    return f"{event.at:6.1f} s  {name:<3} {what}".rstrip()

"""`plugchat sandbox`: a PlugChat of one's own, until Ctrl-C."""

from __future__ import annotations

from contextlib import AsyncExitStack
from operator import attrgetter
from typing import TYPE_CHECKING

import anyio
import typer

from plugchat_async.cli._output import record as _record
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._texts import texts
from plugchat_async.sandbox import Sandbox
from plugchat_async.sandbox._sandbox import DEFAULT_TOKEN

if TYPE_CHECKING:
    from plugchat_async.sandbox import Call, Scan

_SECONDS_BETWEEN_LOOKS = 0.2


def run(host: str, port: int, scan_after: float | None) -> None:
    """Serve until interrupted."""
    anyio.run(_serve, host, port, scan_after)


async def _serve(host: str, port: int, scan_after: float | None) -> None:
    sandbox = Sandbox()
    sandbox.scan_after(scan_after)
    async with AsyncExitStack() as stack:
        _introduce(await _listen(stack, sandbox, host, port), scan_after)
        told_calls = told_scans = 0
        while True:
            calls, scans = sandbox.calls[told_calls:], sandbox.scans[told_scans:]
            events: list[Call | Scan] = [*calls, *scans]
            for event in sorted(events, key=attrgetter("at")):
                typer.echo(_record.line(event))
            told_calls += len(calls)
            told_scans += len(scans)
            await anyio.sleep(_SECONDS_BETWEEN_LOOKS)


async def _listen(stack: AsyncExitStack, sandbox: Sandbox, host: str, port: int) -> str:
    try:
        return await stack.enter_async_context(sandbox.serve(host, port))
    except (OSError, UnicodeError) as error:
        # The reason, without the address that the socket module adds to it in parentheses.
        reason = str(getattr(error, "strerror", error)).partition(" (")[0]
        raise Failure(texts().sandbox_port, host=host, port=port, reason=reason) from error


def _introduce(base_url: str, scan_after: float | None) -> None:
    words = texts()
    phone = words.sandbox_no_phone if scan_after is None else words.sandbox_phone
    typer.echo(
        f"{words.sandbox_serves}\n\n"
        f"  export PLUGCHAT_BASE_URL={base_url}\n"
        f"  export PLUGCHAT_TOKEN={DEFAULT_TOKEN}\n"
        "  plugchat qr\n\n"
        f"{phone.format(seconds=scan_after)}\n{words.sandbox_stop}\n"
    )

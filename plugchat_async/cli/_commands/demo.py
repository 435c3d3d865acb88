"""`plugchat demo`: the whole journey on this machine, with a phone that scans by itself."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from rich.text import Text

from plugchat_async import AsyncPlugChat
from plugchat_async.cli._output import record as _record
from plugchat_async.cli._output.exit_codes import ExitCode
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._terminal.drawing import standard_output
from plugchat_async.cli._terminal.screen import has_room, open_screen
from plugchat_async.cli._texts import texts
from plugchat_async.sandbox import Sandbox
from plugchat_async.sandbox._sandbox import DEFAULT_TOKEN

if TYPE_CHECKING:
    from rich.console import Console

    from plugchat_async import QRCode
    from plugchat_async.cli._terminal.screen import Screen

_SCANNED_ROUND = 2

# Characters of a payload: of real ones, and the most that 33 modules hold at error correction M.
_REAL_SIZE = 237
_SHORT_SIZE = 62


@dataclass(frozen=True, slots=True)
class Pace:
    """Hold the seconds from code to code, and from a code to its scan."""

    interval: float
    scan_after: float


USUAL = Pace(interval=15.0, scan_after=5.0)
FAST = Pace(interval=1.5, scan_after=1.0)


def run(pace: Pace) -> None:
    """Link the sandbox's phone, and tell how it went."""
    console = standard_output()
    if has_room(console, _REAL_SIZE):
        sandbox, remark = Sandbox(payload_size=_REAL_SIZE), ""
    else:
        sandbox, remark = Sandbox(payload_size=_SHORT_SIZE), f"\n{texts().demo_short_code}"
    anyio.run(_demonstrate, pace, sandbox, console, remark)


async def _demonstrate(pace: Pace, sandbox: Sandbox, console: Console, remark: str) -> None:
    async with sandbox.serve() as base_url:
        heading = texts().demo_heading.format(base_url=base_url)
        async with (
            AsyncPlugChat(DEFAULT_TOKEN, base_url=base_url) as client,
            open_screen(console, heading=heading) as screen,
        ):
            scanned = await _link(client, sandbox, screen, pace, remark)
    if scanned is None:
        raise Failure(texts().demo_expired, ExitCode.EXPIRED)
    _tell(console, scanned, sandbox, base_url)


async def _link(
    client: AsyncPlugChat, sandbox: Sandbox, screen: Screen, pace: Pace, remark: str
) -> QRCode | None:
    """Show codes until one is scanned; None where all of them expired."""
    async with aclosing(client.qr_stream(interval=pace.interval)) as codes:
        async for code in codes:
            if code.round < _SCANNED_ROUND:
                screen.show(code, seconds=pace.interval, note=texts().demo_phone_waits + remark)
                continue
            screen.show(code, seconds=pace.interval, note=texts().demo_phone_scans + remark)
            await anyio.sleep(pace.scan_after)
            if sandbox.scan(code.payload):
                screen.note(texts().demo_phone_scanned + remark)
                return code if (await client.status()).connected else None
    return None


def _tell(console: Console, scanned: QRCode, sandbox: Sandbox, base_url: str) -> None:
    words = texts()
    linked = words.demo_linked.format(round=scanned.round, rounds=scanned.rounds)
    record = "\n".join(f"  {_record.line(call)}" for call in sandbox.calls)
    console.print(
        Text.assemble(
            ("\n\N{CHECK MARK} " + linked, "bold green"),
            "\n\n",
            (words.demo_record.format(base_url=base_url), "bold"),
            f"\n{record}\n\n",
            (words.demo_next, "bold"),
            "\n  export PLUGCHAT_TOKEN=...  ",
            (f"# {words.demo_next_token}", "dim"),
            "\n  plugchat status\n  plugchat qr",
        ),
        soft_wrap=True,
    )

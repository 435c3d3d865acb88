"""`plugchat demo`: the whole journey on this machine, with a simulated phone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import typer

from plugchat_async import AsyncPlugChat, PairingOutcome
from plugchat_async.cli import _event_loop
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._terminal.canvas import Canvas
from plugchat_async.cli._terminal.screen import open_screen
from plugchat_async.cli._terminal.window import standard_output
from plugchat_async.cli._texts import text
from plugchat_async.sandbox import Sandbox
from plugchat_async.sandbox._sandbox import DEFAULT_TOKEN

from .sandbox import log_line

if TYPE_CHECKING:
    from plugchat_async import QRCode

_SCANNED_ROUND = 2
_ROUNDS = 3

# The most characters that 33 modules hold at error correction M.
_SHORT_PAYLOAD_SIZE = 62


class Pace(NamedTuple):
    """Seconds from code to code, and from a code to its scan."""

    interval: float
    scan_after: float


USUAL = Pace(interval=15.0, scan_after=5.0)
FAST = Pace(interval=1.5, scan_after=1.0)


def run(pace: Pace) -> None:
    """Link the simulated phone, and show the calls that were made.

    Raises:
        Failure: No code was scanned.
    """
    canvas = Canvas.of(standard_output())
    is_usual = canvas.has_room()
    sandbox = Sandbox() if is_usual else Sandbox(payload_size=_SHORT_PAYLOAD_SIZE)
    remark = "" if is_usual else f"\n{text('demo.short_code')}"
    base_url = _event_loop.run(_demonstrate, pace, sandbox, canvas, remark)
    _conclude(sandbox, base_url, has_colors=canvas.window.has_colors)


async def _demonstrate(pace: Pace, sandbox: Sandbox, canvas: Canvas, remark: str) -> str:
    async with sandbox.serve() as base_url:
        heading = text("demo.heading", base_url=base_url)
        async with (
            AsyncPlugChat(DEFAULT_TOKEN, base_url=base_url) as client,
            open_screen(canvas, heading=heading) as screen,
        ):

            def show(code: QRCode) -> None:
                if code.round == _SCANNED_ROUND:
                    sandbox.scan_after(pace.scan_after)
                note = text("demo.waits" if code.round < _SCANNED_ROUND else "demo.scans")
                screen.show(code, seconds=pace.interval, note=note + remark)

            pairing = client.pairing(
                interval=pace.interval,
                max_rounds=_ROUNDS,
                status_interval=pace.scan_after / 2,
            )
            outcome = await pairing.wait(show)
    if outcome is not PairingOutcome.CONNECTED:
        raise Failure("demo_expired")
    return base_url


def _conclude(sandbox: Sandbox, base_url: str, *, has_colors: bool) -> None:
    record = "\n".join(f"  {log_line(call)}" for call in sandbox.calls)
    linked = text("demo.linked", round=_SCANNED_ROUND, rounds=_ROUNDS)
    write = partial(typer.secho, color=has_colors)

    write(f"\n\N{CHECK MARK} {linked}\n", fg="green", bold=True)
    write(text("demo.record", base_url=base_url), bold=True)
    write(f"{record}\n")
    write(text("demo.next"), bold=True)
    write(f"  export PLUGCHAT_TOKEN=...  # {text('demo.next_token')}\n  plugchat pair")

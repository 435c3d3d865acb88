"""`plugchat pair`: codes until a phone is linked."""

from __future__ import annotations

import math
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import anyio
import typer

from plugchat_async import PairingOutcome
from plugchat_async._extras import install_command
from plugchat_async._schedule import DEFAULT_STATUS_INTERVAL, Fetched, Schedule
from plugchat_async.cli import _event_loop
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._output.files import check_current_code, current_code
from plugchat_async.cli._output.json_lines import print_json
from plugchat_async.cli._terminal.canvas import Canvas, inverted, scan_this
from plugchat_async.cli._terminal.desktop import open_on_desktop
from plugchat_async.cli._terminal.keyboard import ask_for_letter
from plugchat_async.cli._terminal.screen import SECONDS_BETWEEN_LOOKS, Events, open_screen
from plugchat_async.cli._terminal.window import standard_output
from plugchat_async.cli._texts import text

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from plugchat_async import AsyncPlugChat, Pairing, QRCode
    from plugchat_async.cli._access.client import Access
    from plugchat_async.cli._output.files import CurrentCode
    from plugchat_async.cli._terminal.screen import Screen

_OTHER_WAYS = ("--open", "--web", "--output code.png")


class PairOptions(NamedTuple):
    """Options of the command."""

    interval: float
    output: Path | None
    on_desktop: bool
    ascii_only: bool
    compact: bool
    as_json: bool


def on_web(access: Access, *, interval: float, port: int, on_desktop: bool) -> Callable[[], None]:
    """Import the page's server, and return how to link a phone on the page.

    Raises:
        Failure: The extra for it is not installed.
    """
    try:
        from plugchat_async.cli._web import server
    except ImportError as error:
        raise Failure("web_missing", command=install_command("fastapi")) from error
    link = partial(server.link, interval=interval, port=port, on_desktop=on_desktop)
    return lambda: _end(_event_loop.run(link, access.client()))


def run(access: Access, options: PairOptions) -> None:
    """Link a phone; after three codes, ask whether to go on.

    Raises:
        Failure: There was no scan, or none was needed.
        PlugChatError: A code could not be fetched.
    """
    window = standard_output()
    canvas = Canvas.of(window, ascii_only=options.ascii_only, compact=options.compact)
    if options.output is not None:
        check_current_code(options.output)
    can_ask = window.is_terminal and sys.stdin.isatty() and not options.as_json
    is_first = True
    while True:
        client = access.client()
        with current_code(options.output, on_desktop=options.on_desktop) as file:
            outcome = _event_loop.run(_link, client, options, canvas, file)
        if outcome is not PairingOutcome.EXPIRED or not can_ask:
            break
        if ask_for_letter(text("pair.question")) in {None, "n", "q"}:
            break
        is_first = False
    if outcome is PairingOutcome.ALREADY_CONNECTED and not is_first:
        outcome = PairingOutcome.CONNECTED  # the last code is valid while the question is open
    if options.as_json and outcome is PairingOutcome.CONNECTED:
        print_json(event=outcome.value)
    else:
        _end(outcome)


async def _link(
    client: AsyncPlugChat, options: PairOptions, canvas: Canvas, file: CurrentCode | None
) -> PairingOutcome:
    window = canvas.window
    is_inverted = file is None and not window.has_colors
    note = text("screen.inverted_briefly") if is_inverted and window.is_redrawn else ""
    opening: AbstractAsyncContextManager[Screen] = nullcontext(Events())
    if not options.as_json:
        ways, columns = () if file else _OTHER_WAYS, window.size.columns
        words = (scan_this(columns), *([inverted(columns)] if is_inverted else []))
        opening = open_screen(canvas, heading=text("pair.heading"), ways=ways, words=words)

    async def show(code: QRCode) -> None:
        if file is None:
            return screen.show(code, seconds=options.interval, note=note)
        file.show(code)
        screen.show(code, seconds=options.interval, note=file.note)
        if code.round == 1 and options.on_desktop and not await open_on_desktop(str(file.path)):
            file.note = text("pair.no_viewer", path=file.path)
            screen.note(file.note)
        return None

    async with client, opening as screen, client.pairing(interval=options.interval) as pairing:
        await _wait_for_room(screen, pairing)
        until = math.inf
        while (outcome := pairing.outcome) is None:
            with anyio.CancelScope(deadline=until) as step:
                if code := await anext(pairing, None):
                    until = _before_next(code, options.interval)
                    await show(code)
            if step.cancelled_caught:
                await _wait_for_room(screen, pairing)
                until = math.inf
    return outcome


def _before_next(code: QRCode, interval: float) -> float:
    """Return a time shortly before the next code is requested, by the event loop's clock."""
    now = anyio.current_time()
    age = (datetime.now(UTC) - code.fetched_at).total_seconds()
    due = Schedule(interval).shown_until(Fetched(code, now - age, now))
    return math.inf if code.round == code.rounds else due - SECONDS_BETWEEN_LOOKS


async def _wait_for_room(screen: Screen, pairing: Pairing) -> None:
    """Return once a code can be shown, or the last one was scanned before the window shrank."""
    if not screen.has_room():
        screen.ask_for_room()
    code, check_at = pairing.qr, -math.inf
    while not screen.has_room() and pairing.outcome is None:
        await anyio.sleep(SECONDS_BETWEEN_LOOKS)
        if code and anyio.current_time() >= check_at:
            code = None if code.is_expired else code
            check_at = anyio.current_time() + DEFAULT_STATUS_INTERVAL
            with anyio.move_on_after(DEFAULT_STATUS_INTERVAL):
                await pairing.check()


def _end(outcome: PairingOutcome) -> None:
    if outcome is not PairingOutcome.CONNECTED:
        raise Failure(outcome.value)
    typer.secho(text("pair.linked"), fg="green", bold=True, color=standard_output().has_colors)

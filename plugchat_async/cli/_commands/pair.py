"""`plugchat pair`: codes, live, until a phone is linked."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio
from rich.text import Text

from plugchat_async import PairingOutcome, PlugChatError
from plugchat_async._extras import install_command
from plugchat_async.cli._output.events import Events, print_event
from plugchat_async.cli._output.exit_codes import ExitCode
from plugchat_async.cli._output.failures import Failure, explain
from plugchat_async.cli._output.picture import open_picture
from plugchat_async.cli._output.stderr import say
from plugchat_async.cli._terminal import keyboard as _keyboard
from plugchat_async.cli._terminal.desktop import open_on_desktop
from plugchat_async.cli._terminal.drawing import has_colors, standard_output
from plugchat_async.cli._terminal.screen import is_redrawn, open_screen
from plugchat_async.cli._texts import texts

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from rich.console import Console

    from plugchat_async import AsyncPlugChat, QRCode
    from plugchat_async.cli._access.client import Access
    from plugchat_async.cli._output.picture import Picture
    from plugchat_async.cli._terminal.screen import Screen


@dataclass(frozen=True, slots=True)
class PairOptions:
    """Hold how the codes are to be shown."""

    interval: float
    output: Path | None
    in_viewer: bool
    ascii_only: bool
    as_json: bool
    in_browser: bool


def run(access: Access, options: PairOptions) -> None:
    """Link a phone; after three codes it is asked whether somebody still wants to.

    Raises:
        Failure: There is no scan, or none was needed.
        PlugChatError: A code could not be fetched.
    """
    console = standard_output()
    if options.in_browser:
        outcome = _link_in_browser(access, options)
    else:
        outcome = _link_here(access, options, console)
    _tell(outcome, console, as_json=options.as_json)


def _link_in_browser(access: Access, options: PairOptions) -> PairingOutcome:
    try:
        from plugchat_async.cli._web import server as _web
    except ImportError as error:
        raise Failure(texts().web_missing, command=install_command("fastapi")) from error
    link = partial(_web.link, interval=options.interval, in_browser=options.in_viewer)
    return anyio.run(link, access.client())


def _link_here(access: Access, options: PairOptions, console: Console) -> PairingOutcome:
    with open_picture(options.output, in_viewer=False):
        make_client = access.clients()
    outcome = _run_session(make_client(), options, console)
    while outcome is PairingOutcome.EXPIRED and not options.as_json and _goes_on(console):
        outcome = _run_session(make_client(), options, console)
    return outcome


def _run_session(client: AsyncPlugChat, options: PairOptions, console: Console) -> PairingOutcome:
    try:
        with open_picture(options.output, in_viewer=options.in_viewer) as picture:
            return anyio.run(_link, client, options, console, picture)
    except PlugChatError as error:
        if options.as_json:
            print_event("failed", code=error.code, message=explain(error).happened)
        raise


async def _link(
    client: AsyncPlugChat, options: PairOptions, console: Console, picture: Picture | None
) -> PairingOutcome:
    note = "" if has_colors(console) or not is_redrawn(console) else texts().pair_on_light
    async with client, _open(console, options, picture) as screen:

        async def show(code: QRCode) -> None:
            if code.round == 1 and not (options.as_json or is_redrawn(console)):
                _introduce(picture, console)
            if picture is not None:
                picture.show(code)
            screen.show(code, seconds=options.interval, note=picture.note if picture else note)
            if picture is not None and options.in_viewer and code.round == 1:
                await _open_viewer(picture, screen)

        return await client.pairing(interval=options.interval).wait(show)


async def _open_viewer(picture: Picture, screen: Screen) -> None:
    if not await open_on_desktop(str(picture.path)):
        picture.note = texts().pair_no_viewer.format(path=picture.path)
        screen.note(picture.note)


def _introduce(picture: Picture | None, console: Console) -> None:
    """Say what a page says by itself, beside the codes that go elsewhere."""
    say((texts().scan_this, "bold"))
    if picture is None and not has_colors(console):
        say((texts().inverted_on_light, "dim"))


def _open(
    console: Console, options: PairOptions, picture: Picture | None
) -> AbstractAsyncContextManager[Screen]:
    if options.as_json:
        return nullcontext(Events())
    return open_screen(
        console,
        heading=texts().pair_heading,
        elsewhere="" if picture else texts().pair_elsewhere,
        ascii_only=options.ascii_only,
    )


def _goes_on(console: Console) -> bool:
    """Ask, where somebody is there to answer; Ctrl-C is an answer, too."""
    if not (console.is_terminal and sys.stdin.isatty()):
        return False
    return _keyboard.ask_for_enter(texts().pair_question)


def _tell(outcome: PairingOutcome, console: Console, *, as_json: bool) -> None:
    if as_json:
        print_event(outcome.value)
    if outcome is PairingOutcome.ALREADY_CONNECTED:
        raise Failure(texts().failures[outcome.value], ExitCode.ALREADY_CONNECTED)
    if outcome is PairingOutcome.EXPIRED:
        raise Failure(texts().pair_expired, ExitCode.EXPIRED)
    if not as_json:
        console.print(Text(texts().pair_linked, "bold green"), soft_wrap=True)

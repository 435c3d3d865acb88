"""`plugchat qr`: one code, on the terminal, in a file or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from plugchat_async import AsyncPlugChat, QRCode
from plugchat_async.cli._access.client import Access, call
from plugchat_async.cli._output.events import print_result
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._output.files import check_suffix, image_of, replacing, say_saved
from plugchat_async.cli._output.stderr import say
from plugchat_async.cli._terminal.drawing import check_room, draw, fitting, forms, other_ways
from plugchat_async.cli._terminal.window import standard_output
from plugchat_async.cli._texts import text

if TYPE_CHECKING:
    from pathlib import Path

# A prompt of two lines follows the code, and must not push it out of the window.
_ROWS_OF_A_PROMPT = 2


def run(
    access: Access, output: Path | None, *, as_json: bool, ascii_only: bool, compact: bool
) -> None:
    """Fetch a code, and show, save or print it."""
    if output is None and not as_json:
        return _show(access, ascii_only=ascii_only, compact=compact)
    code = _fetch(access) if output is None else _save(access, output)
    if as_json:
        print_result(code)
    return None


def _save(access: Access, output: Path) -> QRCode:
    check_suffix(output)
    with replacing(output) as file:
        code = _fetch(access)
        file.write(image_of(code, output))
    say_saved(output, code)
    return code


def _fetch(access: Access) -> QRCode:
    return call(access.client(), AsyncPlugChat.qr_code)


def _show(access: Access, *, ascii_only: bool, compact: bool) -> None:
    window = standard_output()
    drawn_in = forms(window, ascii_only=ascii_only, compact=compact)
    ways = other_ways(window, drawn_in, "--output code.png", "plugchat pair --web")
    check_room(window, drawn_in, rows_around=_ROWS_OF_A_PROMPT, ways=ways)
    code = _fetch(access)
    drawings = draw(code, window, drawn_in)
    drawing = fitting(drawings, window.size, rows_around=_ROWS_OF_A_PROMPT)
    if drawing is None:
        raise Failure("code_too_large", ways=ways)
    say(text("screen.scan_this"))
    until = f"{code.expires_at.astimezone():%H:%M:%S}"
    say(text("screen.valid_for", seconds=round(code.expires_in), until=until))
    if not window.has_colors:
        say(text("screen.inverted"), dim=True)
    typer.echo(drawing.text, color=window.has_colors)

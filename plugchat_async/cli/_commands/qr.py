"""`plugchat qr`: one code, on the terminal, in a file or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from plugchat_async import AsyncPlugChat, QRCode
from plugchat_async.cli._access.client import Access, call
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._output.files import check_suffix, image_of, replacing, say_saved
from plugchat_async.cli._output.json_lines import print_json
from plugchat_async.cli._output.stderr import say
from plugchat_async.cli._terminal.canvas import Canvas, inverted, scan_this, with_few_words
from plugchat_async.cli._terminal.window import standard_output
from plugchat_async.cli._texts import text

if TYPE_CHECKING:
    from pathlib import Path

_OTHER_WAYS = ("--output code.png", "plugchat pair --web")


def run(
    access: Access, output: Path | None, *, as_json: bool, ascii_only: bool, compact: bool
) -> None:
    """Fetch a code, and show, save or print it."""
    if output is None and not as_json:
        return _show(access, ascii_only=ascii_only, compact=compact)
    code = _fetch(access) if output is None else _save(access, output)
    if as_json:
        print_json(**code.model_dump(mode="json"))
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
    canvas = Canvas.of(window, ascii_only=ascii_only, compact=compact)
    canvas.check_room(*_OTHER_WAYS)
    code = _fetch(access)
    drawings = canvas.draw(code)
    drawing = canvas.fitting(drawings)
    if drawing is None:
        needed, ways = with_few_words(drawings[-1].size), canvas.other_ways(*_OTHER_WAYS, code=code)
        raise Failure("code_too_large", needed=needed, window=window.size, ways=ways)
    until = f"{code.expires_at.astimezone():%H:%M:%S}"
    columns = window.size.columns
    words = [
        scan_this(columns),
        text("screen.valid_for", seconds=round(code.expires_in), until=until),
        *([] if window.has_colors else [inverted(columns)]),
    ]
    if not window.is_terminal:  # a pipe may take nothing: then nothing was shown
        typer.echo(drawing.text)
    for line in canvas.words_above(words, drawing.size.rows + 1):  # the prompt follows
        say(line)
    if window.is_terminal:
        typer.echo(drawing.text, color=window.has_colors)

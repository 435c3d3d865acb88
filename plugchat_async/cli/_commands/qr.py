"""`plugchat qr`: one code, on the terminal, in a file or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import typer

from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._output.files import check_suffix, picture_of, replacing, say_saved
from plugchat_async.cli._output.stderr import say
from plugchat_async.cli._terminal.drawing import draw, fitting, standard_output
from plugchat_async.cli._terminal.window import window_size
from plugchat_async.cli._texts import texts

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from plugchat_async import AsyncPlugChat, QRCode
    from plugchat_async.cli._access.client import Access

# A prompt of two lines follows the code, and must not push it out of the window.
_ROWS_OF_A_PROMPT = 2


def run(access: Access, output: Path | None, *, as_json: bool, ascii_only: bool) -> None:
    """Fetch a code, and give it in the form that was asked for."""
    if output is not None:
        code = _save(access, output)
        say_saved(output, code)
    else:
        code = anyio.run(_fetch, access.client())
    if as_json:
        typer.echo(code.model_dump_json())
    elif output is None:
        _show(code, standard_output(), ascii_only=ascii_only)


def _save(access: Access, output: Path) -> QRCode:
    check_suffix(output)
    with replacing(output) as file:
        code = anyio.run(_fetch, access.client())
        file.write(picture_of(code, output))
    return code


async def _fetch(client: AsyncPlugChat) -> QRCode:
    async with client:
        return await client.qr_code()


def _show(code: QRCode, console: Console, *, ascii_only: bool) -> None:
    drawings = draw(code, console, ascii_only=ascii_only)
    window = window_size(console)
    drawing = fitting(drawings, window, rows_around=_ROWS_OF_A_PROMPT)
    if drawing is None:
        columns, rows = drawings[-1].size.plus(rows=_ROWS_OF_A_PROMPT)
        width, height = window
        raise Failure(texts().too_small, columns=columns, rows=rows, width=width, height=height)
    say((texts().scan_this, "bold"))
    until = f"{code.expires_at.astimezone():%H:%M:%S}"
    say(texts().lives_for.format(seconds=round(code.expires_in), until=until))
    if drawing.has_colors:
        console.print(drawing, crop=False)
    else:
        say((texts().inverted_on_light, "dim"))
        typer.echo(drawing.text)

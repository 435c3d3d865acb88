"""`plugchat image`: one code as the image that the API draws."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import typer

from plugchat_async.cli._output.exit_codes import ExitCode
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._output.files import replacing, say_saved
from plugchat_async.cli._output.stderr import warn
from plugchat_async.cli._texts import texts

if TYPE_CHECKING:
    from plugchat_async import AsyncPlugChat, QRImage
    from plugchat_async.cli._access.client import Access

_SUFFIXES = {
    "image/gif": {".gif"},
    "image/jpeg": {".jpg", ".jpeg"},
    "image/png": {".png"},
    "image/webp": {".webp"},
}


def run(access: Access, output: Path | None) -> None:
    """Save the image, or write it into a pipe."""
    client = access.client()
    if output is not None and output != Path("-"):
        with replacing(output) as file:
            image = anyio.run(_fetch, client)
            file.write(image.data)
        if output.suffix and output.suffix.lower() not in _SUFFIXES[image.media_type]:
            warn(texts().output_misnamed.format(path=output, media_type=image.media_type))
        say_saved(output, image)
    elif sys.stdout.isatty():
        raise Failure(texts().output_wanted, ExitCode.USAGE)
    else:
        typer.echo(anyio.run(_fetch, client).data, nl=False)


async def _fetch(client: AsyncPlugChat) -> QRImage:
    async with client:
        return await client.qr_code_image()

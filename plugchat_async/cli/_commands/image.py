"""`plugchat image`: one code as the image that the API renders."""

from __future__ import annotations

import sys
from mimetypes import guess_type
from pathlib import Path

import typer

from plugchat_async import AsyncPlugChat, QRImage
from plugchat_async.cli._access.client import Access, call
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._output.files import replacing, say_saved
from plugchat_async.cli._output.json_lines import print_json
from plugchat_async.cli._output.stderr import warn
from plugchat_async.cli._texts import text


def run(access: Access, output: Path | None, *, as_json: bool) -> None:
    """Save the image, write it into a pipe, or print it as JSON."""
    if output is not None and output != Path("-"):
        image = _save(access, output)
    elif not as_json and sys.stdout.isatty():
        raise Failure("output_wanted")
    else:
        image = _fetch(access)
        if not as_json:
            typer.echo(image.data, nl=False)
    if as_json:
        print_json(**image.model_dump(mode="json"))


def _save(access: Access, output: Path) -> QRImage:
    with replacing(output) as file:
        image = _fetch(access)
        file.write(image.data)
    if output.suffix and guess_type(output.name, strict=False)[0] != image.media_type:
        warn(text("misnamed", path=output, media_type=image.media_type))
    say_saved(output, image)
    return image


def _fetch(access: Access) -> QRImage:
    return call(access.client(), AsyncPlugChat.qr_code_image)

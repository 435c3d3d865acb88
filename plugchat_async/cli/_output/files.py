"""Writing a code to a file: for its owner's eyes only, and whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from plugchat_async.cli._texts import texts

from .exit_codes import ExitCode
from .failures import Failure
from .stderr import say

if TYPE_CHECKING:
    from collections.abc import Generator

    from plugchat_async import QRCode, QRImage


@contextmanager
def replacing(path: Path) -> Generator[IO[bytes]]:
    """Open a file of mode 0600 that takes the place of `path` once the block has ended well.

    Whatever forbids that is found out on entering, before a code is spent.

    Raises:
        Failure: `path` can't be written.
    """
    target = path.resolve()
    handle, temporary = _open_beside(path, target)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor
            yield file
        Path(temporary).replace(target)
    except OSError as error:
        raise _unwritable(path, error.strerror, ExitCode.FAILURE) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Find out whether `path` can be replaced, and leave it as it is.

    Raises:
        Failure: It can't be written.
    """
    handle, temporary = _open_beside(path, path.resolve())
    os.close(handle)
    Path(temporary).unlink()


def check_suffix(path: Path) -> None:
    """Refuse a name that says neither PNG nor SVG.

    Raises:
        Failure: It says another format, or none.
    """
    if path.suffix.lower() not in {".png", ".svg"}:
        raise Failure(texts().output_suffix, ExitCode.USAGE, path=path)


def picture_of(code: QRCode, path: Path) -> bytes:
    """Draw a code in the format that the name of its file says."""
    return code.svg().encode() if path.suffix.lower() == ".svg" else code.png()


def say_saved(path: Path, code: QRCode | QRImage) -> None:
    """Say where the code is, and how long it lives."""
    until = f"{code.expires_at.astimezone():%H:%M:%S}"
    say(texts().saved.format(path=path, seconds=round(code.expires_in), until=until))


def _open_beside(path: Path, target: Path) -> tuple[int, str]:
    try:
        if path.exists() and not path.is_file():
            raise _unwritable(path, texts().no_file, ExitCode.USAGE)
        return tempfile.mkstemp(dir=target.parent, prefix=".plugchat-")
    except OSError as error:
        raise _unwritable(path, error.strerror, ExitCode.USAGE) from error


def _unwritable(path: Path, reason: str | None, exit_code: ExitCode) -> Failure:
    return Failure(texts().output_unwritable, exit_code, path=path, reason=reason)

"""Writing a code to a file: for its owner's eyes only, and whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ._exit_codes import ExitCode
from ._failures import Failure
from ._messages import say
from ._texts import texts

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
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            kind = errno.EISDIR if target.is_dir() else errno.EEXIST
            raise OSError(kind, os.strerror(kind))
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".plugchat-")
    except OSError as error:
        raise _unwritable(path, error, ExitCode.USAGE) from error
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor
            yield file
        Path(temporary).replace(target)
    except OSError as error:
        raise _unwritable(path, error, ExitCode.FAILURE) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def say_saved(path: Path, code: QRCode | QRImage) -> None:
    """Say where the code is, and how long it lives."""
    until = f"{code.expires_at.astimezone():%H:%M:%S}"
    say(texts().saved.format(path=path, seconds=round(code.expires_in), until=until))


def _unwritable(path: Path, error: OSError, exit_code: ExitCode) -> Failure:
    return Failure(texts().output_unwritable, exit_code, path=path, reason=error.strerror)

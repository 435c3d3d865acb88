"""Codes in files that only their owner can read, written as a whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from plugchat_async.cli._texts import text

from .failures import Failure
from .stderr import say

if TYPE_CHECKING:
    from collections.abc import Generator

    from plugchat_async import QRCode, QRImage


@contextmanager
def replacing(path: Path, *, obstacle: str = "output_unwritable") -> Generator[IO[bytes]]:
    """Open a file of mode 0600 that becomes `path` once the block has ended well.

    An obstacle raises on entering, before a code is requested. A symbolic link is replaced, never
    followed: in a folder that others write to, it may be planted. One on the way to it is refused
    if it is.

    Args:
        path: The file.
        obstacle: Error code of the failure that an obstacle is.

    Raises:
        Failure: `path` can't be written.
    """
    handle, temporary = _open_beside(path, obstacle)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor
            yield file
        Path(temporary).replace(path)
    except OSError as error:
        raise Failure("output_failed", path=path, reason=error.strerror) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def check_suffix(path: Path) -> None:
    """Check that a name ends in .png or .svg.

    Raises:
        Failure: It does not.
    """
    if path.suffix.lower() not in {".png", ".svg"}:
        raise Failure("output_suffix")


def image_of(code: QRCode, path: Path) -> bytes:
    """Draw a code in the format of a file's name."""
    return code.svg().encode() if path.suffix.lower() == ".svg" else code.png()


def say_saved(path: Path, code: QRCode | QRImage) -> None:
    """Write the path of the code, and how long the code is valid."""
    until = f"{code.expires_at.astimezone():%H:%M:%S}"
    say(text("saved", path=path, seconds=round(code.expires_in), until=until))


class CurrentCode:
    """A file with the current code of a session.

    Attributes:
        path: The file; its name ends in .png or .svg.
        note: A line about it for the user.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.note = text("pair.file", path=path)
        self._written: tuple[int, ...] = ()

    def show(self, code: QRCode) -> None:
        """Replace the file, as a whole.

        Raises:
            Failure: It can't be written any more, or another file is in its place.
        """
        if os.path.lexists(self.path) and _identity(self.path.lstat()) != self._written:
            raise Failure("output_taken", path=self.path)
        with replacing(self.path, obstacle="output_failed") as file:
            file.write(image_of(code, self.path))
            file.flush()
            self._written = _identity(os.fstat(file.fileno()))

    def remove(self) -> None:
        """Remove the file if it is still the one that was written."""
        if os.path.lexists(self.path) and _identity(self.path.lstat()) == self._written:
            self.path.unlink(missing_ok=True)


def check_current_code(path: Path) -> None:
    """Check that a file for the current code can be written, and does not exist.

    Raises:
        Failure: It can't be written, or it would be lost at the end.
    """
    check_suffix(path)
    handle, temporary = _open_beside(path, "output_unwritable")
    os.close(handle)
    Path(temporary).unlink()
    if os.path.lexists(path):
        raise Failure("output_exists", path=path)


@contextmanager
def current_code(path: Path | None, *, on_desktop: bool) -> Generator[CurrentCode | None]:
    """Keep the current code in a file while the block runs, and remove the file at the end.

    Args:
        path: The file, as `check_current_code()` accepts it; None makes one for the desktop.
        on_desktop: Whether the desktop shows it.

    Yields:
        The file; None if nobody wants one.
    """
    with ExitStack() as stack:
        if path is None and on_desktop:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="plugchat-"))
            path = Path(folder, "code.png")
        file = CurrentCode(path) if path else None
        if file:
            stack.callback(file.remove)
        yield file


def _identity(status: os.stat_result) -> tuple[int, ...]:
    # The number of a file that was removed may be given to the next one.
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _open_beside(path: Path, obstacle: str) -> tuple[int, str]:
    try:
        if path.exists() and not path.is_file():
            raise Failure(obstacle, path=path, reason=text("file.not_regular"))
        if any(map(_is_planted, path.absolute().parents)):
            raise Failure(obstacle, path=path, reason=text("file.planted"))
        return tempfile.mkstemp(dir=path.parent, prefix=".plugchat-")
    except OSError as error:
        raise Failure(obstacle, path=path, reason=error.strerror) from error


def _is_planted(folder: Path) -> bool:
    """Return whether it is a link that the kernel would not follow with its protection on.

    https://docs.kernel.org/admin-guide/sysctl/fs.html#protected-symlinks
    """
    above = folder.parent.stat()
    is_for_everybody = above.st_mode & stat.S_ISVTX and above.st_mode & stat.S_IWOTH
    if not (is_for_everybody and folder.is_symlink()):
        return False
    return folder.lstat().st_uid not in {above.st_uid, os.geteuid()}

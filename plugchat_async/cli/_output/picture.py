"""A code in a file that follows the code on show, for a viewer that is not this terminal."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from plugchat_async.cli._texts import texts

from .exit_codes import ExitCode
from .failures import Failure
from .files import check_suffix, check_writable, picture_of, replacing

if TYPE_CHECKING:
    from collections.abc import Generator

    from plugchat_async import QRCode


@contextmanager
def open_picture(path: Path | None, *, in_viewer: bool) -> Generator[Picture | None]:
    """Keep a picture while the block runs, and take it away at the end.

    Args:
        path: The file, whose name says the format. None takes one of its own for the viewer.
        in_viewer: Whether a viewer wants one in any case.

    Yields:
        The picture; None where neither a file nor a viewer is wanted.

    Raises:
        Failure: The file can't be written, or is somebody's already: found out on entering.
    """
    if path is not None:
        check_suffix(path)
        check_writable(path)
        if path.exists():
            raise Failure(texts().output_exists, ExitCode.USAGE, path=path)
        with Picture(path).kept() as picture:
            yield picture
    elif in_viewer:
        with tempfile.TemporaryDirectory(prefix="plugchat-") as folder:
            yield Picture(Path(folder, "code.png"))
    else:
        yield None


class Picture:
    """Hold one code at a time in a file, for its owner's eyes only.

    Args:
        path: The file, whose name says the format.

    Attributes:
        path: The file.
        note: What to tell about it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_written = False
        self.note = texts().pair_picture.format(path=path)

    @contextmanager
    def kept(self) -> Generator[Picture]:
        """Remove the file after the block, if it is ours by then."""
        try:
            yield self
        finally:
            if self._is_written:
                self.path.resolve().unlink(missing_ok=True)

    def show(self, code: QRCode) -> None:
        """Replace the file, as a whole.

        Raises:
            Failure: It can't be written any more.
        """
        with replacing(self.path) as file:
            file.write(picture_of(code, self.path))
        self._is_written = True

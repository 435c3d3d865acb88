"""The command as a separate process."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

# With -P, what is installed is run, and not the folder that the tests are started in.
PLUGCHAT = [sys.executable, "-P", "-m", "plugchat_async"]


@contextmanager
def started(*arguments: str, before: tuple[str, ...] = ()) -> Generator[subprocess.Popen[str]]:
    """Run it with its streams in pipes; it ends with the block, if not by itself."""
    with subprocess.Popen(
        [*before, *PLUGCHAT, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()

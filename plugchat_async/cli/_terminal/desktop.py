"""Programs of the desktop: a viewer for an image, a browser for a page."""

from __future__ import annotations

import sys
from subprocess import DEVNULL

import anyio

_LAUNCH = "import sys, typer; sys.exit(typer.launch(sys.argv[1]))"


async def open_on_desktop(target: str) -> bool:
    """Open a file or an address with the desktop's program for it; False if there is none.

    A separate process launches the program, which may write to the terminal that it comes from.
    """
    launch = [sys.executable, "-P", "-c", _LAUNCH, target]
    launched = await anyio.run_process(
        launch, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, check=False
    )
    return launched.returncode == 0

"""The command `plugchat`; needs the extra `[cli]`."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["main"]

_PACKAGES_OF_THE_EXTRA = ("rich", "starlette", "typer", "uvicorn")


def main() -> None:
    """Run the command with the arguments of this process, and exit."""
    try:
        _end_like_ctrl_c()
        _prepare_streams()
        _follow_the_window()
        _check_extra()
        _spare_the_command_of_httpx()
        sys.exit(_run())
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        _drop_what_cannot_be_written()


def _run() -> int:
    try:
        from ._application import main

        return main()
    except OSError as error:  # standard output is full, even for --help
        from ._output.failures import report

        return report(error)


def _check_extra() -> None:
    from importlib.util import find_spec

    if missing := [name for name in _PACKAGES_OF_THE_EXTRA if find_spec(name) is None]:
        from plugchat_async._extras import install_command

        from ._texts import text

        packages = ", ".join(missing)
        sys.stderr.write(text("needs_extra", packages=packages, command=install_command("cli")))
        sys.stderr.write("\n")
        sys.exit(1)


def _spare_the_command_of_httpx() -> None:
    """Keep `import httpx` from importing its own command, with Click, Rich and Pygments.

    That takes longer than httpx itself: https://github.com/encode/httpx/pull/3547
    """
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # None forbids the import


def _drop_what_cannot_be_written() -> None:
    """Keep Python from flushing standard output again at exit, which would fail again.

    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _prepare_streams() -> None:
    """Open the standard streams that the process lacks, and keep odd letters from failing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Open for as long as the process lives, as any other would be.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        # An old code page lacks some letters of the texts; codes are checked separately.
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")


def _follow_the_window() -> None:
    """Forget the size that the window had when some program exported it: it may have changed.

    A terminal that knows no size, such as that of `script`, leaves what was exported.
    """
    with suppress(OSError):  # standard output is not a terminal, and has no size of its own
        if all(os.get_terminal_size(sys.stdout.fileno())):
            for variable in ("COLUMNS", "LINES"):
                os.environ.pop(variable, None)


def _end_like_ctrl_c() -> None:
    """Let no signal that can be caught leave a torn terminal behind, or a code in a file."""
    for name in ("SIGTERM", "SIGHUP", "SIGQUIT"):
        number = getattr(signal, name, None)  # Windows lacks some
        # What nohup and its kind ignore stays ignored; an embedder's thread can set no handler.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            with suppress(ValueError):
                signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt  # a shell's background job, for which Ctrl-C alone is ignored
    signal.raise_signal(signal.SIGINT)

"""The command `plugchat`; needs the extra `[cli]`."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ._output.exit_codes import ExitCode
from ._texts import texts

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["main"]

_BROUGHT_BY_THE_EXTRA = ("rich", "starlette", "typer", "uvicorn")


def main() -> None:
    """Run the command with the arguments of this process, and exit."""
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # An old code page lacks some letters of the sentences; codes are checked apart.
            stream.reconfigure(errors="replace")
    # What libraries log is none of the command's words, and would tear a code on the screen.
    logging.getLogger().addHandler(logging.NullHandler())
    _follow_the_window()
    _end_like_ctrl_c()
    if missing := [name for name in _BROUGHT_BY_THE_EXTRA if find_spec(name) is None]:
        from plugchat_async._extras import install_command

        names = {"packages": ", ".join(missing), "command": install_command("cli")}
        sys.stderr.write(texts().needs_extra.format(**names) + "\n")
        sys.exit(ExitCode.FAILURE)
    try:
        from ._application import application

        application(prog_name="plugchat")
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except OSError as error:  # standard output is full, even for --help
        from ._output.failures import report

        sys.exit(report(error))
    finally:
        _drop_what_cannot_be_written()


def _drop_what_cannot_be_written() -> None:
    """Keep Python from flushing standard output again at exit, which would fail again.

    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_missing_streams() -> None:
    """Put nothing in the place of standard streams that the process was started without."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Open for as long as the process lives, as any other would be.
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _follow_the_window() -> None:
    """Forget the size that the window had when some program exported it: it may have changed."""
    with suppress(OSError):  # standard output is no terminal, and has no size of its own
        os.get_terminal_size(sys.stdout.fileno())
        for variable in ("COLUMNS", "LINES"):
            os.environ.pop(variable, None)


def _end_like_ctrl_c() -> None:
    """Let no signal that can be caught leave a torn terminal behind, or a code in a file."""
    if threading.current_thread() is not threading.main_thread():
        return  # an embedder's; signals belong to the main one
    for name in ("SIGTERM", "SIGHUP", "SIGQUIT"):
        number = getattr(signal, name, None)  # Windows lacks some
        # What nohup and its kind ignore stays ignored.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt  # a shell's background job, for which Ctrl-C alone is ignored
    signal.raise_signal(signal.SIGINT)

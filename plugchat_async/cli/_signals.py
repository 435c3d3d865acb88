"""Handlers of Ctrl-C, and of the other signals that end a process.

The start of the command has nothing to clean up, and is left without an exception: one in the
middle of an import may come out as another (https://github.com/python/cpython/issues/77757), or be
shown and ignored. Later a terminal or a file may have to be restored, which takes an exception.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object]
else:
    import _signal  # `signal` makes enumerations, which takes long enough to be interrupted

INTERRUPTED = 130


def leave_on_signals(word: str = "", line: str = "") -> None:
    """Let signals end the process from now on.

    With a word for people on standard error, and a line for scripts on standard output, if any.
    """

    def leave(_number: int, _frame: object) -> None:
        try:
            if word:
                sys.stderr.write(word)
            if line:
                sys.stdout.write(line)
                sys.stdout.flush()
        finally:
            os._exit(INTERRUPTED)

    _handle(leave, leave)


def unwind_on_signals() -> None:
    """Let signals raise a `KeyboardInterrupt` from now on."""
    _handle(_signal.default_int_handler, _interrupt)


def _handle(ctrl_c: "Handler", others: "Handler") -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        number = getattr(_signal, name, None)  # Windows lacks some
        # A signal that is ignored, as by nohup, stays ignored.
        if number is not None and _signal.getsignal(number) != _signal.SIG_IGN:
            try:
                _signal.signal(number, ctrl_c if name == "SIGINT" else others)
            except ValueError:
                return  # an embedder's thread can set no handler


def _interrupt(_number: int, _frame: object) -> None:
    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_IGN:
        raise KeyboardInterrupt  # a shell's background job, for which Ctrl-C alone is ignored
    _signal.raise_signal(_signal.SIGINT)

"""Handlers of Ctrl-C, and of the other signals that end a process.

The start of the command has nothing to clean up, and is left without an exception: one in the
middle of an import may come out as another (https://github.com/python/cpython/issues/77757), or be
shown and ignored. Later a terminal or a file may have to be restored, which takes an exception.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object]
else:
    import _signal  # `signal` makes enumerations, which takes long enough to be interrupted

_INTERRUPTED = 130
# Windows lacks some.
_SIGNALS = [
    getattr(_signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
    if hasattr(_signal, name)
]


def leave_on_signals() -> None:
    """Let signals end the process silently from now on."""
    # A signal that is ignored, as by nohup, stays ignored.
    _replace((_signal.SIG_DFL, _signal.default_int_handler, _interrupt), _leave, _leave)


def unwind_on_signals() -> None:
    """Let signals raise a `KeyboardInterrupt` from now on."""
    _replace((_leave,), _signal.default_int_handler, _interrupt)


def _replace(replaced: tuple[object, ...], ctrl_c: "Handler", others: "Handler") -> None:
    for number in _SIGNALS:
        if _signal.getsignal(number) in replaced:
            try:
                _signal.signal(number, ctrl_c if number == _signal.SIGINT else others)
            except ValueError:
                return  # an embedder's thread can set no handler


def _leave(_number: int, _frame: object) -> None:
    os._exit(_INTERRUPTED)


def _interrupt(_number: int, _frame: object) -> None:
    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_IGN:
        raise KeyboardInterrupt  # a shell's background job, for which Ctrl-C alone is ignored
    _signal.raise_signal(_signal.SIGINT)

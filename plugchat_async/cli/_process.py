"""The process that the command runs in: its memory, its streams, its window, its packages."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress

from ._output.json_lines import as_line, failure, wants_json
from ._signals import INTERRUPTED, leave_on_signals
from ._texts import text

_PACKAGES_OF_THE_EXTRA = ("rich", "starlette", "typer", "uvicorn")

# Python's default of 700 is too low for a process that imports half a million objects.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def run() -> int:
    """Run the command with the arguments of this process, and return its exit code."""
    is_closed = sys.stdout is None
    _prepare_streams()
    word = f"{text('pair.stopped')}\n" if sys.argv[1:2] == ["pair"] else ""
    interrupted = failure("interrupted", text("interrupted"))
    leave_on_signals(word, as_line(**interrupted) if wants_json() else "")
    _collect_less_garbage()
    _follow_the_window()
    _spare_imports()
    atexit.register(leave_on_signals)
    if _explain_missing_packages():
        return 1
    try:
        if is_closed:
            from ._output.failures import Failure, report

            return report(Failure("output_closed"))  # before a code is requested for nobody
        from ._application import main

        if (code := main()) == INTERRUPTED:
            sys.stderr.write(word)
    except OSError as error:  # standard output is full, even for --help
        from ._output.failures import report

        code = report(error)
    finally:
        _drop_what_cannot_be_written()
    return code


def _explain_missing_packages() -> bool:
    """Write how to install the extra, and return whether it is missing."""
    from importlib.util import find_spec

    missing = ", ".join(name for name in _PACKAGES_OF_THE_EXTRA if find_spec(name) is None)
    if missing:
        from plugchat_async._extras import install_command

        sentence = text("needs_extra", packages=missing, command=install_command("cli"))
        sys.stderr.write(f"{sentence}\n")
    return bool(missing)


def _collect_less_garbage() -> None:
    """Spare a short process the garbage collector, which takes a quarter of its time.

    Most of that is the last collection, of all that was ever imported, when Python exits.
    """
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    atexit.register(_skip_last_collection)


def _skip_last_collection() -> None:
    # nanobind would report the rest as leaks:
    # https://nanobind.readthedocs.io/en/latest/refleaks.html
    if "zxingcpp" not in sys.modules:
        gc.freeze()


def _spare_imports() -> None:
    """Keep packages from importing and reading what the command does not use."""
    # httpx imports its own command, with Click, Rich and Pygments, which takes longer than httpx
    # itself: https://github.com/encode/httpx/pull/3547. None forbids the import.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    # pydantic reads the metadata of every package that is installed, in search of plugins.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _prepare_streams() -> None:
    """Open the standard streams that the process lacks, and keep odd letters from failing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Open until the process ends, as a standard stream is.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        # An old code page lacks some letters of the texts; codes are checked separately.
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")


def _drop_what_cannot_be_written() -> None:
    """Keep Python from flushing standard output again at exit, which would fail again.

    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _follow_the_window() -> None:
    """Forget the size that the window had when some program exported it: it may have changed.

    A terminal that knows no size, such as that of `script`, leaves what was exported.
    """
    with suppress(OSError):  # standard output is not a terminal, and has no size
        if all(os.get_terminal_size(sys.stdout.fileno())):
            for variable in ("COLUMNS", "LINES"):
                os.environ.pop(variable, None)

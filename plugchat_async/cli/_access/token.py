"""Source of the token: a file, the environment, or a prompt at the terminal.

Never an argument, which every user of the machine could read in the list of processes.
"""

from __future__ import annotations

import getpass
import os
import signal
import stat
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pydantic import SecretStr

from plugchat_async import _arguments, _environment
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._output.stderr import warn
from plugchat_async.cli._terminal.keyboard import ask
from plugchat_async.cli._texts import text

if TYPE_CHECKING:
    from pathlib import Path

# A file that was named by mistake may have no end.
_MAX_FILE_SIZE = 65536


def find_token(token_file: Path | None, *, may_ask: bool = True) -> SecretStr:
    """Find the token in a file, else in the environment, else by a prompt.

    Raises:
        Failure: There is none, or it is not valid.
    """
    # Taken out of it: a viewer or a browser that is opened must not inherit the token.
    in_environment = SecretStr(os.environ.pop(_environment.TOKEN_VARIABLE, "").strip())
    token = (
        _from_file(token_file) if token_file else in_environment or _from_terminal(may_ask=may_ask)
    )
    if token is None:
        raise Failure("no_token")
    try:
        return _arguments.check_token(token)
    except ValueError as error:
        reason = "quoted" if isinstance(error, _arguments.Quoted) else "unusable"
    if token_file is not None:
        raise _unreadable(token_file, text(f"token.{reason}"))
    raise Failure(f"token_{reason}")


def _from_file(path: Path) -> SecretStr:
    try:
        # Windows' editors begin with a mark, and it has no named pipes among its files.
        opener = _open if os.name == "posix" else None
        with open(path, encoding="utf-8-sig", opener=opener) as file:
            mode = os.fstat(file.fileno()).st_mode
            token = SecretStr(file.read(_MAX_FILE_SIZE))
    except OSError as error:
        reason = error.strerror or str(error)
    except UnicodeDecodeError:
        reason = text("token.not_text")
    else:
        is_exposed = stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH)
        if os.name == "posix" and is_exposed:
            warn(text("token.exposed", path=path))
        return token
    raise _unreadable(path, reason)


def _unreadable(path: Path, reason: str) -> Failure:
    # What names no file may be the token itself.
    file = path if os.path.lexists(path) else "--token-file"
    return Failure("token_file_unreadable", file=file, reason=reason)


def _open(path: str, flags: int) -> int:
    """Open a file without waiting for somebody to write into it if it is a named pipe."""
    handle = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    return handle


def _from_terminal(*, may_ask: bool) -> SecretStr | None:
    if not (may_ask and sys.stdin.isatty()):
        return None
    with ExitStack() as stack:
        if hasattr(signal, "SIGTSTP"):  # Windows lacks it
            # After Ctrl-Z a shell turns the echo on again, for all to read.
            before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
            stack.callback(signal.signal, signal.SIGTSTP, before)
        typed = ask(text("token.prompt"), read=getpass.getpass)
    return None if typed is None else SecretStr(typed)

"""Where the token comes from: a file, the environment, or whoever sits at the terminal.

Never an argument, which every user of the machine could read in the list of processes.
"""

from __future__ import annotations

import getpass
import os
import signal
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr

from plugchat_async import _arguments, _environment
from plugchat_async.cli._output.exit_codes import ExitCode
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._output.stderr import warn
from plugchat_async.cli._texts import texts

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

# A file that was named by mistake may have no end.
_LONGEST_FILE = 65536


def find_token(token_file: Path | None) -> SecretStr:
    """Find the token.

    Args:
        token_file: The file that holds it; None looks into the environment, then asks.

    Raises:
        Failure: There is none, or it can't be one.
    """
    in_environment = _taken_from_environment()
    token = _from_file(token_file) if token_file else in_environment or _from_terminal()
    if token is None:
        raise Failure(texts().no_token, ExitCode.USAGE)
    try:
        return _arguments.check_token(token)
    except ValueError:
        is_quoted = _arguments.is_quoted(token.get_secret_value())
        if token_file is not None:
            reason = texts().quoted if is_quoted else texts().wrong_content
            raise _unreadable(token_file, reason) from None
        sentences = texts().token_quoted if is_quoted else texts().token_unusable
        raise Failure(sentences, ExitCode.USAGE) from None


def _from_file(path: Path) -> SecretStr:
    try:
        with path.open(encoding="utf-8-sig") as file:  # Windows' editors begin with a mark
            mode = os.fstat(file.fileno()).st_mode
            token = SecretStr(file.read(_LONGEST_FILE))
    except OSError as error:
        reason = error.strerror or str(error)
    except UnicodeDecodeError:
        reason = texts().no_text
    else:
        is_open = stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH)
        if os.name == "posix" and is_open:
            warn(texts().file_is_readable_by_others.format(path=path))
        return token
    raise _unreadable(path, reason)


def _unreadable(path: Path, reason: str) -> Failure:
    return Failure(texts().token_file_unreadable, ExitCode.USAGE, path=path, reason=reason)


def _taken_from_environment() -> SecretStr | None:
    # A viewer or a browser that is opened needs none.
    token = SecretStr(os.environ.pop(_environment.TOKEN_VARIABLE, "").strip())
    return token or None


def _from_terminal() -> SecretStr | None:
    if not sys.stdin.isatty():
        return None
    try:
        with _not_suspended():
            return SecretStr(getpass.getpass(texts().token_prompt))
    except EOFError:
        sys.stderr.write("\n")
        return None
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise


@contextmanager
def _not_suspended() -> Generator[None]:
    """Ignore Ctrl-Z, after which a shell turns the echo on again, for all to read."""
    if not hasattr(signal, "SIGTSTP"):  # Windows
        yield
        return
    before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)

"""Failures of a command: a sentence about what happened, one about what to do, an exit code."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from plugchat_async import (
    AlreadyConnected,
    NetworkError,
    PlugChatError,
    ResponseError,
    UnexpectedResponse,
)
from plugchat_async._extras import install_command
from plugchat_async.cli._texts import text

from .json_lines import print_failure
from .stderr import say

if TYPE_CHECKING:
    from collections.abc import Generator


# As public as the commands; all other failures exit with 1.
_EXIT_CODES = {
    "already_connected": 3,
    "expired": 4,
    "demo_expired": 4,
    **dict.fromkeys(
        (
            *("no_token", "token_unusable", "token_quoted", "token_file_unreadable"),
            *("base_url_unusable", "base_url_quoted", "base_url_insecure", "compact_impossible"),
            *("output_wanted", "output_suffix", "output_unwritable", "output_exists"),
        ),
        2,  # a mistake in the call
    ),
}


class Failure(Exception):
    """Failure that ends a command: what happened, and what to do about it.

    Args:
        code: Its error code, which has texts under `failures`.
        fields: What to put in the braces of its texts, by name.
    """

    def __init__(self, code: str, **fields: object) -> None:
        self.code = code
        self.exit_code = _EXIT_CODES.get(code, 1)
        self.happened = text(f"failures.{code}.happened", **fields)
        self.to_do = text(f"failures.{code}.to_do", **fields)
        super().__init__(self.happened)


@contextmanager
def reported(*, debug: bool = False, as_json: bool = False) -> Generator[None]:
    """Report a failure inside of the block, and exit.

    A traceback for debugging shows no values of variables, hence no secret.
    """
    try:
        yield
    except BrokenPipeError:
        raise  # nobody reads the output any more, which Typer passes over silently
    except (Failure, PlugChatError, OSError) as error:
        if debug:
            traceback.print_exception(error)
        raise typer.Exit(report(error, as_json=as_json)) from None
    except KeyboardInterrupt as interrupt:
        if as_json:
            print_failure("interrupted", str(interrupt) or text("interrupted"))
        raise


def report(
    error: Failure | PlugChatError | OSError, *, as_json: bool = False, is_of_the_sdk: bool = False
) -> int:
    """Write a failure and the remedy to standard error, and return its exit code.

    A code of the SDK's is shown, whatever language the sentences are in.
    """
    failure = _explain(error)
    code = error.code if isinstance(error, PlugChatError) else failure.code
    if as_json:
        print_failure(code, failure.happened)
    # A session ends with an outcome instead of this error, and with the same words.
    is_of_the_sdk |= isinstance(error, PlugChatError) or code == AlreadyConnected.code
    sentences = f"{failure.happened} {failure.to_do}" + (f" [{code}]" if is_of_the_sdk else "")
    say(sentences, label=text("error"), color="red")
    if isinstance(error, ResponseError) and error.detail:
        say(text("detail", detail=error.detail), dim=True)
    return failure.exit_code


def _explain(error: Failure | PlugChatError | OSError) -> Failure:
    match error, error.__cause__:
        case Failure(), _:
            return error
        case OSError(), _:
            return Failure("system_error", reason=error.strerror or error)
        case UnexpectedResponse(), ImportError():
            return Failure("decoder_missing", command=install_command("decode"))
        case NetworkError(is_local=True), reason:
            return Failure("environment_unusable", reason=str(reason).rstrip("."))
        case NetworkError(), _:
            failure = Failure("unconfirmed" if error.may_have_happened else error.code)
            # The SDK's message without its advice: endpoint, host, and the system's reason.
            failure.happened = f"{failure.happened[:-1]}: {str(error).partition(': check')[0]}."
            return failure
        case _:
            return Failure(error.code)

"""How a failure ends a command: one sentence what happened, one what to do, an exit code."""

from __future__ import annotations

import json
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from plugchat_async import (
    AlreadyConnected,
    Failed,
    NetworkError,
    PlugChatError,
    ResponseError,
    UnexpectedResponse,
)
from plugchat_async._extras import install_command
from plugchat_async.cli._texts import texts

from .exit_codes import ExitCode
from .stderr import say

if TYPE_CHECKING:
    from collections.abc import Generator

    from plugchat_async.cli._texts import Sentences


class Failure(Exception):
    """End the command.

    Args:
        sentences: What happened, and what to do.
        exit_code: What to tell the process that started this one.
    """

    def __init__(
        self, sentences: Sentences, exit_code: ExitCode = ExitCode.FAILURE, **names: object
    ) -> None:
        self.happened = sentences.happened.format(**names)
        self.to_do = sentences.to_do.format(**names)
        self.exit_code = exit_code
        super().__init__(self.happened)


@contextmanager
def reported(*, debug: bool, as_json: bool = False) -> Generator[None]:
    """Report what fails inside, and exit.

    Args:
        debug: Write a traceback first. It shows no values of variables, hence no secret.
        as_json: Write what PlugChat refused to standard output as well, as one JSON object.
    """
    try:
        yield
    except BrokenPipeError:
        raise  # nobody reads on, which Click takes without a word
    except (Failure, PlugChatError, OSError) as error:
        if debug:
            traceback.print_exception(error)
        if as_json and isinstance(error, PlugChatError):
            failed = {"code": error.code, "message": explain(error).happened}
            typer.echo(json.dumps({"failed": failed}, ensure_ascii=False))
        raise typer.Exit(report(error)) from None


def explain(error: Failure | PlugChatError | OSError) -> Failure:
    """Put an error into sentences."""
    match error, error.__cause__:
        case Failure(), _:
            return error
        case OSError(), _:
            return Failure(texts().output_failed, reason=error.strerror or error)
        case AlreadyConnected(), _:
            return Failure(texts().failures[error.code], ExitCode.ALREADY_CONNECTED)
        case UnexpectedResponse(), ImportError():
            return Failure(texts().decoder_missing, command=install_command("decode"))
        case NetworkError(is_local=True), reason:
            return Failure(texts().environment_unusable, reason=str(reason).rstrip("."))
        case _:
            return Failure(texts().failures[error.code])


def say_failed(state: Failed) -> None:
    """Say what ended a session that may begin again."""
    known = texts().failures.get(state.code)
    _say_error(f"{known.happened} {known.to_do}" if known else state.message, state.code)


def report(error: Failure | PlugChatError | OSError) -> ExitCode:
    """Write to standard error what failed and what to do, and return the exit code for it."""
    failure = explain(error)
    code = error.code if isinstance(error, PlugChatError) else None
    _say_error(f"{failure.happened} {failure.to_do}", code)
    if isinstance(error, ResponseError) and error.detail:
        say((texts().detail.format(detail=error.detail), "dim"))
    return failure.exit_code


def _say_error(sentences: str, code: str | None) -> None:
    say((f"{texts().error}: ", "bold red"), sentences, (f" [{code}]" if code else "", "dim"))

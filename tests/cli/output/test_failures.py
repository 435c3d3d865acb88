"""A failure is one line on standard error and an exit code; scripts get its code as JSON."""

from __future__ import annotations

import errno
import json
import os

import pytest
import typer

from plugchat_async import (
    AlreadyConnected,
    AuthenticationError,
    Failed,
    NetworkError,
    PlugChatError,
    UnexpectedResponse,
)
from plugchat_async._extras import install_command
from plugchat_async.cli._output.exit_codes import ExitCode
from plugchat_async.cli._output.failures import Failure, reported, say_failed
from plugchat_async.cli._texts import Sentences

REFUSED = AuthenticationError("refused", status_code=401)


def exit_code(error: Exception, *, debug: bool = False, as_json: bool = False) -> int:
    """Fail with an error, and tell the exit code."""
    with pytest.raises(typer.Exit) as ended, reported(debug=debug, as_json=as_json):
        raise error
    return ended.value.exit_code


def test_a_failure_of_the_command_says_what_happened_and_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both sentences are filled in, on one line."""
    sentences = Sentences("{name} is broken.", "Mend {name}.")
    assert exit_code(Failure(sentences, ExitCode.USAGE, name="[it]")) == 2
    assert capsys.readouterr() == ("", "Error: [it] is broken. Mend [it].\n")


def test_an_error_of_the_sdk_keeps_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    """The stable word stands in brackets, in whatever language the sentences are."""
    assert exit_code(REFUSED) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "Error: PlugChat refused the token. Copy it again from PlugChat's panel."
        " [authentication_error]\n"
    )


def test_portuguese(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The sentences change with the language, the code does not."""
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")
    exit_code(REFUSED)
    assert capsys.readouterr().err == (
        "Erro: O PlugChat recusou o token. Copie-o de novo do painel do PlugChat."
        " [authentication_error]\n"
    )


def test_what_the_api_said_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Its own words come last."""
    exit_code(AuthenticationError("refused", status_code=403, detail="[red]no[/red]"))
    assert capsys.readouterr().err.splitlines()[1:] == ["PlugChat said: [red]no[/red]"]


def test_already_connected_has_an_exit_code_of_its_own() -> None:
    """A script tells it from a failure."""
    assert exit_code(AlreadyConnected("connected", status_code=200)) == 3


def test_a_missing_decoder_is_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    """The answer itself was fine."""
    error = UnexpectedResponse("an image", status_code=200)
    error.__cause__ = ImportError("no decoder")
    assert exit_code(error) == 1
    assert f"(extra [decode]). Run: {install_command('decode')}, " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en_US", "Error: No connection can be made: NO_PROXY can't be parsed. Check "),
        ("pt_BR", "Erro: Não é possível abrir uma conexão: NO_PROXY can't be parsed. Confira "),
    ],
)
def test_an_environment_that_allows_no_connection_is_what_to_mend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str, said: str
) -> None:
    """The reason is told, since neither the network nor the base URL is at fault."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    error = NetworkError("no connection")
    error.is_local = True
    error.__cause__ = ValueError("NO_PROXY can't be parsed")
    assert exit_code(error) == 1
    err = capsys.readouterr().err
    assert err.startswith(said)
    assert all(name in err for name in ("SSL_CERT_FILE", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"))
    assert err.endswith("[network_error]\n")


@pytest.mark.parametrize("cause", [ConnectionResetError("reset"), ValueError("odd"), None])
def test_a_failure_of_the_network_is_not_taken_for_one_of_the_environment(
    capsys: pytest.CaptureFixture[str], cause: Exception | None
) -> None:
    """Whatever type of exception the transport has raised."""
    error = NetworkError("no response")
    error.__cause__ = cause
    assert exit_code(error) == 1
    assert capsys.readouterr().err.startswith("Error: PlugChat can't be reached. ")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("qr_not_ready", "Error: PlugChat has no code yet. "),
        ("internal_error", "Error: see the log [internal_error]\n"),
    ],
)
def test_a_failed_session_is_told_like_an_error(
    capsys: pytest.CaptureFixture[str], code: str, said: str
) -> None:
    """By its code, in the user's language; what is no answer of PlugChat's in its own words."""
    say_failed(Failed(code=code, message="see the log"))
    err = capsys.readouterr().err
    assert err.startswith(said)
    assert err.endswith(f"[{code}]\n")


def test_scripts_get_one_json_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output holds the code and the sentence; people still read standard error."""
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")
    assert exit_code(NetworkError("nobody there"), as_json=True) == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "failed": {"code": "network_error", "message": "Não foi possível falar com o PlugChat."}
    }
    assert "ã" in out
    assert err.startswith("Erro: Não foi possível falar com o PlugChat.")


@pytest.mark.parametrize("error", [REFUSED, Failure(Sentences("It broke.", "Mend it."))])
def test_debug_shows_a_traceback_without_values(
    capsys: pytest.CaptureFixture[str], error: PlugChatError | Failure
) -> None:
    """Source lines, no locals."""
    exit_code(error)
    assert "Traceback" not in capsys.readouterr().err
    secret = "not-to-be-shown"
    exit_code(error, debug=True)
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert secret not in err


def test_what_the_system_refuses_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """A disk that is full, behind standard output."""
    assert exit_code(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) == 1
    assert capsys.readouterr().err.startswith("Error: The system refused: No space left on device.")


def test_a_pipe_that_nobody_reads_is_left_to_click() -> None:
    """It ends the command without a word."""
    with pytest.raises(BrokenPipeError), reported(debug=False):
        raise BrokenPipeError


def test_a_mistake_of_our_own_is_not_hidden() -> None:
    """What is neither goes on as it is."""
    with pytest.raises(ZeroDivisionError), reported(debug=False):
        raise ZeroDivisionError

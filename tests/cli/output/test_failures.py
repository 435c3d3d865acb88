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
    NetworkError,
    PlugChatError,
    UnexpectedResponse,
)
from plugchat_async._extras import install_command
from plugchat_async.cli._output.failures import Failure, report, reported

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
    assert exit_code(Failure("output_exists", path="[it]")) == 2
    assert capsys.readouterr() == (
        "",
        (
            "Error: [it] already exists. It would be overwritten now and deleted at the end."
            " Choose another name, or remove that file first.\n"
        ),
    )


def test_an_error_of_the_sdk_keeps_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    """It is printed in brackets, whatever language the sentences are in."""
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
        "Erro: O PlugChat recusou o token. Copie o token novamente do painel do PlugChat."
        " [authentication_error]\n"
    )


def test_the_words_of_the_api_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Its own words come last."""
    exit_code(AuthenticationError("refused", status_code=403, detail="[red]no[/red]"))
    assert capsys.readouterr().err.splitlines()[1:] == ["PlugChat said: [red]no[/red]"]


@pytest.mark.parametrize(
    "error", [AlreadyConnected("connected", status_code=200), Failure("already_connected")]
)
def test_already_connected_is_reported_alike_by_all_commands(
    capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    """By those that make one call, and by `pair`, whose session ends with an outcome."""
    assert exit_code(error) == 3
    assert capsys.readouterr().err.endswith(": plugchat disconnect [already_connected]\n")


def test_a_missing_decoder_is_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    """The response itself was fine."""
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
    assert capsys.readouterr().err.startswith(
        "Error: PlugChat can't be reached: no response. Check "
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("qr_not_ready", "Error: PlugChat has no QR code yet. "),
        ("internal_error", "Error: Something broke inside plugchat. "),
    ],
)
def test_a_failed_session_is_told_like_an_error(
    capsys: pytest.CaptureFixture[str], code: str, said: str
) -> None:
    """By its code, in the user's language."""
    report(Failure(code), is_of_the_sdk=True)
    err = capsys.readouterr().err
    assert err.startswith(said)
    assert err.endswith(f"[{code}]\n")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (NetworkError("nobody"), "network_error", "Não foi possível falar com o PlugChat: nobody."),
        (Failure("no_token"), "no_token", "Nenhum token foi informado."),
        (OSError(errno.ENOSPC, "cheio"), "system_error", "O sistema recusou: cheio."),
    ],
)
def test_scripts_get_one_event(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: str,
    message: str,
) -> None:
    """Of one shape for all failures; people still read standard error."""
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")
    if isinstance(error, Failure):
        error = Failure(error.code)  # in this language
    exit_code(error, as_json=True)
    out, err = capsys.readouterr()
    assert json.loads(out) == {"version": 1, "event": "failed", "code": code, "message": message}
    assert err.startswith(f"Erro: {message} ")


@pytest.mark.parametrize("error", [REFUSED, Failure("no_token")])
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


def test_an_error_of_the_system_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """A disk that is full, behind standard output."""
    assert exit_code(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) == 1
    assert capsys.readouterr().err.startswith("Error: The system refused: No space left on device.")


def test_a_pipe_that_nobody_reads_is_left_to_typer() -> None:
    """It ends the command without a word."""
    with pytest.raises(BrokenPipeError), reported():
        raise BrokenPipeError


def test_a_mistake_of_our_own_is_not_hidden() -> None:
    """Any other exception passes unchanged."""
    with pytest.raises(ZeroDivisionError), reported():
        raise ZeroDivisionError


def test_standard_output_that_is_full_is_reported_outside_of_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As by `plugchat --help > /dev/full`."""
    assert report(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) == 1
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("already_connected", 3),
        ("expired", 4),
        ("demo_expired", 4),
        ("no_token", 2),
        ("output_exists", 2),
        ("output_failed", 1),
        ("window_too_small", 1),
        ("network_error", 1),
    ],
)
def test_each_code_has_an_exit_code(code: str, expected: int) -> None:
    """A mistake that the caller could have avoided is a usage error."""
    fields = dict.fromkeys(("path", "reason", "ways", "needed", "window"))
    assert Failure(code, **fields).exit_code == expected

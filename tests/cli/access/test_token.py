"""Sources of the token, their order, and the message if there is none."""

from __future__ import annotations

import getpass
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plugchat_async.cli._access.token import find_token
from plugchat_async.cli._output.failures import Failure


@pytest.fixture
def token_file(tmp_path: Path, token: str) -> Path:
    """Give a file that only its owner can read."""
    path = tmp_path / "token"
    path.write_text(f"  {token}\n")
    path.chmod(0o600)
    return path


def test_a_file(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    token_file: Path,
    token: str,
) -> None:
    """An argument goes before the environment; blanks around it are dropped."""
    monkeypatch.setenv("PLUGCHAT_TOKEN", "another")
    assert find_token(token_file).get_secret_value() == token
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_can_read_is_warned_of(
    capsys: pytest.CaptureFixture[str], token_file: Path, token: str, mode: int
) -> None:
    """It is used all the same, and the warning says how to close it."""
    token_file.chmod(mode)
    assert find_token(token_file).get_secret_value() == token
    assert capsys.readouterr().err == (
        f"Warning: Other users can read {token_file}. Restrict it with: chmod 600 {token_file}\n"
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Exit code 2, and the reason."""
    with pytest.raises(Failure, match="No such file") as caught:
        find_token(tmp_path / "nothing")
    assert caught.value.exit_code == 2


def test_the_name_of_a_missing_file_is_not_repeated(token: str) -> None:
    """It may be the token itself."""
    with pytest.raises(Failure, match="read from --token-file: No such file") as caught:
        find_token(Path(token))
    assert token not in str(caught.value)


def test_a_file_that_is_not_text(token_file: Path) -> None:
    """An image, or a key store, is not a token."""
    token_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Failure, match="UTF-8"):
        find_token(token_file)


def test_a_file_of_windows_begins_with_a_mark(token_file: Path, token: str) -> None:
    """It is not part of the token."""
    token_file.write_text(token, encoding="utf-8-sig")
    assert find_token(token_file).get_secret_value() == token


def test_a_file_without_an_end() -> None:
    """It is not read to the end, and can't be a token."""
    with pytest.raises(Failure, match="from /dev/zero: it is empty, too long"):
        find_token(Path("/dev/zero"))


def test_the_environment(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """`PLUGCHAT_TOKEN` holds it."""
    monkeypatch.setenv("PLUGCHAT_TOKEN", f" {token} ")
    assert find_token(None).get_secret_value() == token


@pytest.mark.parametrize("is_in_file", [False, True])
def test_programs_that_are_opened_later_get_no_token(
    *, monkeypatch: pytest.MonkeyPatch, token_file: Path, token: str, is_in_file: bool
) -> None:
    """A viewer or a browser inherits the environment, and needs none."""
    monkeypatch.setenv("PLUGCHAT_TOKEN", token)
    find_token(token_file if is_in_file else None)
    assert "PLUGCHAT_TOKEN" not in os.environ


@pytest.mark.usefixtures("keyboard")
def test_whoever_sits_at_the_terminal_is_asked(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """An empty variable is none."""
    monkeypatch.setenv("PLUGCHAT_TOKEN", " ")
    monkeypatch.setattr(getpass, "getpass", lambda prompt: f"{prompt and token}\n")
    assert find_token(None).get_secret_value() == token


@pytest.mark.usefixtures("keyboard")
def test_a_script_is_not_asked() -> None:
    """`--json` is for those, also at a terminal."""
    with pytest.raises(Failure, match="No token was given") as caught:
        find_token(None, may_ask=False)
    assert "without --json" in caught.value.to_do


def test_a_pipe_that_nobody_writes_into_is_empty(tmp_path: Path) -> None:
    """It is not waited for."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(Failure, match="it is empty"):
        find_token(path)


def test_a_pipe_is_read_to_its_end(token: str) -> None:
    """As of a shell's `<(...)`, whose program has only just been started."""
    command = ["sh", "-c", f"printf {token[:5]}; sh -c 'echo {token[5:]}'"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        path = Path(f"/dev/fd/{writer.stdout.fileno()}")
        assert find_token(path).get_secret_value() == token


@pytest.mark.usefixtures("keyboard")
@pytest.mark.parametrize("is_windows", [False, True])
def test_ctrl_z_shows_no_token(
    monkeypatch: pytest.MonkeyPatch, token: str, *, is_windows: bool
) -> None:
    """A shell that goes on with a stopped program turns the echo on again."""
    number = signal.SIGTSTP
    before = signal.getsignal(number)
    seen = []

    def getpass_(_: str) -> str:
        seen.append(signal.getsignal(number))
        return token

    monkeypatch.setattr(getpass, "getpass", getpass_)
    if is_windows:
        monkeypatch.delattr(signal, "SIGTSTP")
    assert find_token(None).get_secret_value() == token
    assert seen == [before if is_windows else signal.SIG_IGN]
    assert signal.getsignal(number) is before


@pytest.mark.usefixtures("keyboard")
@pytest.mark.parametrize(
    ("key", "end"), [(EOFError, Failure), (KeyboardInterrupt, KeyboardInterrupt)]
)
def test_nothing_is_said_at_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    key: type[BaseException],
    end: type[BaseException],
) -> None:
    """Ctrl-D is not a token, Ctrl-C goes on as itself; the next output begins a line."""

    def press(_: str) -> str:
        raise key

    monkeypatch.setattr(getpass, "getpass", press)
    with pytest.raises(end):
        find_token(None)
    assert capsys.readouterr().err == "\n"


def test_an_unusable_token_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was copied amiss."""
    monkeypatch.setenv("PLUGCHAT_TOKEN", "to\x07ken")
    with pytest.raises(Failure, match="The token is empty, too long") as caught:
        find_token(None)
    assert caught.value.exit_code == 2


def test_no_token_and_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The three ways to give one, and exit code 2."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(Failure, match="No token was given") as caught:
        find_token(None)
    assert caught.value.exit_code == 2
    ways = ("PLUGCHAT_TOKEN", "--token-file", "terminal")
    assert all(way in caught.value.to_do for way in ways)


@pytest.mark.parametrize("unusable", ["", "to\x07ken", "tokén"])
def test_an_invalid_token_is_refused_without_being_shown(token_file: Path, unusable: str) -> None:
    """An empty file, a control character, a letter outside ASCII; the file is named."""
    token_file.write_text(unusable, encoding="utf-8")
    with pytest.raises(Failure, match="empty, too long, or contains invalid") as caught:
        find_token(token_file)
    assert caught.value.exit_code == 2
    assert str(token_file) in caught.value.happened
    assert not unusable or unusable not in f"{caught.value.happened} {caught.value.to_do}"


@pytest.mark.parametrize("mark", ['"', "'"])
@pytest.mark.parametrize(
    ("language", "reason"), [("en_US", "in quotation marks"), ("pt_BR", "entre aspas")]
)
def test_a_token_in_quotation_marks_is_refused_with_that_reason(
    monkeypatch: pytest.MonkeyPatch,
    token_file: Path,
    token: str,
    mark: str,
    language: str,
    reason: str,
) -> None:
    """In the environment or in a file, without being shown."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    token_file.write_text(f"{mark}{token}{mark}\n")
    for file in (None, token_file):
        monkeypatch.setenv("PLUGCHAT_TOKEN", f"{mark}{token}{mark}")
        with pytest.raises(Failure, match=reason) as caught:
            find_token(file)
        assert caught.value.exit_code == 2
        assert token not in f"{caught.value.happened} {caught.value.to_do}"

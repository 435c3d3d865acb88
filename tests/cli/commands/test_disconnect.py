"""`plugchat disconnect`: it asks first, and unlinks once."""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from plugchat_async import AsyncPlugChat

if TYPE_CHECKING:
    from plugchat_async.sandbox import Sandbox
    from tests.cli.conftest import Run
    from tests.cli.keyboard import Keyboard


def endpoints(sandbox: Sandbox) -> list[str]:
    """Return what was requested."""
    return [call.endpoint for call in sandbox.calls]


@pytest.mark.parametrize(
    ("language", "key", "is_unlinked"),
    [
        ("en_US", b"y\n", True),
        ("en_US", b"YES\n", True),
        ("en_US", b"\n", False),
        ("en_US", b"n\n", False),
        ("en_US", b"\x04", False),
        ("pt_BR", b"sim\n", True),
        ("pt_BR", b"y\n", False),
    ],
)
def test_somebody_at_the_terminal_is_asked(
    run: Run,
    sandbox: Sandbox,
    keyboard: Keyboard,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    key: bytes,
    *,
    is_unlinked: bool,
) -> None:
    """In the user's language; anything but a yes changes nothing, and exits with 1."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    keyboard.keys = iter([key])
    ran = run("disconnect", window=(80, 24))
    assert ran.exit_code == (not is_unlinked)
    assert endpoints(sandbox) == (["/disconnect"] if is_unlinked else [])
    assert "plugchat pair" in ran.out or not is_unlinked


@pytest.mark.parametrize(
    ("language", "said"),
    [("en_US", "Nothing was unlinked.\n"), ("pt_BR", "Nada foi desconectado.\n")],
)
def test_ctrl_c_at_the_question(
    run: Run,
    sandbox: Sandbox,
    keyboard: Keyboard,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    said: str,
) -> None:
    """Exit code 130, and that nothing happened."""

    def interrupted() -> str:
        raise KeyboardInterrupt

    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    monkeypatch.setattr(keyboard, "readline", interrupted)
    ran = run("disconnect", window=(80, 24))
    assert (ran.exit_code, ran.err) == (130, f"\n{said}")
    assert endpoints(sandbox) == []


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_without_a_terminal_nobody_can_be_asked(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """Exit code 1, as for a no, and what to add."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    ran = run("disconnect", *options)
    assert ran.exit_code == 1
    assert "--yes" in ran.err
    assert not options or json.loads(ran.out)["code"] == "not_confirmed"
    assert endpoints(sandbox) == []


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("language", "said"),
    [("en_US", "may be unlinked all the same"), ("pt_BR", "pode ter sido desconectado mesmo")],
)
def test_ctrl_c_during_the_request(
    run: Run, monkeypatch: pytest.MonkeyPatch, language: str, said: str
) -> None:
    """Exit code 130, and that it may have happened: it was sent, and will not be again."""

    async def interrupted(_: AsyncPlugChat) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    monkeypatch.setattr(AsyncPlugChat, "disconnect", interrupted)
    ran = run("disconnect", "--yes", "--json")
    assert ran.exit_code == 130
    assert said in ran.err
    printed = json.loads(ran.out)
    assert (printed["code"], printed["message"]) == ("interrupted", ran.err.removesuffix("\n"))


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("kind", [OSError, BrokenPipeError])
def test_it_is_said_even_if_standard_output_takes_nothing(
    run: Run,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    kind: type[OSError],
) -> None:
    """It has happened, and is told on standard error: a full disk must not hide that."""

    def write(_: str) -> int:
        raise kind(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys.stdout, "write", write)
    ran = run("disconnect", "--yes", *options)
    assert ran.exit_code == 1
    assert ran.err.startswith("Error: The phone is unlinked, but ")
    assert os.strerror(errno.ENOSPC) in ran.err
    assert endpoints(sandbox) == ["/disconnect"]


def test_yes_is_not_asked_for(run: Run, sandbox: Sandbox) -> None:
    """The phone is unlinked."""
    assert sandbox.scan(json.loads(run("qr", "--json").out)["payload"])
    assert run("disconnect", "--yes").out.startswith("The phone is unlinked.\n")
    assert run("status").out.startswith("Not connected")


def test_json(run: Run, sandbox: Sandbox) -> None:
    """One event."""
    ran = run("disconnect", "--yes", "--json")
    assert json.loads(ran.out) == {"version": 1, "event": "disconnected"}
    assert endpoints(sandbox) == ["/disconnect"]


def test_it_is_sent_once(run: Run, sandbox: Sandbox) -> None:
    """A failure is not retried."""
    sandbox.answer_next("server_error", times=3)
    assert run("disconnect", "--yes").exit_code == 1
    assert endpoints(sandbox) == ["/disconnect"]


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("language", "happened", "to_do"),
    [
        ("en_US", "The request may have been carried out", "Look with: plugchat status"),
        ("pt_BR", "A requisição pode ter sido executada", "Confira com: plugchat status"),
    ],
)
def test_it_may_have_been_carried_out_without_a_response(
    run: Run, monkeypatch: pytest.MonkeyPatch, language: str, happened: str, to_do: str
) -> None:
    """A timeout is not a reason to send it again, but to look; as JSON, too."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    ran = run("disconnect", "--yes", "--json", "--timeout", "0.0001")
    failure = json.loads(ran.out)
    assert (ran.exit_code, failure["code"]) == (1, "request_timeout")
    assert failure["message"].startswith(happened)
    assert failure["message"].endswith(" within 0.0001 s.")
    assert f"{failure['message']} {to_do}" in ran.err


@pytest.mark.usefixtures("sandbox")
def test_it_was_not_carried_out_without_a_connection(run: Run) -> None:
    """Nothing was sent, so there is nothing to look for."""
    ran = run("disconnect", "--yes", "--base-url", "http://127.0.0.1:1")
    assert ran.exit_code == 1
    assert ran.err.startswith("Error: PlugChat can't be reached")

"""`plugchat status`: a line or two, or one JSON object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from starlette.responses import JSONResponse

from plugchat_async._http.calls import Calls

if TYPE_CHECKING:
    from plugchat_async.sandbox import Sandbox
    from tests.cli.conftest import Run, SandboxServer


def test_not_connected(run: Run, sandbox: Sandbox) -> None:
    """It says what to do about it, and requests no code."""
    ran = run("status")
    assert (ran.exit_code, ran.err) == (0, "")
    assert ran.out == "Not connected: no phone is linked.\nLink one: plugchat pair\n"
    assert [call.endpoint for call in sandbox.calls] == ["/status"]


def test_connected(run: Run, sandbox: Sandbox) -> None:
    """One line."""
    code = run("qr", "--json").out
    assert sandbox.scan(json.loads(code)["payload"])
    assert run("status").out == "Connected: a phone is linked.\n"


def test_a_session_to_restore(run: Run, sandbox: Sandbox) -> None:
    """It is not connected, why, and what restores it without a scan."""
    sandbox.answer_next("session_lost")
    said = run("status").out
    assert said.startswith("Not connected: the session has to be restored")
    assert "client.restore_session()" in said


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({}, "Connected: a phone is linked.\n"),
        (
            {"smartphoneConnected": False},
            "Connected: a phone is linked, but it is offline.\n",
        ),
    ],
)
def test_a_phone_that_is_offline(
    run: Run, sandbox_server: SandboxServer, told: dict[str, bool], line: str
) -> None:
    """Only if the API says so."""
    sandbox_server.sandbox = JSONResponse({"connected": True, **told})
    assert run("status").out == line


def test_json(run: Run, sandbox: Sandbox) -> None:
    """All that the API told, and nothing else on standard output."""
    assert json.loads(run("status", "--json").out) == {
        "version": 1,
        "connected": False,
        "session": False,
        "smartphone_connected": False,
        "error": "You are not connected.",
    }
    assert len(sandbox.calls) == 1


def test_a_failure_as_json(run: Run, sandbox: Sandbox) -> None:
    """Exit code 1, and a stable error code."""
    sandbox.answer_next("subscription_required")
    ran = run("status", "--json")
    assert ran.exit_code == 1
    assert json.loads(ran.out)["code"] == "subscription_required"


def test_an_option_goes_before_the_environment(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """`--base-url` and `--timeout` reach the client; the token is in no word of the failure."""
    monkeypatch.setenv("PLUGCHAT_BASE_URL", "http://127.0.0.1:1/api")
    sandbox.answer_next("forbidden")
    ran = run("status", "--base-url", "http://user@127.0.0.1/", "--timeout", "3")
    assert ran.exit_code == 2
    assert token not in ran.err


def test_a_refused_token_is_not_repeated(run: Run, sandbox: Sandbox, token: str) -> None:
    """The API's own words repeat it; ours, and a traceback, do not."""
    sandbox.answer_next("forbidden")
    ran = run("status", "--debug")
    assert ran.exit_code == 1
    assert "PlugChat said: Client-Token [redacted] not allowed" in ran.err
    assert "Traceback" in ran.err
    assert token not in ran.err


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("language", "happened"),
    [
        ("en_US", "PlugChat can't be reached"),
        ("pt_BR", "Não foi possível falar com o PlugChat"),
    ],
)
def test_a_host_that_was_not_meant_shows(
    run: Run, monkeypatch: pytest.MonkeyPatch, language: str, happened: str
) -> None:
    """With the endpoint and the system's reason, to people and to scripts."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    monkeypatch.setenv("PLUGCHAT_BASE_URL", "http://127.0.0.1:1/api/whatsapp")
    monkeypatch.setattr("plugchat_async._http.calls.Calls.make", Calls.make_once)  # no pauses
    ran = run("status", "--json")
    message = json.loads(ran.out)["message"]
    assert message.startswith(f"{happened}: no response from /status at 127.0.0.1:1, ")
    assert message in ran.err
    assert "ConnectionRefusedError" in message


@pytest.mark.parametrize(
    ("language", "name", "said"),
    [
        ("en_US", "rate_limited", "Error: Too many requests were made."),
        ("pt_BR", "rate_limited", "Erro: Muitas requisições foram feitas em pouco tempo."),
        ("en_US", "status_error", "Error: PlugChat's response could not be understood."),
        ("pt_BR", "status_error", "Erro: Não foi possível entender a resposta do PlugChat."),
    ],
)
def test_a_failure_is_not_about_qr_codes(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, language: str, name: str, said: str
) -> None:
    """None was requested."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    sandbox.answer_next(name)
    assert run("status").err.startswith(said)

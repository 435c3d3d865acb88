"""`plugchat device`: which phone is linked, in lines or as one JSON object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from plugchat_async import Device

if TYPE_CHECKING:
    from plugchat_async.sandbox import Sandbox
    from tests.cli.conftest import Run


def test_no_phone(run: Run, sandbox: Sandbox) -> None:
    """It says what to do about it, and requests no code."""
    ran = run("device")
    assert (ran.exit_code, ran.err) == (0, "")
    assert ran.out == "No phone is linked.\nLink one: plugchat pair\n"
    assert [call.endpoint for call in sandbox.calls] == ["/device"]


def test_a_phone(run: Run, sandbox: Sandbox) -> None:
    """A line for each thing that is known of it."""
    assert sandbox.scan(json.loads(run("qr", "--json").out)["payload"], "5521988887777")
    ran = run("device")
    assert "phone: 5521988887777\n" in ran.out
    assert all(len(line.split(": ")) == 2 for line in ran.out.splitlines())


def test_json(run: Run, sandbox: Sandbox) -> None:
    """The model reads it back."""
    assert sandbox.scan(json.loads(run("qr", "--json").out)["payload"])
    assert Device.model_validate_json(run("device", "--json").out).phone == "5511999990000"


def test_a_failure_as_json(run: Run, sandbox: Sandbox) -> None:
    """Exit code 1, and a stable code."""
    sandbox.answer_next("not_found")
    ran = run("device", "--json")
    assert ran.exit_code == 1
    assert json.loads(ran.out)["code"] == "instance_not_found"

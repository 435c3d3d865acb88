"""`plugchat image`: into a file, or through a pipe, and never onto a terminal."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING

import pytest

from plugchat_async import QRImage

if TYPE_CHECKING:
    from pathlib import Path

    from plugchat_async.sandbox import Sandbox
    from tests.cli.conftest import Run


def payload(data: bytes, media_type: str = "image/png") -> str:
    """Read the code in an image."""
    return QRImage.model_validate({"data": data, "media_type": media_type}).decode().payload


@pytest.mark.parametrize("name", ["code.png", "CODE.PNG", "code"])
def test_into_a_file(run: Run, sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """For its owner only; standard error says how long it is valid."""
    path = tmp_path / name
    ran = run("image", "--output", str(path))
    assert (ran.exit_code, ran.out) == (0, "")
    saved = rf"Saved to {re.escape(str(path))}\. It can be scanned for \d+ s: until .*\n"
    assert re.fullmatch(saved, ran.err)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sandbox.scan(payload(path.read_bytes()))


def test_a_name_that_says_something_else(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """It is warned of, and the file is what was asked for."""
    path = tmp_path / "code.png"
    sandbox.answer_next("image_jpeg")
    ran = run("image", "--output", str(path))
    assert ran.exit_code == 0
    assert ran.err.startswith(f"Warning: The image is image/jpeg, but {path} has a different")
    assert sandbox.scan(payload(path.read_bytes(), "image/jpeg"))


@pytest.mark.parametrize("options", [(), ("--output", "-")])
def test_through_a_pipe(run: Run, sandbox: Sandbox, options: tuple[str, ...]) -> None:
    """The image and nothing else."""
    ran = run("image", *options)
    assert (ran.exit_code, ran.err) == (0, "")
    assert sandbox.scan(payload(ran.bytes))


def test_not_onto_a_terminal(run: Run, sandbox: Sandbox) -> None:
    """Exit code 2, before a code is requested."""
    ran = run("image", window=(80, 50))
    assert (ran.exit_code, ran.out) == (2, "")
    assert "--output FILE" in ran.err
    assert sandbox.calls == ()


def test_a_missing_folder_is_said_before_any_call(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Exit code 2, and no code is requested."""
    ran = run("image", "--output", str(tmp_path / "nowhere" / "code.png"))
    assert ran.exit_code == 2
    assert "No such file or directory" in ran.err
    assert sandbox.calls == ()


def test_already_connected_leaves_no_file(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """Exit code 3."""
    sandbox.answer_next("already_connected")
    assert run("image", "--output", str(tmp_path / "code.png")).exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_as_json(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """The model reads it back, on a terminal too; beside a file, if one is named."""
    ran = run("image", "--json", window=(80, 24))
    assert (ran.exit_code, ran.err) == (0, "")
    path = tmp_path / "code.png"
    image = QRImage.model_validate_json(run("image", "--json", "--output", str(path)).out)
    assert path.read_bytes() == image.data
    assert sandbox.scan(image.decode().payload)


def test_a_failure_as_json(run: Run, sandbox: Sandbox) -> None:
    """Of the shape that all commands have."""
    sandbox.answer_next("rate_limited")
    ran = run("image", "--json")
    assert ran.exit_code == 1
    assert json.loads(ran.out)["code"] == "rate_limited"

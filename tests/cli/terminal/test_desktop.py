"""The desktop's programs keep off this terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from plugchat_async.cli._terminal.desktop import open_on_desktop

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import MakeOpener

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("target", ["code.png", "http://127.0.0.1:1/key/a-key"])
async def test_a_program_is_given_the_target_and_no_terminal(
    make_opener: MakeOpener,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    target: str,
) -> None:
    """Its output is lost; it is not waited for."""
    given = tmp_path / "given"
    os.mkfifo(given)
    make_opener(f'echo noise\necho noise >&2\necho "$1" > {given}')
    assert await open_on_desktop(target)
    assert given.read_text() == f"{target}\n"
    assert capfd.readouterr() == ("", "")


async def test_without_a_program_nothing_is_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on a server."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not await open_on_desktop("code.png")

"""Files: for their owner only, whole or not at all, and refused before a code is spent."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

import pytest

from plugchat_async import QRCode
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._output.files import replacing, say_saved


def contents(folder: Path) -> dict[str, bytes]:
    """List what is in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("before", [None, b"an older code, which is longer"])
def test_a_file_takes_its_place_at_the_end(tmp_path: Path, before: bytes | None) -> None:
    """Readers see the old file, then the new one, and only its owner does."""
    path = tmp_path / "code.png"
    if before is not None:
        path.write_bytes(before)
        path.chmod(0o644)
    with replacing(path) as file:
        file.write(b"a code")
        assert (path.read_bytes() if path.exists() else None) == before
    assert contents(tmp_path) == {"code.png": b"a code"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Neither half a file, nor a lost old one."""
    path = tmp_path / "code.png"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"half of")
        raise KeyboardInterrupt
    assert contents(tmp_path) == {"code.png": b"old"}


def test_a_link_stays_one(tmp_path: Path) -> None:
    """What it points at is replaced."""
    path = tmp_path / "link.png"
    path.symlink_to("code.png")
    with replacing(path) as file:
        file.write(b"a code")
    assert path.is_symlink()
    assert (tmp_path / "code.png").read_bytes() == b"a code"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere/code.png", "No such file or directory"),
        ("file/code.png", "Not a directory"),
        ("folder", "it is a folder, a pipe or a device"),
        ("pipe", "it is a folder, a pipe or a device"),
    ],
)
def test_what_cannot_be_written_is_found_out_on_entering(
    tmp_path: Path, path: str, reason: str
) -> None:
    """Exit code 2, and nothing is left behind."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Failure, match=reason) as caught:
        replacing(tmp_path / path).__enter__()
    assert caught.value.exit_code == 2
    assert {found.name for found in tmp_path.iterdir()} == {"file", "folder", "pipe"}


def test_a_pipe_by_the_name_of_a_descriptor() -> None:
    """As `/dev/stdout` is, where it is no file."""
    reading, writing = os.pipe()
    with (
        os.fdopen(reading),
        os.fdopen(writing, "w"),
        pytest.raises(Failure, match="it is a folder, a pipe or a device"),
    ):
        replacing(Path(f"/dev/fd/{writing}")).__enter__()


def test_a_full_disk_is_a_failure(tmp_path: Path) -> None:
    """What fails while it is written is told like the rest."""
    with pytest.raises(Failure, match="No space left") as caught, replacing(tmp_path / "code.png"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.exit_code == 1
    assert contents(tmp_path) == {}


def test_where_the_code_is_and_how_long_it_lives(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, with the time of day."""
    say_saved(Path("code.png"), QRCode(payload="2@code"))
    assert re.fullmatch(
        r"Saved to code\.png\. It can be scanned for \d\d s: until \d\d:\d\d:\d\d\.\n",
        capsys.readouterr().err,
    )

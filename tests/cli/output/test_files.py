"""Files: for their owner only, whole or not at all, and refused before a code is requested."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

import pytest

from plugchat_async import QRCode
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._output.files import (
    check_current_code,
    current_code,
    replacing,
    say_saved,
)


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


@pytest.mark.parametrize("target", ["somebody-s.png", "nowhere.png"])
def test_a_link_is_replaced_and_not_followed(tmp_path: Path, target: str) -> None:
    """In a folder that others write to, it may be planted, to a file of ours or to none."""
    (tmp_path / "somebody-s.png").write_bytes(b"precious")
    path = tmp_path / "link.png"
    path.symlink_to(target)
    with replacing(path) as file:
        file.write(b"a code")
    assert not path.is_symlink()
    assert contents(tmp_path) == {"link.png": b"a code", "somebody-s.png": b"precious"}


@pytest.mark.parametrize(
    ("mode", "owner", "is_refused"),
    [(0o1777, 1, True), (0o1777, 0, False), (0o777, 1, False), (0o1755, 1, False)],
    ids=["planted", "own", "not sticky", "not for everybody"],
)
def test_a_folder_that_somebody_else_planted_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, owner: int, *, is_refused: bool
) -> None:
    """As by a kernel that protects links, whichever kernel this is."""
    status_of = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        fields = [*status_of(path)]
        fields[stat.ST_UID] += owner if path.name == "link" else 0
        return os.stat_result(fields)

    (tmp_path / "target").mkdir()
    tmp_path.chmod(mode)
    (tmp_path / "link").symlink_to("target")
    monkeypatch.setattr(Path, "lstat", lstat)
    path = tmp_path / "link" / "code.png"
    if is_refused:
        with pytest.raises(Failure) as refused:
            check_current_code(path)
        assert "belongs to somebody else" in refused.value.happened
    else:
        check_current_code(path)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere/code.png", "No such file or directory"),
        ("file/code.png", "Not a directory"),
        ("folder", "it is a folder, a pipe or a device"),
        ("pipe", "it is a folder, a pipe or a device"),
    ],
)
def test_a_path_that_cannot_be_written_is_found_on_entering(
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
    """As `/dev/stdout` is, if it is not a file."""
    reading, writing = os.pipe()
    with (
        os.fdopen(reading),
        os.fdopen(writing, "w"),
        pytest.raises(Failure, match="it is a folder, a pipe or a device"),
    ):
        replacing(Path(f"/dev/fd/{writing}")).__enter__()


def test_a_full_disk_is_a_failure(tmp_path: Path) -> None:
    """A failure while writing is reported like the rest."""
    with pytest.raises(Failure, match="No space left") as caught, replacing(tmp_path / "code.png"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.exit_code == 1
    assert contents(tmp_path) == {}


def test_the_path_of_the_code_and_its_time_left_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On standard error, with the time of day."""
    say_saved(Path("code.png"), QRCode(payload="2@code"))
    assert re.fullmatch(
        r"Saved to code\.png\. It can be scanned for \d\d s: until \d\d:\d\d:\d\d\.\n",
        capsys.readouterr().err,
    )


FIRST, SECOND = QRCode(payload="2@first"), QRCode(payload="2@second")


def test_the_current_code_replaces_the_last(tmp_path: Path) -> None:
    """In the format that the name says; nothing stays."""
    path = tmp_path / "code.svg"
    with current_code(path, on_desktop=False) as current:
        assert current is not None
        for code in (FIRST, SECOND):
            current.show(code)
            assert path.read_text() == code.svg()
        assert str(path) in current.note
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_that_exists_is_refused(tmp_path: Path, *, is_link: bool) -> None:
    """It would be lost at the end; a link, also one that leads nowhere, is somebody's too."""
    path = tmp_path / "code.png"
    if is_link:
        path.symlink_to("nowhere.png")
    else:
        path.write_bytes(b"mine")
    with pytest.raises(Failure, match="already exists") as caught:
        check_current_code(path)
    assert caught.value.exit_code == 2
    assert [each.name for each in tmp_path.iterdir()] == ["code.png"]


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    """Found out before anything is asked."""
    with pytest.raises(Failure, match="No such file"):
        check_current_code(tmp_path / "nowhere" / "code.png")


def test_without_a_code_there_is_no_file(tmp_path: Path) -> None:
    """Nothing was written, and nothing is removed."""
    check_current_code(tmp_path / "code.png")
    with current_code(tmp_path / "code.png", on_desktop=False):
        pass
    assert contents(tmp_path) == {}


def test_ctrl_c_takes_it_away(tmp_path: Path) -> None:
    """As every other end does."""
    path = tmp_path / "code.png"
    with pytest.raises(KeyboardInterrupt), current_code(path, on_desktop=False) as current:
        assert current is not None
        current.show(FIRST)
        raise KeyboardInterrupt
    assert contents(tmp_path) == {}


def test_a_file_that_somebody_has_removed(tmp_path: Path) -> None:
    """There is nothing left to do."""
    path = tmp_path / "code.png"
    with current_code(path, on_desktop=False) as current:
        assert current is not None
        current.show(FIRST)
        path.unlink()


def test_a_file_that_somebody_has_put_there_stays(tmp_path: Path) -> None:
    """Only what was written is removed."""
    path = tmp_path / "code.png"
    with current_code(path, on_desktop=False) as current:
        assert current is not None
        current.show(FIRST)
        other = tmp_path / "other.png"
        other.write_bytes(b"theirs")
        other.replace(path)
    assert contents(tmp_path) == {"code.png": b"theirs"}


def test_a_file_is_told_by_more_than_its_number(tmp_path: Path) -> None:
    """A file system may give the number of a removed file to the next one."""
    path = tmp_path / "code.png"
    with current_code(path, on_desktop=False) as current:
        assert current is not None
        current.show(FIRST)
        number = path.stat().st_ino
        path.write_bytes(b"theirs")
        os.utime(path, ns=(0, 0))
        assert path.stat().st_ino == number
    assert contents(tmp_path) == {"code.png": b"theirs"}


@pytest.mark.parametrize("is_first", [True, False])
def test_a_file_that_somebody_has_put_there_is_not_overwritten(
    tmp_path: Path, *, is_first: bool
) -> None:
    """Neither before the first code nor between two; also in a folder that was exchanged."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with current_code(folder / "code.png", on_desktop=False) as current:
        assert current is not None
        if not is_first:
            current.show(FIRST)
        folder.rename(tmp_path / "before")
        (tmp_path / "theirs").mkdir()
        (tmp_path / "theirs" / "code.png").write_bytes(b"theirs")
        folder.symlink_to("theirs")
        with pytest.raises(Failure, match="left alone") as caught:
            current.show(SECOND)
    assert (caught.value.code, caught.value.exit_code) == ("output_taken", 1)
    assert contents(tmp_path / "theirs") == {"code.png": b"theirs"}


def test_a_folder_that_is_removed_meanwhile(tmp_path: Path) -> None:
    """A failure, and no mistake in the call: the folder was there before."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with current_code(folder / "code.png", on_desktop=False) as current:
        assert current is not None
        folder.rmdir()
        with pytest.raises(Failure, match="No such file") as caught:
            current.show(FIRST)
    assert (caught.value.code, caught.value.exit_code) == ("output_failed", 1)


def test_neither_a_file_nor_a_viewer_is_wanted() -> None:
    """Then there is none."""
    with current_code(None, on_desktop=False) as current:
        assert current is None

"""A picture that follows the code on show: whole, its owner's, and gone at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugchat_async import QRCode
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._output.picture import open_picture

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND = QRCode(payload="2@first"), QRCode(payload="2@second")


def test_each_code_takes_the_place_of_the_last(tmp_path: Path) -> None:
    """In the format that the name says; nothing stays."""
    path = tmp_path / "code.svg"
    with open_picture(path, in_viewer=False) as picture:
        assert picture is not None
        for code in (FIRST, SECOND):
            picture.show(code)
            assert path.read_text() == code.svg()
        assert str(path) in picture.note
    assert list(tmp_path.iterdir()) == []


def test_somebody_s_own_file_is_refused(tmp_path: Path) -> None:
    """It would be lost at the end; exit code 2, before a code is spent."""
    path = tmp_path / "code.png"
    path.write_bytes(b"mine")
    with pytest.raises(Failure, match="already exists") as caught:
        open_picture(path, in_viewer=False).__enter__()
    assert caught.value.exit_code == 2
    assert path.read_bytes() == b"mine"


def test_without_a_code_there_is_no_file(tmp_path: Path) -> None:
    """Nothing was written, and nothing is removed."""
    with open_picture(tmp_path / "code.png", in_viewer=False):
        pass
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_takes_it_away(tmp_path: Path) -> None:
    """As every other end does."""
    path = tmp_path / "code.png"
    with pytest.raises(KeyboardInterrupt), open_picture(path, in_viewer=False) as picture:
        assert picture is not None
        picture.show(FIRST)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_someone_who_removed_it_is_no_matter(tmp_path: Path) -> None:
    """Gone is gone."""
    path = tmp_path / "code.png"
    with open_picture(path, in_viewer=False) as picture:
        assert picture is not None
        picture.show(FIRST)
        path.unlink()


def test_nothing_is_wanted() -> None:
    """Neither a file nor a viewer."""
    with open_picture(None, in_viewer=False) as picture:
        assert picture is None


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    """Found out on entering."""
    with pytest.raises(Failure, match="No such file"):
        open_picture(tmp_path / "nowhere" / "code.png", in_viewer=False).__enter__()

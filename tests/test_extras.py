"""The command that adds a missing extra, for each way the package can have been installed."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from plugchat_async._extras import install_command, missing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder of metadata the only one in which this interpreter looks for packages."""
    folder = tmp_path / "plugchat_async-0.1.0.dist-info"
    folder.mkdir()
    folder.joinpath("METADATA").write_text("Name: plugchat-async\nVersion: 0.1.0\n", "utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return folder


@pytest.mark.parametrize(
    ("record", "source"),
    [
        (
            {"url": "file:///home/ana/plugchat-async", "dir_info": {}},
            "file:///home/ana/plugchat-async",
        ),
        ({"url": "https://ana.dev/p.whl", "archive_info": {}}, "https://ana.dev/p.whl"),
        (
            {"url": "https://ana.dev/p", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}},
            "git+https://ana.dev/p@c0ffee",
        ),
    ],
    ids=["a clone", "an archive", "a repository"],
)
def test_an_extra_is_installed_from_the_source_of_the_package(
    installation: Path, record: dict[str, Any], source: str
) -> None:
    """The installer's record (PEP 610) names the source."""
    installation.joinpath("direct_url.json").write_text(json.dumps(record), "utf-8")
    assert install_command("cli") == f'pip install "plugchat-async[cli] @ {source}"'


@pytest.mark.usefixtures("installation")
def test_an_extra_of_a_release_is_installed_by_name() -> None:
    """An installer leaves no record for a package index."""
    assert install_command("cli,decode") == 'pip install "plugchat-async[cli,decode]"'


def test_an_extra_of_a_package_that_was_never_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder on the path has no metadata, so the name is all there is."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert install_command("cli") == 'pip install "plugchat-async[cli]"'


@pytest.mark.usefixtures("installation")
def test_the_message_names_feature_packages_extra_and_command() -> None:
    """In one sentence, whatever is missing."""
    assert missing("the live page", "Jinja2", "fastapi") == (
        'the live page needs Jinja2 (extra [fastapi]): pip install "plugchat-async[fastapi]"'
    )

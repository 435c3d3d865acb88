"""What the README promises: its examples run, and both languages tell the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from plugchat_async.sandbox import ANSWERS, Sandbox

ROOT = Path(__file__).parent.parent
READMES = ["README.md", "README.pt-BR.md"]

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(readme: str) -> list[str]:
    """Take the examples in Python out of a README."""
    return BLOCK.findall((ROOT / readme).read_text("utf-8"))


@pytest.mark.parametrize("readme", READMES)
@pytest.mark.asyncio
async def test_the_first_example_shows_a_code_and_ends_with_the_scan(
    readme: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands there, against the sandbox over a socket."""
    sandbox = Sandbox()
    source = blocks(readme)[0]
    assert len(source.splitlines()) <= 15
    scope: dict[str, object] = {}
    async with sandbox.serve() as base_url:
        monkeypatch.setenv("PLUGCHAT_TOKEN", "sandbox-token")
        monkeypatch.setenv("PLUGCHAT_BASE_URL", base_url)
        exec(compile(source.replace("anyio.run(main)", ""), readme, "exec"), scope)
        sandbox.answer_next("code")
        sandbox.answer_next("already_connected_400", times=2)
        main = scope["main"]
        assert callable(main)
        await main()
    shown = capsys.readouterr().out
    assert "▀" in shown
    assert re.search(r"1 (of|de) 3", shown)
    assert shown.rstrip().endswith(("linked", "conectado"))


@pytest.mark.parametrize("readme", READMES)
def test_every_example_is_python(readme: str) -> None:
    """Each compiles, with `await` where it stands."""
    for source in blocks(readme):
        body = textwrap.indent(source.replace("pytest_plugins", "plugins"), "    ")
        compile(f"async def example(client, log, pytest):\n{body}", readme, "exec")


def test_both_languages_have_the_same_headings_examples_and_commands() -> None:
    """What one side has, the other one has at the same place."""
    english, portuguese = ((ROOT / readme).read_text("utf-8") for readme in READMES)
    marks = re.compile(r"^(#+ |```\w+|\| |!\[|\$ .*)", re.MULTILINE)
    assert marks.findall(english) == marks.findall(portuguese)
    assert len(blocks("README.md")) == len(blocks("README.pt-BR.md")) == 3


def test_the_guide_lists_every_answer_of_the_sandbox() -> None:
    """With the very line that describes it."""
    guide = (ROOT / "docs" / "guides" / "testing.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", guide, re.MULTILINE)
    assert dict(rows) == dict(ANSWERS)


@pytest.mark.parametrize("command", ["pair", "qr", "image", "status", "sandbox", "demo"])
def test_the_guide_shows_each_help_screen_as_it_is(command: str) -> None:
    """At 80 columns, to the letter."""
    environment = {**os.environ, "COLUMNS": "80", "LC_ALL": "C.UTF-8"}
    line = [sys.executable, "-P", "-m", "plugchat_async", command, "--help"]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
    guide = (ROOT / "docs" / "guides" / "command.md").read_text("utf-8")
    assert f"$ plugchat {command} --help\n{done.stdout.rstrip()}\n```" in guide
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("page", [*READMES, "docs/guides/fastapi.md"])
def test_every_link_leads_to_a_file(page: str) -> None:
    """Pictures, guides and examples are where the text says."""
    folder = (ROOT / page).parent
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / page).read_text("utf-8"))
    assert links
    assert [link for link in links if not (folder / link).exists()] == []

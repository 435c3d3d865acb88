"""What the pages promise beside their code blocks: links, lists and diagrams."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import plugchat_async
from plugchat_async import PlugChatError
from plugchat_async.sandbox import ANSWERS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
READMES = ["README.md", "README.pt-BR.md"]

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def read(page: str) -> str:
    """Read a page of the repository."""
    return (ROOT / page).read_text("utf-8")


def without_code(text: str) -> str:
    """Leave the prose."""
    return FENCED.sub("", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    """Pages, pictures and examples are where the text says, for who reads the files themselves."""
    links = LINK.findall(without_code(page.read_text("utf-8")))
    assert [link for link in links if link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("readme", READMES)
def test_the_first_example_of_a_readme_is_short(readme: str) -> None:
    """It fits on a screen."""
    first = re.search(r"^```python\n(.*?)^```", read(readme), re.MULTILINE | re.DOTALL)
    assert first
    assert len(first[1].splitlines()) <= 15


def test_the_guide_lists_every_answer_of_the_sandbox() -> None:
    """With the very line that describes it."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", read("docs/guides/testing.md"), re.MULTILINE)
    assert dict(rows) == dict(ANSWERS)


def test_the_reference_shows_the_help_of_every_command() -> None:
    """In a window of 80 columns."""
    page = read("docs/reference/command.md")
    shown = re.findall(r"^\$ plugchat (\w+) --help$", page, re.MULTILINE)
    assert sorted(shown) == ["demo", "image", "pair", "qr", "sandbox", "status"]
    screens = "\n".join(FENCED.findall(page))
    assert max(map(len, screens.splitlines())) <= 80


def test_every_error_code_is_explained() -> None:
    """By a heading of its own, and with its class and what the sandbox calls it."""
    page = read("docs/reference/error-codes.md")
    errors = {
        error.code: name
        for name in plugchat_async.__all__
        if isinstance(error := getattr(plugchat_async, name), type)
        and issubclass(error, PlugChatError)
    }
    # These two are never raised as themselves.
    del errors["plugchat_error"], errors["response_error"]
    headings = {heading.strip("`") for heading in HEADING.findall(page) if "`" in heading}
    assert headings - {"internal_error"} == set(errors)
    for code, name in errors.items():
        (row,) = re.findall(rf"^\| \[`{code}`\].*$", page, re.MULTILINE)
        assert f"`{name}`" in row
        ordered = re.search(r"`(\w+)` \|$", row)
        assert ordered is None or ordered[1] in ANSWERS


@pytest.mark.parametrize("diagram", ["floors.svg", "hub-states.svg", "pairing.svg"])
def test_each_diagram_is_what_its_script_draws(diagram: str) -> None:
    """Whoever changes the script runs it."""
    diagrams = runpy.run_path(str(ROOT / "docs" / "images" / "make_diagrams.py"))["DIAGRAMS"]
    assert read(f"docs/images/{diagram}") == diagrams[diagram]()
    assert len(diagrams) == 3

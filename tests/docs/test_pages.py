"""Promises of the pages beside their code blocks: links, lists and diagrams."""

from __future__ import annotations

import re
import runpy
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest

import plugchat_async
from plugchat_async import PlugChatError
from plugchat_async.sandbox import ANSWERS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
READMES = ["README.md", "README.pt-BR.md"]
# The pages on which somebody may begin, and the one that they all lead to.
BEGINNINGS = [
    *READMES,
    "docs/index.md",
    "docs/tutorial.md",
    "docs/pt-BR/index.md",
    "docs/pt-BR/tutorial.md",
    *(
        path.relative_to(ROOT).as_posix()
        for path in sorted([*ROOT.glob("docs/guides/*.md"), *ROOT.glob("docs/pt-BR/guides/*.md")])
    ),
    *(f"docs/examples/{path.name}" for path in sorted(ROOT.glob("docs/examples/*.py"))),
]
INSTALLATION = ["docs/installation.md", "docs/pt-BR/installation.md"]

# The package is not on PyPI yet: a command that takes it from there finds nothing.
INSTALLING = re.compile(r"(?:pip3? install|uv add)(?: [^ `]+)*? [\"']?[./]*plugchat-async\b")
SENTENCES = re.compile(
    r"Install the package(?: with the extras? `?\[([\w,]+)\]`?)? as"
    r" (?:\[Installation\]\([\w./]*installation\.md\)|docs/installation\.md) describes"
    r"|Instale o pacote(?: com os? extras? `\[([\w,]+)\]`)? como descreve a página"
    r" \[Instalação\]\([\w./-]*installation\.md\)"
)
USES = {
    "cli": re.compile(r"^\$ plugchat ", re.MULTILINE),
    "fastapi": re.compile(r"plugchat_async\.fastapi import"),
    "sandbox": re.compile(r"plugchat_async\.sandbox import|\"plugchat_async\.testing\""),
}

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
    """Pages, images and examples are there too for readers of the files themselves."""
    links = LINK.findall(without_code(page.read_text("utf-8")))
    assert [link for link in links if link and not (page.parent / link).exists()] == []


def test_each_page_of_docstrings_says_where_to_read_it() -> None:
    """On GitHub it holds little but names."""
    site = tomllib.loads(read("zensical.toml"))["project"]["site_url"]
    pages = [page for page in ROOT.glob("docs/**/*.md") if "\n::: " in page.read_text("utf-8")]
    assert pages
    for page in pages:
        built = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert f"({site}{built})" in page.read_text("utf-8")


@pytest.mark.docs
def test_on_pypi_the_links_of_the_readme_are_absolute() -> None:
    """They lead to files of the tag of the version, images to the files themselves."""
    description = str(metadata("plugchat-async")["Description"])
    assert re.findall(r"\]\((?!https:)", description) == []
    tag = f"v{plugchat_async.__version__}"
    assert f"/blob/{tag}/docs/tutorial.md" in description
    assert f"raw.githubusercontent.com/plugchat-async/plugchat-async/{tag}/docs/" in description


@pytest.mark.parametrize("page", BEGINNINGS)
def test_each_beginning_leads_to_the_installation(page: str) -> None:
    """In the same sentence, which names the extras that the page's examples use."""
    text = read(page)
    sentences = SENTENCES.findall(" ".join(text.split()))
    assert sentences
    named = set(",".join(extra for groups in sentences for extra in groups).split(","))
    used = {extra for extra, use in USES.items() if use.search(text)}
    # The extra [cli] includes [sandbox].
    assert used <= named | ({"sandbox"} if "cli" in named else set())


def test_only_one_page_says_how_to_install_the_package() -> None:
    """In both languages; no other page, example, docstring or message has such a command."""
    sources = [path for path in ROOT.glob("plugchat_async/**/*") if path.suffix in {".py", ".toml"}]
    texts = [*PAGES, *ROOT.glob("docs/examples/*.py"), *sources]
    telling = {
        path.relative_to(ROOT).as_posix()
        for path in texts
        if INSTALLING.search(" ".join(path.read_text("utf-8").split()))
    }
    assert telling == {*INSTALLATION, "plugchat_async/_extras.py"}


@pytest.mark.parametrize("page", INSTALLATION)
def test_the_installation_lists_every_extra(page: str) -> None:
    """The extras are those of `pyproject.toml`."""
    project = tomllib.loads(read("pyproject.toml"))["project"]
    listed = re.findall(r"^\| `(\w+)` \|", read(page), re.MULTILINE)
    assert sorted(listed) == sorted(project["optional-dependencies"])


@pytest.mark.parametrize("readme", READMES)
def test_the_first_example_of_a_readme_is_short(readme: str) -> None:
    """It fits on a screen."""
    first = re.search(r"^```python\n(.*?)^```", read(readme), re.MULTILINE | re.DOTALL)
    assert first
    assert len(first[1].splitlines()) <= 15


def test_the_guide_lists_every_response_of_the_sandbox() -> None:
    """With the very line that describes it."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", read("docs/guides/testing.md"), re.MULTILINE)
    assert dict(rows) == dict(ANSWERS)


def test_the_reference_shows_the_help_of_every_command() -> None:
    """In a window of 80 columns."""
    page = read("docs/reference/command.md")
    shown = re.findall(r"^\$ plugchat (\w+) --help$", page, re.MULTILINE)
    commands = ["demo", "device", "disconnect", "image", "pair", "qr", "sandbox", "status"]
    assert sorted(shown) == commands
    screens = "\n".join(FENCED.findall(page))
    assert max(map(len, screens.splitlines())) <= 80


def test_every_error_code_is_explained() -> None:
    """Under a separate heading, with its class and its name in the sandbox."""
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
    # These two are codes of a state of the hub alone.
    assert headings - {"internal_error", "hub_unreachable"} == set(errors)
    for code, name in errors.items():
        (row,) = re.findall(rf"^\| \[`{code}`\].*$", page, re.MULTILINE)
        assert f"`{name}`" in row
        ordered = re.search(r"`(\w+)` \|$", row)
        assert ordered is None or ordered[1] in ANSWERS


@pytest.mark.parametrize("diagram", ["hub-states.svg", "layers.svg", "pairing.svg"])
def test_each_diagram_is_what_its_script_draws(diagram: str) -> None:
    """Whoever changes the script runs it."""
    diagrams = runpy.run_path(str(ROOT / "docs" / "images" / "make_diagrams.py"))["DIAGRAMS"]
    assert read(f"docs/images/{diagram}") == diagrams[diagram]()
    assert len(diagrams) == 3

"""Each page that exists in Portuguese says what the English one says.

`docs/pt-BR/` is the source of the Portuguese site. A page there belongs to the one of the same name
in `docs/`, so that a new one is held to the same.
"""

from __future__ import annotations

import ast
import os
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt

import plugchat_async
from plugchat_async import PlugChatError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SITES = tuple(
    tomllib.loads((ROOT / name).read_text("utf-8"))["project"]
    for name in ("zensical.toml", "zensical.pt-BR.toml")
)
PORTUGUESE = sorted([*ROOT.glob("*.pt-BR.md"), *DOCS.glob("pt-BR/**/*.md")])
MAKERS_READ = {
    "README.pt-BR.md",
    "docs/pt-BR/glossary.md",
    "docs/pt-BR/index.md",
    "docs/pt-BR/installation.md",
    "docs/pt-BR/tutorial.md",
    "docs/pt-BR/guides/tenants.md",
    "docs/pt-BR/guides/cookbook.md",
    "docs/pt-BR/guides/testing.md",
    "docs/pt-BR/guides/deployment.md",
    "docs/pt-BR/guides/command.md",
    "docs/pt-BR/guides/workers.md",
    "docs/pt-BR/troubleshooting.md",
    "docs/pt-BR/reference/error-codes.md",
    "docs/pt-BR/explanation/rounds.md",
    "docs/pt-BR/explanation/security.md",
    "docs/pt-BR/explanation/plugchat.md",
    "docs/pt-BR/guides/telegram.md",
    "docs/pt-BR/guides/discord.md",
    "docs/pt-BR/guides/bots.md",
    "docs/pt-BR/guides/fastapi.md",
}

# What one language alone needs: how the command is made to speak it.
ONLY_HERE = {"export LC_MESSAGES=pt_BR.UTF-8"}

MARKDOWN = MarkdownIt("commonmark").enable("table")
COMMAND = re.compile(r"^\$ .*", re.MULTILINE)
TITLE = re.compile(r' title="[^"]*"')
WORDS = re.compile(r"[^\W\d_]{2,}")


def english_of(page: Path) -> Path:
    """Return the page that a Portuguese one translates."""
    if page.is_relative_to(DOCS / "pt-BR"):
        return DOCS / page.relative_to(DOCS / "pt-BR")
    return page.with_name(page.name.replace(".pt-BR.", "."))


def portuguese_of(file: Path) -> Path:
    """Return the translation of a page or an image or, if it has none, the file itself."""
    beside = file.with_suffix(f".pt-BR{file.suffix}")
    in_the_site = DOCS / "pt-BR" / file.relative_to(DOCS) if file.is_relative_to(DOCS) else file
    return next((each for each in (beside, in_the_site) if each.exists()), file)


both_languages = pytest.mark.parametrize(
    ("english", "portuguese"),
    [(english_of(page), page) for page in PORTUGUESE],
    ids=[str(page.relative_to(ROOT)) for page in PORTUGUESE],
)


class Section(NamedTuple):
    """A heading, and what stands under it in any language."""

    level: str
    heading: str
    code: set[str]
    targets: list[str]


def sections(page: Path) -> list[Section]:
    """Split a page at its headings; the first section is what stands above all of them."""
    found = [Section("", "", set(), [])]
    for before, token in pairwise(MARKDOWN.parse(page.read_text("utf-8"))):
        if before.type == "heading_open":
            found.append(Section(before.tag, token.content, set(), []))
        for part in token.children or ():
            if part.type == "code_inline":
                found[-1].code.add(part.content)
            if target := part.attrGet("href") or part.attrGet("src"):
                found[-1].targets.append(unquote(str(target)))
    return found


def anchors(page: Path) -> list[str]:
    """Return the anchors of the sections, as GitHub makes them."""
    headings = [section.heading.lower() for section in sections(page)]
    return [re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in headings]


def in_portuguese(english: Path, target: str) -> str:
    """Return where the Portuguese page has to lead, given a target of the English one."""
    if "://" in target:
        english_site, portuguese_site = (site["site_url"] for site in SITES)
        return portuguese_site if target == english_site else target
    path, _, anchor = target.partition("#")
    here = (english.parent / path).resolve() if path else english
    # The screenshots of one language are among the other's, too.
    is_portuguese = here in PORTUGUESE or ".pt-BR." in here.name
    there = english_of(here) if is_portuguese else portuguese_of(here)
    if anchor and there != here:
        anchor = anchors(there)[anchors(here).index(anchor)]
    relative = Path(os.path.relpath(there, portuguese_of(english).parent)).as_posix()
    return (relative if path else "") + (f"#{anchor}" if anchor else "")


def program(source: str) -> str:
    """Leave of a program what it does: neither comments, nor what it prints, nor sentences."""
    tree = ast.parse(source)
    printed = {
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
        for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = "_" if node in printed or " " in node.value else node.value
    return ast.unparse(tree)


def commands(source: str) -> list[str]:
    """Leave of a console what is typed into it."""
    return COMMAND.findall(source)


def settings(source: str) -> list[str]:
    """Leave of a configuration what it sets, without its comments."""
    return [line for line in source.splitlines() if not line.lstrip().startswith("#")]


def order(navigation: list[dict[str, object]]) -> list[str]:
    """List the pages of a site as its navigation does."""
    return re.findall(r"'([^']+\.md)'", str(navigation))


def markup(source: str) -> str:
    """Leave of a document what is not a title."""
    return TITLE.sub("", source)


def output(_: str) -> None:
    """Leave nothing of what a program printed: that is compared with what it prints."""


READ: dict[str, Callable[[str], object]] = {
    "python": program,
    "console": commands,
    "powershell": str.strip,
    "html": markup,
    "typescript": str.strip,
    "text": output,
    **dict.fromkeys(("caddy", "dockerfile", "nginx", "yaml"), settings),
}


def examples(page: Path) -> list[tuple[str, object]]:
    """Read what every code block is, and what it does."""
    fences = (token for token in MARKDOWN.parse(page.read_text("utf-8")) if token.type == "fence")
    return [(fence.info, READ[fence.info.split()[0]](fence.content)) for fence in fences]


def sentences(page: Path) -> set[str]:
    """Read the prose, block by block, without the code in it."""
    blocks = (
        " ".join(part.content for part in token.children or () if part.type == "text")
        for token in MARKDOWN.parse(page.read_text("utf-8"))
    )
    return {block for block in blocks if len(WORDS.findall(block)) > 2}


def test_the_pages_for_makers_of_a_product_exist_in_portuguese() -> None:
    """And no page of another language is in that folder."""
    assert {page.relative_to(ROOT).as_posix() for page in PORTUGUESE} == MAKERS_READ


def test_both_sites_know_the_pages_of_the_portuguese_one() -> None:
    """Its navigation leads to each of them, and the switch of the English one knows them."""
    pages = {path.relative_to(DOCS / "pt-BR") for path in DOCS.glob("pt-BR/**/*.md")}
    english, portuguese = SITES
    translated = [path.with_suffix(".html").as_posix() for path in pages]
    assert english["extra"]["translated"] == sorted(translated)
    assert set(map(Path, order(portuguese["nav"]))) == pages
    assert order(portuguese["nav"]) == [
        path for path in order(english["nav"]) if Path(path) in pages
    ]


@both_languages
def test_each_page_leads_to_the_other_one_first(english: Path, portuguese: Path) -> None:
    """Before any other page of this repository."""
    for page, other in ((english, portuguese), (portuguese, english)):
        targets = [target for section in sections(page) for target in section.targets]
        first = next(target for target in targets if "://" not in target)
        assert (page.parent / first).resolve() == other


@both_languages
def test_both_have_the_same_headings(english: Path, portuguese: Path) -> None:
    """As many, at the same levels, in the same order, with the same words in code."""
    first, second = (
        [(section.level, re.findall("`.*?`", section.heading)) for section in sections(page)]
        for page in (english, portuguese)
    )
    assert first == second


@both_languages
def test_both_have_the_same_paragraphs_lists_and_tables(english: Path, portuguese: Path) -> None:
    """Block by block."""
    first, second = (
        [token.type for token in MARKDOWN.parse(page.read_text("utf-8"))]
        for page in (english, portuguese)
    )
    assert first == second


@both_languages
def test_both_name_the_same_things_in_code(english: Path, portuguese: Path) -> None:
    """Section by section: what a program, a shell or a file is called has no translation."""
    pairs = zip(sections(english), sections(portuguese), strict=True)
    differences = {there.heading: here.code ^ there.code for here, there in pairs}
    assert {heading: codes for heading, codes in differences.items() if codes - ONLY_HERE} == {}


@both_languages
def test_both_have_the_same_examples(english: Path, portuguese: Path) -> None:
    """The same files, programs and commands; their comments and sentences are translated."""
    assert examples(portuguese) == examples(english)


@both_languages
def test_both_lead_to_the_same_places(english: Path, portuguese: Path) -> None:
    """In the reader's language if that exists, and to the same heading there."""
    for here, there in zip(sections(english), sections(portuguese), strict=True):
        expected = [in_portuguese(english, target) for target in here.targets]
        assert sorted(there.targets) == sorted(expected), there.heading


@both_languages
def test_no_sentence_is_left_in_english(english: Path, portuguese: Path) -> None:
    """A paragraph that both have in common was forgotten."""
    assert sentences(english) & sentences(portuguese) == set()


@pytest.mark.parametrize("page", ["reference/error-codes.md", "pt-BR/reference/error-codes.md"])
def test_every_error_code_has_its_heading_and_its_row(page: str) -> None:
    """Whatever language it is looked up in."""
    path = DOCS / page
    kinds = [getattr(plugchat_async, name) for name in plugchat_async.__all__]
    codes = {
        kind.code for kind in kinds if isinstance(kind, type) and issubclass(kind, PlugChatError)
    }
    # These two are never raised as themselves.
    codes -= {"plugchat_error", "response_error"}
    assert codes <= {section.heading.strip("`") for section in sections(path)}
    rows = re.findall(r"^\| \[`(\w+)`\]\(#(\w+)\) \|", path.read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted((code, code) for code in codes)

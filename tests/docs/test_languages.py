"""Each page that exists in Portuguese says what the English one beside it says.

A pair is found by its names, `X.md` and `X.pt-BR.md`, so that a new one is held to the same.
"""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from markdown_it import MarkdownIt

import plugchat_async
from plugchat_async import PlugChatError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
PORTUGUESE = sorted([*ROOT.glob("*.pt-BR.md"), *ROOT.glob("docs/**/*.pt-BR.md")])
NEWCOMERS_READ = {
    "README.pt-BR.md",
    "docs/installation.pt-BR.md",
    "docs/tutorial.pt-BR.md",
    "docs/troubleshooting.pt-BR.md",
    "docs/reference/error-codes.pt-BR.md",
}

# What one language alone needs: how the command is made to speak it.
ONLY_HERE = {"export LC_MESSAGES=pt_BR.UTF-8"}

MARKDOWN = MarkdownIt("commonmark").enable("table")
COMMAND = re.compile(r"^\$ .*", re.MULTILINE)
WORDS = re.compile(r"[^\W\d_]{2,}")

both_languages = pytest.mark.parametrize(
    ("english", "portuguese"),
    [(page.with_name(page.name.replace(".pt-BR.", ".")), page) for page in PORTUGUESE],
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
                found[-1].targets.append(str(target))
    return found


def anchors(page: Path) -> list[str]:
    """Name the sections as GitHub does."""
    headings = [section.heading.lower() for section in sections(page)]
    return [re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in headings]


def in_portuguese(page: Path, target: str) -> str:
    """Tell where the Portuguese page has to lead, given a target of the English one."""
    if "://" in target:
        return target
    path, _, anchor = target.partition("#")
    if ".pt-BR." in path:
        return path.replace(".pt-BR.", ".")
    here = path or page.name
    translated = re.sub(r"\.(?=\w+$)", ".pt-BR.", here)
    there = translated if (page.parent / translated).exists() else here
    if anchor:
        place = anchors(page.parent / here).index(anchor)
        anchor = f"#{anchors(page.parent / there)[place]}"
    return (there if path else "") + anchor


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


def output(_: str) -> None:
    """Leave nothing of what a program printed: that is compared with what it prints."""


READ: dict[str, Callable[[str], object]] = {
    "python": program,
    "console": commands,
    "powershell": str.strip,
    "text": output,
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


def test_what_a_newcomer_reads_exists_in_portuguese() -> None:
    """Neither the front page nor a way out of trouble is in English alone."""
    assert {page.relative_to(ROOT).as_posix() for page in PORTUGUESE} >= NEWCOMERS_READ


@both_languages
def test_each_page_leads_to_the_other_one_first(english: Path, portuguese: Path) -> None:
    """Before any other page of this repository."""
    for page, other in ((english, portuguese), (portuguese, english)):
        targets = [target for section in sections(page) for target in section.targets]
        assert next(target for target in targets if "://" not in target) == other.name


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
    """In the reader's language where that exists, and to the same heading there."""
    for here, there in zip(sections(english), sections(portuguese), strict=True):
        expected = [in_portuguese(english, target) for target in here.targets]
        assert sorted(there.targets) == sorted(expected), there.heading


@both_languages
def test_no_sentence_is_left_in_english(english: Path, portuguese: Path) -> None:
    """A paragraph that both have in common was forgotten."""
    assert sentences(english) & sentences(portuguese) == set()


@pytest.mark.parametrize("page", ["error-codes.md", "error-codes.pt-BR.md"])
def test_every_error_code_has_its_heading_and_its_row(page: str) -> None:
    """Whatever language it is looked up in."""
    path = ROOT / "docs" / "reference" / page
    kinds = [getattr(plugchat_async, name) for name in plugchat_async.__all__]
    codes = {
        kind.code for kind in kinds if isinstance(kind, type) and issubclass(kind, PlugChatError)
    }
    # These two are never raised as themselves.
    codes -= {"plugchat_error", "response_error"}
    assert codes <= {section.heading.strip("`") for section in sections(path)}
    rows = re.findall(r"^\| \[`(\w+)`\]\(#(\w+)\) \|", path.read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted((code, code) for code in codes)

"""The documentation's site, built from a copy of the tree: every link leads somewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

import plugchat_async

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
PACKAGE = Path(plugchat_async.__file__).parent

# What a browser loads by itself, in contrast to what a reader clicks.
LOADING = {"audio", "embed", "iframe", "img", "link", "object", "script", "source", "video"}
# Links of these kinds only say where a page is.
SAYING = {"canonical", "alternate", "edit", "next", "prev"}

CSS_ADDRESS = re.compile(r"url\(\s*[\"']?(?!data:|#)([^\"')]+)|@import\s+[\"']([^\"']+)")


class Page(HTMLParser):
    """Note what a page has in it, and where it points to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.language = ""
        self.text = path.read_text("utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        attributes = {name: value or "" for name, value in attrs}
        self.anchors.update({attributes.get("id", ""), attributes.get("name", "")})
        if tag == "html":
            self.language = attributes["lang"]
        addresses = [attributes[name] for name in ("href", "src", "data") if name in attributes]
        self.links += addresses
        if tag in LOADING and attributes.get("rel") not in SAYING:
            self.loaded += addresses


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as strictly as the builder can."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "zensical.toml", tree)
    shutil.copytree(ROOT / "docs", tree / "docs")
    shutil.copytree(PACKAGE, tree / "plugchat_async")
    builder = Path(sys.executable).with_name("zensical")
    subprocess.run([builder, "build", "--strict"], cwd=tree, check=True)
    return tree / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Read each page of it; the pages among the examples are files to copy."""
    paths = set(site.rglob("*.html")) - set((site / "examples").rglob("*.html"))
    return {path: Page(path) for path in paths}


def inside(site: Path, page: Path, link: str) -> tuple[Path, str] | None:
    """Tell the file and the anchor that a link of a page leads to; None where it leads outside."""
    here = f"https://site.invalid/{page.relative_to(site).as_posix()}"
    target = urlsplit(urljoin(here, link))
    if target.netloc != "site.invalid":
        return None
    path = site / unquote(target.path).lstrip("/")
    return path / "index.html" if path.is_dir() else path, unquote(target.fragment)


def is_there(target: tuple[Path, str], pages: dict[Path, Page]) -> bool:
    """Tell whether a file is there, and the anchor in it."""
    path, anchor = target
    return path.exists() and (not anchor or anchor in pages[path].anchors)


def test_every_link_leads_to_a_page_and_to_its_anchor(site: Path, pages: dict[Path, Page]) -> None:
    """What the builder lets pass is found here."""
    broken = [
        f"{page.relative_to(site)}: {link}"
        for page, content in pages.items()
        for link in content.links
        if (target := inside(site, page, link)) and not is_there(target, pages)
    ]
    assert broken == []


def test_every_reference_to_a_name_is_resolved(pages: dict[Path, Page]) -> None:
    """One that is not stays in its brackets."""
    unresolved = re.compile(r"\]\[plugchat_async|<autoref|:::")
    assert [path.name for path, page in pages.items() if unresolved.search(page.text)] == []


def test_every_page_can_be_reached_by_the_navigation(pages: dict[Path, Page], site: Path) -> None:
    """And what the navigation names is there."""
    home = site / "index.html"
    reached = {target[0] for link in pages[home].links if (target := inside(site, home, link))}
    assert set(pages) - reached == {site / "404.html"}


def test_a_page_names_its_language(pages: dict[Path, Page]) -> None:
    """A screen reader pronounces by it, and the words around the text follow."""
    for path, page in pages.items():
        is_portuguese = ".pt-BR." in path.name
        assert page.language == ("pt" if is_portuguese else "en")
        assert ("Pular para conteúdo" in page.text) is is_portuguese


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    """No font, script, style or picture of another host."""
    loaded = [(page, link) for page, content in pages.items() for link in content.loaded]
    for sheet in site.rglob("*.css"):
        loaded += [
            (sheet, address or imported)
            for address, imported in CSS_ADDRESS.findall(sheet.read_text("utf-8"))
        ]
    assert loaded
    assert [(page.name, link) for page, link in loaded if inside(site, page, link) is None] == []


def test_each_public_name_is_in_the_reference(pages: dict[Path, Page]) -> None:
    """Of the package and of its public modules."""
    anchors = set().union(*(page.anchors for page in pages.values()))
    named = {f"plugchat_async.{name}" for name in plugchat_async.__all__}
    told = {"plugchat_async.PairingState", "plugchat_async.__version__"}
    assert named - anchors == told

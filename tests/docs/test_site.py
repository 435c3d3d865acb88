"""The documentation's two sites, built from a copy of the tree: every link leads somewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

import plugchat_async

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
PACKAGE = Path(plugchat_async.__file__).parent
CONFIGURATIONS = ["zensical.toml", "zensical.pt-BR.toml"]
SITE_URL = tomllib.loads((ROOT / CONFIGURATIONS[0]).read_text("utf-8"))["project"]["site_url"]

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
        self.switches: list[str] = []
        self.alternates: dict[str, str] = {}
        self.language = ""
        self.text = path.read_text("utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        attributes = {name: value or "" for name, value in attrs}
        self.anchors.update({attributes.get("id", ""), attributes.get("name", "")})
        if tag == "html":
            self.language = attributes["lang"]
        if tag == "a" and "hreflang" in attributes:
            self.switches.append(attributes["href"])
        if tag == "link" and "hreflang" in attributes:
            self.alternates[attributes["hreflang"]] = attributes["href"]
        addresses = [attributes[name] for name in ("href", "src", "data") if name in attributes]
        self.links += addresses
        if tag in LOADING and attributes.get("rel") not in SAYING:
            self.loaded += addresses


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both languages as strictly as the builder can."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "docs", tree / "docs")
    shutil.copytree(PACKAGE, tree / "plugchat_async")
    builder = Path(sys.executable).with_name("zensical")
    for configuration in CONFIGURATIONS:
        shutil.copy(ROOT / configuration, tree)
        command = [str(builder), "build", "--strict", f"--config-file={configuration}"]
        subprocess.run(command, cwd=tree, check=True)
    return tree / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Read each page of it; the pages among the examples are files to copy."""
    paths = set(site.rglob("*.html")) - set((site / "examples").rglob("*.html"))
    return {path: Page(path) for path in paths}


def inside(site: Path, page: Path, link: str) -> tuple[Path, str] | None:
    """Return the file and the anchor that a link leads to, or None if it leads outside."""
    target = urljoin(SITE_URL + page.relative_to(site).as_posix(), link)
    if not target.startswith(SITE_URL):
        return None
    target = urlsplit(target.removeprefix(SITE_URL))
    path = site / unquote(target.path)
    return path / "index.html" if path.is_dir() else path, unquote(target.fragment)


def is_there(target: tuple[Path, str], pages: dict[Path, Page]) -> bool:
    """Return whether a file exists, and the anchor in it."""
    path, anchor = target
    return path.exists() and (not anchor or anchor in pages[path].anchors)


def test_every_link_leads_to_a_page_and_to_its_anchor(site: Path, pages: dict[Path, Page]) -> None:
    """Links that the builder lets pass are found here."""
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
    """From the first page of its language, which the other one leads to."""
    homes = [site / "index.html", site / "pt-BR" / "index.html"]
    reached = {
        target[0]
        for home in homes
        for link in pages[home].links
        if (target := inside(site, home, link))
    }
    assert set(pages) - reached == {site / "404.html", site / "pt-BR" / "404.html"}


def test_each_page_has_its_language_and_leads_to_the_other(
    site: Path, pages: dict[Path, Page]
) -> None:
    """A screen reader pronounces by it, and what the theme itself says follows."""
    for path, page in pages.items():
        is_portuguese = path.is_relative_to(site / "pt-BR")
        assert page.language == ("pt-BR" if is_portuguese else "en")
        assert ("Pular para conteúdo" in page.text) is is_portuguese
        here, there = site / "pt-BR", site
        if not is_portuguese:
            here, there = there, here
        other = there / path.relative_to(here)
        if other not in pages or other.name == "404.html":
            other = there / "index.html"
        assert [inside(site, path, link) for link in page.switches] == [(other, "")]


def test_search_engines_learn_both_languages_of_a_page(site: Path, pages: dict[Path, Page]) -> None:
    """Each page that exists in both has the addresses of both, and no other page has any."""
    for path, page in pages.items():
        name = path.relative_to(site).as_posix().removeprefix("pt-BR/")
        is_in_both = site / "pt-BR" / name in pages and name != "404.html"
        both = {"en": SITE_URL + name, "pt-BR": f"{SITE_URL}pt-BR/{name}"}
        assert page.alternates == (both if is_in_both else {})


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    """No font, script, style or image of another host."""
    loaded = [(page, link) for page, content in pages.items() for link in content.loaded]
    for sheet in site.rglob("*.css"):
        loaded += [
            (sheet, address or imported)
            for address, imported in CSS_ADDRESS.findall(sheet.read_text("utf-8"))
        ]
    assert loaded
    assert [(page.name, link) for page, link in loaded if inside(site, page, link) is None] == []
    # By this attribute, the theme's script requests the newest version from api.github.com.
    requesting = 'data-md-component="source"'
    assert [path.name for path, page in pages.items() if requesting in page.text] == []


def test_each_public_name_is_in_the_reference(pages: dict[Path, Page]) -> None:
    """Of the package and of its public modules."""
    anchors = set().union(*(page.anchors for page in pages.values()))
    named = {f"plugchat_async.{name}" for name in plugchat_async.__all__}
    told = {"plugchat_async.PairingState", "plugchat_async.__version__"}
    assert named - anchors == told

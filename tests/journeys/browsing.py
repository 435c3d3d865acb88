"""The page in a browser: what its tests share, beside the fixtures of conftest.py."""

from __future__ import annotations

import io
import time
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypedDict

from PIL import Image

from tests.camera import read_codes
from tests.keyword_arguments import HubArguments

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Unpack

    from playwright.sync_api import Frame, Page

    from .page_site import PageOptions, Wrap

Theme: TypeAlias = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")

QUICK: HubArguments = {"interval": 2.0, "status_interval": 0.1, "linger": 0.5}
# What Chromium writes to the console.
REFUSED = "Failed to load resource"
BLOCKED = "Content Security Policy"

# For what follows the ending: the code itself may be gone before a busy machine looks.
ONE_CODE: HubArguments = {**QUICK, "max_rounds": 1}


class ServePage(Protocol):
    """Serve the page until the end of the test, with a hub's arguments; return its URL."""

    def __call__(
        self,
        base_url: str = ...,
        *,
        options: PageOptions | None = None,
        wrapped_by: Wrap | None = None,
        **settings: Unpack[HubArguments],
    ) -> str: ...


class WindowOptions(TypedDict, total=False):
    """Arguments of `Browser.new_context()`."""

    locale: str
    color_scheme: Theme
    reduced_motion: Literal["reduce"]
    java_script_enabled: bool
    ignore_https_errors: bool


class OpenWindow(Protocol):
    """Open a window, as another person."""

    def __call__(
        self, url: str, *, expected: str = "", **options: Unpack[WindowOptions]
    ) -> Page: ...


def wait_for(page: Page, state: str) -> None:
    """Wait until the page shows a state."""
    page.locator(f"main[data-state={state}]").wait_for(timeout=30_000)


def read(page: Page) -> str:
    """Read the code on the screen as a phone's camera would: again and again, never inverted."""
    found: list[str] = []
    deadline = time.monotonic() + 60
    while not found:
        assert time.monotonic() < deadline
        found = read_codes(page.screenshot(animations="disabled"))
    (payload,) = found
    return payload


# What one element came to hold, one after the other, from the first on.
RECORD = """
window.recorded = [];
const record = () => {
    const element = document.getElementById("ELEMENT");
    new MutationObserver(() => recorded.push(element.innerHTML)).observe(
        element, {childList: true, characterData: true, subtree: true}
    );
};
document.addEventListener("readystatechange", record, {once: true});
"""


def accessibility_violations(page: Page | Frame) -> list[tuple[str, list[str]]]:
    """Ask axe-core, with all of its rules."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]


def keep(photograph: bytes, path: Path) -> None:
    """Save a photograph, in few colours, since it goes into the repository."""
    screenshot = Image.open(io.BytesIO(photograph)).convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    screenshot.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)

"""A page's first code in Chromium: from the request of the page to the event `code`.

What is told is the time beyond the 100 ms that the API takes. The session begins with the request
of the page, so that Chromium loads the page, runs its script and asks for the events while the API
takes its time. What remains is the page's response, the request to the API, the drawing of the
code, and the event's way back. Beside it is a bare page, whose script does nothing but open an
`EventSource`, and whose event comes 100 ms after that: what Chromium and uvicorn take by themselves
without that overlap. Both are opened in turns, by a browser that was started before, and each page
of ours has another tenant, so that it begins a session.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, StreamingResponse
from playwright.sync_api import sync_playwright

from plugchat_async import AsyncPlugChat
from plugchat_async.fastapi import pairing_router

from .cores import unpin
from .figures import Figure, percentile_99
from .processes import running
from .server import serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from playwright.sync_api import Page

PAGES = 60
API_SECONDS = 0.1

# The navigation is the origin of the page's clock. The script runs before those of the page.
_LISTEN = """
window.firstCode = new Promise((resolve) => {
  window.EventSource = class extends EventSource {
    constructor(...address) {
      super(...address);
      this.addEventListener("code", () => {
        const [page] = performance.getEntriesByType("navigation");
        resolve(performance.now() - page.requestStart);
      });
    }
  };
});
"""


def measure() -> list[Figure]:
    """Open one page after another."""
    unpin()  # a browser is many processes
    with serving() as api, _serving_app(api.base_url) as url, sync_playwright() as playwright:
        api.take(API_SECONDS)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.add_init_script(_LISTEN)
        pairs = [
            (_wait(page, f"{url}/tenants/{number}"), _wait(page, f"{url}/bare"))
            for number in range(PAGES)
        ]
        browser.close()
    # The first pages warm up the app and the browser.
    pairs = pairs[PAGES // 6 :]
    figure = Figure.from_pairs(
        pairs,
        what="from the request of a page to its first code, beyond the API's time",
        unit="ms",
        against="a bare page",
        goal=30,
    )
    late = percentile_99([wait for wait, _ in pairs])
    return [figure, Figure(what="99 % of pages within", measured=late, unit="ms")]


def _wait(page: Page, url: str) -> float:
    page.goto(url)
    return float(page.evaluate("window.firstCode")) - API_SECONDS * 1000


@contextmanager
def _serving_app(base_url: str) -> Iterator[str]:
    with running(__name__, base_url) as (_, output):
        yield f"http://127.0.0.1:{int(output.readline())}"


def _serve(base_url: str) -> None:
    client = AsyncPlugChat("token", base_url=base_url)

    async def get_client(tenant: int) -> AsyncPlugChat:
        return client.for_token(f"token-of-tenant-{tenant}")

    app = FastAPI()
    app.include_router(pairing_router(get_client, dependencies=[]), prefix="/tenants/{tenant}")

    @app.get("/bare", response_class=HTMLResponse)
    async def bare() -> str:
        return "<script>new EventSource('/bare/events')</script>"

    @app.get("/bare/events")
    async def events() -> StreamingResponse:
        return StreamingResponse(_one_event(), media_type="text/event-stream")

    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run([listener])


async def _one_event() -> AsyncGenerator[str]:
    await asyncio.sleep(API_SECONDS)
    yield "event: code\ndata: {}\n\n"
    await asyncio.sleep(API_SECONDS)


if __name__ == "__main__":
    _serve(sys.argv[1])

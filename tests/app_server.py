"""An app served over a socket, from a thread: as other processes and people meet it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypedDict

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from typing import Unpack

    from starlette.types import ASGIApp


class ServerSettings(TypedDict, total=False):
    """Arguments of `uvicorn.Config`."""

    port: int
    timeout_graceful_shutdown: int
    lifespan: Literal["auto", "on", "off"]
    root_path: str
    ssl_certfile: Path


@contextmanager
def serve_app(app: ASGIApp, **settings: Unpack[ServerSettings]) -> Generator[int]:
    """Serve until the block ends, on a free port unless the settings name one; give the port."""
    all_settings: ServerSettings = {"port": 0, "timeout_graceful_shutdown": 0, **settings}
    config = uvicorn.Config(app, log_config=None, ws="none", **all_settings)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        _, port = server.servers[0].sockets[0].getsockname()
        yield port
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def serve_plugchat(sandbox: ASGIApp) -> Generator[str]:
    """Serve a sandbox until the block ends; give its base URL."""
    with serve_app(sandbox, lifespan="off") as port:
        yield f"http://127.0.0.1:{port}/api/whatsapp"

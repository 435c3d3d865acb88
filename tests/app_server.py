"""An app served over a socket, from a thread: as other processes and people meet it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Generator

    from starlette.types import ASGIApp


@contextmanager
def serve_app(app: ASGIApp, **settings: Any) -> Generator[int]:
    """Serve until the block ends, on a free port unless the settings name one; give the port."""
    usual = {"port": 0, "log_config": None, "ws": "none", "timeout_graceful_shutdown": 0}
    server = uvicorn.Server(uvicorn.Config(app, **{**usual, **settings}))
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

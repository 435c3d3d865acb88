"""Server of the sandbox, over a socket."""

from __future__ import annotations

import socket
import threading
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from ._application import PREFIX

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import ASGIApp

try:
    import uvicorn
except ImportError as error:
    from plugchat_async._extras import missing

    raise ImportError(missing("serving the sandbox", "Uvicorn", "sandbox")) from error

# Seconds that a request gets to end; uvicorn checks every 0.1 s whether to stop.
_GRACE = 0.5
_MAX_SECONDS_TO_STOP = 3.0


@asynccontextmanager
async def serve(application: ASGIApp, *, host: str, port: int) -> AsyncGenerator[str, None]:
    """Serve `application` from a separate thread, since uvicorn runs on asyncio only."""
    listener = _listen(host, port)
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            # Uvicorn's loggers belong to the process, and may serve another server in it.
            log_config=None,
        )
    )
    thread = threading.Thread(
        target=server.run, args=([listener],), name="plugchat-sandbox", daemon=True
    )
    thread.start()
    try:
        yield _base_url(listener)
    finally:
        with anyio.CancelScope(shield=True):
            # A separate limiter: blocked threads elsewhere don't hold up the end.
            await anyio.to_thread.run_sync(_stop, server, thread, limiter=anyio.CapacityLimiter(1))
        listener.close()


def _stop(server: uvicorn.Server, thread: threading.Thread) -> None:
    server.should_exit = True
    thread.join(_GRACE)
    server.force_exit = True
    thread.join(_MAX_SECONDS_TO_STOP)


def _listen(host: str, port: int) -> socket.socket:
    if not host:
        raise ValueError("host is empty, which would be every address: pass 0.0.0.0 for that")
    if not 0 <= port <= 65535:
        raise ValueError(f"port has to be between 0 and 65535, not {port}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _base_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if ip_address(host).is_unspecified:
        # It listens on every address, including this machine's, for which plain http is allowed.
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{PREFIX}"

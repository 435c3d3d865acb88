"""A server that reads requests and does to their connections what a test likes, to the byte."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from anyio.abc import SocketStream


@asynccontextmanager
async def listen(handle: Callable[[SocketStream], Awaitable[None]]) -> AsyncGenerator[int]:
    """Serve on a free port, and give it."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as serving:
        serving.start_soon(listener.serve, handle)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)
        # From a timer: in the same turn of asyncio's loop, a connection that comes would meet a
        # cancelled future, https://github.com/python/cpython/issues/153761.
        serving.cancel_scope.deadline = anyio.current_time() + 0.001


@asynccontextmanager
async def serve_raw(
    respond: Callable[[SocketStream], Awaitable[None]], *, heads: list[bytes] | None = None
) -> AsyncGenerator[str]:
    """Serve on a free port, give the base URL, and add the head of each request to `heads`."""
    kept = [] if heads is None else heads

    async def handle(connection: SocketStream) -> None:
        async with connection:
            buffered = BufferedByteReceiveStream(connection)
            try:
                while True:
                    kept.append(await buffered.receive_until(b"\r\n\r\n", 65536))
                    await respond(connection)
            except (anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    async with listen(handle) as port:
        yield f"http://127.0.0.1:{port}/api/whatsapp"

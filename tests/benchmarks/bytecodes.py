"""How many bytecodes one `qr_code()` runs, beside the same call written by hand with httpx.

A count is the same on a busy machine as on an idle one, so that it can decide when a clock cannot.
The server responds from a thread, which is not counted, and takes its time: trio saves a turn of
its loop if a response is there before it is waited for, and such luck must not decide.

    python tests/benchmarks/bytecodes.py [--json]
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import httpx

from plugchat_async import AsyncPlugChat

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import FrameType

    from _typeshed import TraceFunction

CALLS = 31
LATENCY_SECONDS = 0.02
BODY = json.dumps({"value": "2@" + "x" * 235}).encode()
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nDate: Sun, 01 Mar 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


@contextmanager
def server() -> Iterator[str]:
    """Send a code to every request, and give the base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=[listener], daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/whatsapp"
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_respond, args=[connection], daemon=True).start()


def _respond(connection: socket.socket) -> None:
    with connection:
        while connection.recv(65536).endswith(b"\r\n\r\n"):
            time.sleep(LATENCY_SECONDS)
            connection.sendall(RESPONSE)


async def bytecodes_of(call: Callable[[], Awaitable[object]]) -> int:
    """Count the bytecodes of one call in the median, once its connection is open."""
    counted = 0

    def trace(frame: FrameType, event: str, _argument: object) -> TraceFunction:
        nonlocal counted
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        counted += event == "opcode"
        return trace

    for _ in range(5):
        await call()
    counts = []
    for _ in range(CALLS):
        before = counted
        sys.settrace(trace)
        await call()
        sys.settrace(None)
        counts.append(counted - before)
    return int(statistics.median(counts))


async def measure() -> dict[str, float]:
    """Count both on one server."""
    with server() as base_url:
        url, headers = f"{base_url}/qr-code", {"Authorization": "token"}
        async with httpx.AsyncClient() as http, AsyncPlugChat("token", base_url=base_url) as client:

            async def by_hand() -> str:
                response = await http.get(url, headers=headers)
                payload: str = response.json()["value"]
                return payload

            counts = {"qr_code": await bytecodes_of(client.qr_code)}
            counts["by_hand"] = await bytecodes_of(by_hand)
    return {**counts, "ratio": counts["qr_code"] / counts["by_hand"]}


def main() -> None:
    """Print the counts for both event loops."""
    arguments = argparse.ArgumentParser(description="Count the bytecodes of one call.")
    arguments.add_argument("--json", action="store_true", help="print JSON")
    figures = {backend: anyio.run(measure, backend=backend) for backend in ("asyncio", "trio")}
    if arguments.parse_args().json:
        print(json.dumps(figures))
        return
    for backend, row in figures.items():
        print(
            f"{backend:8} qr_code() {row['qr_code']:6}   by hand {row['by_hand']:6}"
            f"   ratio {row['ratio']:.3f}"
        )


if __name__ == "__main__":
    main()

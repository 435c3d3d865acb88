"""The least that responds like PlugChat, in a separate process on a separate core.

It is told over its standard input how long to take for a response, reports over its standard output
what it has seen, and stops when its parent does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING

from .cores import pin_server
from .processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator

PAYLOAD = "2@" + "nBk7/sQ0xT+4Zr9LdWfHa2yVjC6eUoPm1GiXb8K5tYwOq3RzNvDuAhSlMcFgEJIp" * 4
_BODY = json.dumps({"value": PAYLOAD[:240]}).encode()
_RESPONSE = (
    b"HTTP/1.1 200 OK\r\nDate: Sun, 01 Mar 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


@dataclass
class Sightings:
    """Counts of the server since it was last asked.

    Attributes:
        requests: How many requests it was sent.
        opened: How many connections were opened to it.
        open: How many of all connections are open now.
        most_in_parallel: The most requests that waited for their response in the same moment.
    """

    requests: int = 0
    opened: int = 0
    open: int = 0
    most_in_parallel: int = 0


class Server:
    """The server's process, seen from the one that measures."""

    def __init__(self, commands: IO[str], reports: IO[str]) -> None:
        self._commands = commands
        self._reports = reports
        self.origin = f"http://127.0.0.1:{int(reports.readline())}"
        self.base_url = f"{self.origin}/api/whatsapp"
        self.url = f"{self.base_url}/qr-code"

    def take(self, seconds: float) -> Sightings:
        """Let each response take so long from now on, and return what was seen until now."""
        print(seconds, file=self._commands, flush=True)
        return Sightings(**json.loads(self._reports.readline()))


@contextmanager
def serving() -> Iterator[Server]:
    """Run the server as long as the block lasts."""
    with running(__name__) as (commands, reports):
        yield Server(commands, reports)


class _Responses:
    """How long a response takes, and what was seen meanwhile, over all connections."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waiting = 0
        self.seen = Sightings()

    def look(self) -> Sightings:
        seen, self.seen = self.seen, Sightings(open=self.seen.open, most_in_parallel=self.waiting)
        return seen


class _Connection(asyncio.Protocol):
    def __init__(self, responses: _Responses) -> None:
        self._responses = responses
        self._pending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._head = b""
        self._responses.seen.opened += 1
        self._responses.seen.open += 1

    def connection_lost(self, _: Exception | None) -> None:
        self._responses.seen.open -= 1
        if self._pending is not None:
            self._pending.cancel()
            self._responses.waiting -= 1

    def data_received(self, data: bytes) -> None:
        self._head += data
        if not self._head.endswith(b"\r\n\r\n"):
            return
        self._head = b""
        responses = self._responses
        responses.seen.requests += 1
        if responses.seconds == 0:
            self._transport.write(_RESPONSE)
            return
        responses.waiting += 1
        responses.seen.most_in_parallel = max(responses.seen.most_in_parallel, responses.waiting)
        loop = asyncio.get_running_loop()
        self._pending = loop.call_later(responses.seconds, self._respond)

    def _respond(self) -> None:
        self._pending = None
        self._responses.waiting -= 1
        self._transport.write(_RESPONSE)


async def _serve() -> None:
    responses = _Responses()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(responses), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while command := await commands.readline():
        responses.seconds = float(command)
        print(json.dumps(asdict(responses.look())), flush=True)


if __name__ == "__main__":
    pin_server()
    asyncio.run(_serve())

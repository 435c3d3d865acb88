"""A server in threads, for clients in any event loop, thread or process."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
_BODY = b'{"value": "2@%b"}'


class ThreadedServer(socketserver.ThreadingTCPServer):
    """Server that responds with a code in which the caller's token is.

    Attributes:
        requests: The client's port of each request, in their order.
        max_open: The most connections that were open at the moment of a request.
        together: How many requests are waited for before each is responded to.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.requests: list[int] = []
        self.max_open = 0
        self.together = threading.Barrier(1)
        self._connections: list[socket.socket] = []
        self._swallowing: set[socket.socket] = set()

    @property
    def base_url(self) -> str:
        """The address for a client."""
        return f"http://127.0.0.1:{self.server_address[1]}/api/whatsapp"

    @property
    def open_connections(self) -> int:
        """How many connections no client has closed."""
        return sum(map(_is_open, [*self._connections]))

    def swallow(self) -> None:
        """Respond to no further request over a present connection, without closing it."""
        self._swallowing.update(self._connections)

    def note(self, connection: socket.socket) -> None:
        """Note a connection."""
        self._connections.append(connection)

    def responds_over(self, connection: socket.socket) -> bool:
        """Note a request, and return whether a response follows."""
        self.requests.append(connection.getpeername()[1])
        self.max_open = max(self.max_open, self.open_connections)
        return connection not in self._swallowing


class _Connection(socketserver.StreamRequestHandler):
    server: ThreadedServer
    request: socket.socket

    def handle(self) -> None:
        self.server.note(self.request)
        while token := self._read_request():
            if self.server.responds_over(self.request):
                self.server.together.wait()
                body = _BODY % token
                self.wfile.write(_RESPONSE % (len(body), body))

    def _read_request(self) -> bytes | None:
        """Return the token of the next request; None at the end."""
        token = None
        for line in iter(self.rfile.readline, b"\r\n"):
            if not line:
                return None
            name, _, value = line.partition(b":")
            if name.lower() == b"authorization":
                token = value.strip()
        return token


def _is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


@contextmanager
def serve_in_threads() -> Generator[ThreadedServer]:
    """Serve on a free port."""
    with ThreadedServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()

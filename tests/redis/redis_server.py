"""A real server for a test, which may stop it, freeze it and ask it things."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Generator

Reply: TypeAlias = str | int | list[str]

# Another binary of the kind, such as valkey-server, with PLUGCHAT_TEST_REDIS_SERVER.
PROGRAM = os.environ.get("PLUGCHAT_TEST_REDIS_SERVER", "redis-server")


class RedisServer:
    """Redis or Valkey on a Unix socket.

    Args:
        folder: Where its socket and its data are.
        keeps_data: Whether what was written is there again after it was killed.
        port: A port of TCP, by which a replica finds it; 0 for none.
    """

    def __init__(self, folder: Path, *, keeps_data: bool = False, port: int = 0) -> None:
        self._socket = folder / "redis.sock"
        self._options = (
            *("--port", str(port), "--dir", str(folder), "--save", ""),
            *("--appendonly", "yes" if keeps_data else "no", "--appendfsync", "always"),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    @property
    def path(self) -> Path:
        """Its socket."""
        return self._socket

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Start it."""
        options = ("--unixsocket", str(self._socket), *self._options)
        self._process = subprocess.Popen([PROGRAM, *options], stdout=subprocess.DEVNULL)
        while not self._accepts():
            assert self._process.poll() is None, "the server does not start"
            time.sleep(0.005)

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(str(self._socket)) == 0

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._connection is not None:
            self._replies.close()
            self._connection.close()
            self._connection = None

    @contextmanager
    def frozen(self) -> Generator[None]:
        """Let it do nothing, with its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def ask(self, *command: str) -> Reply:
        """Send a command, and return its reply."""
        if self._connection is None:
            self._connection = socket.socket(socket.AF_UNIX)
            self._connection.connect(str(self._socket))
            self._replies = self._connection.makefile("rb")
        words = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in command)
        self._connection.sendall(f"*{len(command)}\r\n{words}".encode())
        return _read(self._replies)


def _read(replies: BinaryIO) -> Reply:
    """Read a reply in version 2 of the protocol."""
    line = replies.readline().decode().strip()
    kind, rest = line[0], line[1:]
    if kind == "*":
        return [str(_read(replies)) for _ in range(int(rest))]
    if kind == "$":
        return replies.read(int(rest) + 2)[:-2].decode()
    return int(rest) if kind == ":" else rest


@contextmanager
def serve_redis(*, keeps_data: bool = False, port: int = 0) -> Generator[RedisServer]:
    """Start a server, and stop it at the end."""
    # The path of a Unix socket has 107 characters at most, so that pytest's folders do not do.
    folder = Path(tempfile.mkdtemp())
    server = RedisServer(folder, keeps_data=keeps_data, port=port)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)

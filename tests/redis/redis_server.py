"""A real server for a test, which may stop it, freeze it and ask it things."""

from __future__ import annotations

import os
import random
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
    """Redis or Valkey on a port and a Unix socket.

    Args:
        folder: The folder of its socket and its data.
        keeps_data: Whether what was written is there again after it was killed.

    Attributes:
        port: The port, which is the same when it starts again.
    """

    def __init__(self, folder: Path, *, keeps_data: bool = False) -> None:
        self.port = _free_port()
        self._socket = folder / "redis.sock"
        self._options = (
            *("--bind", "127.0.0.1", "--port", str(self.port), "--unixsocket", str(self._socket)),
            *("--dir", str(folder), "--save", ""),
            *("--appendonly", "yes" if keeps_data else "no", "--appendfsync", "always"),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    @property
    def url(self) -> str:
        """The URL for clients."""
        # On asyncio, anyio's streams over Unix sockets raise if they are cancelled as data comes:
        # https://github.com/agronholm/anyio/issues/1267 has mended that for `aclose()` alone.
        return f"redis://127.0.0.1:{self.port}"

    @property
    def unix_url(self) -> str:
        """Another URL, for clients on this machine."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Start it."""
        self._process = subprocess.Popen([PROGRAM, *self._options], stdout=subprocess.DEVNULL)
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


def _free_port() -> int:
    """Return a port that nobody gets by chance while the server is stopped."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)  # outgoing connections have others
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


@contextmanager
def serve_redis(*, keeps_data: bool = False) -> Generator[RedisServer]:
    """Start a server, and stop it at the end."""
    # The path of a Unix socket has 107 characters at most, so that pytest's folders do not do.
    folder = Path(tempfile.mkdtemp())
    server = RedisServer(folder, keeps_data=keeps_data)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)

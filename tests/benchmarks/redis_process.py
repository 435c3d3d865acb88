"""A Redis in a separate process, asked by `redis-cli`."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class RedisProcess:
    """Redis on a Unix socket, without persistence."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    @property
    def url(self) -> str:
        """The URL for its clients."""
        return f"unix://{self._socket}"

    def ask(self, *command: str) -> str:
        """Send a command, and return its reply as text."""
        program = ["redis-cli", "-s", str(self._socket)]
        done = subprocess.run([*program, *command], capture_output=True, text=True, check=True)
        return done.stdout


@contextmanager
def serve_redis() -> Generator[RedisProcess]:
    """Run a server until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "redis.sock"
        options = ("--port", "0", "--unixsocket", str(socket), "--save", "")
        with subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL) as process:
            try:
                while not socket.exists():
                    time.sleep(0.01)
                yield RedisProcess(socket)
            finally:
                process.kill()

"""Reverse proxies in front of an app that is run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

# The parts of Debian's nginx.conf around the server block.
_AROUND_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def logs_in(folder: Path) -> str:
    """Return all that a proxy wrote."""
    return "".join(log.read_text("utf-8") for log in folder.glob("*.log"))


def nginx(folder: Path, server: str) -> list[str]:
    """Return the command that runs nginx with a server block."""
    file = folder / "nginx.conf"
    file.write_text(_AROUND_NGINX.format(folder=folder, server=server), "utf-8")
    return ["nginx", "-c", str(file), "-e", str(folder / "error.log")]


@contextmanager
def running(folder: Path, command: list[str], serves: Callable[[], bool]) -> Generator[None]:
    """Run a proxy from when it serves until the block ends."""
    folders = [str(Path(sys.executable).parent), "/usr/sbin", "/usr/bin", "/usr/local/bin"]
    program = shutil.which(command[0], path=os.pathsep.join(folders))
    assert program, f"install {command[0]}"
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *command[1:]],
            # It is where Caddy keeps its state.
            env={**os.environ, "HOME": str(folder)},
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 60
        while not serves():
            assert process.poll() is None, logs_in(folder)
            assert time.monotonic() < deadline, logs_in(folder)
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)

"""An example of the documentation, run by uvicorn in a separate process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@contextmanager
def served_example(
    name: str,
    plugchat_url: str,
    tokens: Mapping[str, str],
    workers: int = 1,
    /,
    **environment: str,
) -> Generator[str]:
    """Serve an example until the block ends; give its URL.

    Args:
        name: The module.
        plugchat_url: Base URL of a PlugChat.
        tokens: The tenants' tokens.
        workers: Number of uvicorn's workers.
        environment: Further variables, in which `{port}` is the port that it is served on.
    """
    # It takes over a port that is open already: nobody else can take it, nor comes too early.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, descriptor = listener.getsockname()[1], listener.fileno()
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", f"{name}:app"),
                *(f"--fd={descriptor}", f"--workers={workers}"),
                # By default a worker that is slow for 5 s is killed, which a busy machine is.
                "--timeout-worker-healthcheck=60",
            ],
            cwd=EXAMPLES,
            env={
                **os.environ,
                "PLUGCHAT_BASE_URL": plugchat_url,
                "TENANT_TOKENS": json.dumps(tokens),
                **{key: value.format(port=port) for key, value in environment.items()},
            },
            pass_fds=[descriptor],
            start_new_session=True,
        )
    try:
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers, too
        process.wait()

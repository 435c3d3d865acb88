"""A call imports nothing: a fork in the middle of an import leaves the child a locked module."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.threaded_server import serve_in_threads

PROGRAM = """
import asyncio, sys, trio
from plugchat_async import AsyncPlugChat

async def call():
    before = {*sys.modules}
    await client.qr_code()
    await client.qr_code_image()  # drawn here, as the response is text
    print(*sorted({*sys.modules} - before))

client = AsyncPlugChat("token", base_url=sys.argv[1], http_client=None)
asyncio.run(call()) if sys.argv[2] == "asyncio" else trio.run(call)
"""

OVER_HTTPX = PROGRAM.replace("http_client=None", 'http_client=__import__("httpx").AsyncClient()')


@pytest.mark.journey
@pytest.mark.parametrize("program", [PROGRAM, OVER_HTTPX], ids=["own pool", "httpx"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_first_call_of_a_process_imports_nothing(backend: str, program: str) -> None:
    """All that it needs was imported when its client was made, threads that look up hosts too."""
    with serve_in_threads() as server:
        base_url = server.base_url.replace("127.0.0.1", "localhost")
        command = [sys.executable, "-c", program, base_url, backend]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == []

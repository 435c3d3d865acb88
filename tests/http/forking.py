"""A program that uses a client, forks during its event loop, and uses it in each process.

python forking.py BASE_URL asyncio|trio os.fork|multiprocessing own|httpx|shared
"""

from __future__ import annotations

import multiprocessing
import os
import sys

import anyio
import httpx
from anyio.from_thread import start_blocking_portal

from plugchat_async import AsyncPlugChat

CALLS_OF_A_CHILD = 20


async def call(client: AsyncPlugChat, token: str, times: int = 1) -> None:
    """Make calls for a tenant, and check that the codes are the tenant's."""
    for _ in range(times):
        payload = (await client.for_token(token).qr_code()).payload
        assert payload == f"2@{token}", payload


def be_child(client: AsyncPlugChat, token: str, backend: str) -> None:
    """Make calls in a child, in an event loop that is its own."""
    try:
        anyio.run(call, client, token, CALLS_OF_A_CHILD, backend=backend)
    except RuntimeError as error:
        sys.stdout.write(f"{error}\n")
        sys.stdout.flush()


def fork_by_hand(client: AsyncPlugChat, token: str, backend: str) -> int:
    """Fork by the operating system's call, and return the child's number."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            be_child(client, token, backend)
            code = 0
        finally:
            os._exit(code)
    return process


def main(base_url: str, backend: str, fork: str, http_client: str) -> None:
    """Call, fork twice, wait for the children, and call again."""
    user_supplied = None if http_client == "own" else httpx.AsyncClient()
    client = AsyncPlugChat("none", base_url=base_url, http_client=user_supplied)
    of_children = client
    if http_client == "shared":
        of_children = AsyncPlugChat("none", base_url=base_url, http_client=user_supplied)
    tenants = [(of_children, token, backend) for token in ("tenant-one", "tenant-two")]

    with start_blocking_portal(backend) as portal:
        portal.call(call, client, "parent")
        if fork == "multiprocessing":
            context = multiprocessing.get_context("fork")
            processes = [context.Process(target=be_child, args=tenant) for tenant in tenants]
            for process in processes:
                process.start()
            for process in processes:
                process.join()
            codes = [process.exitcode for process in processes]
        else:
            pids = [fork_by_hand(*tenant) for tenant in tenants]
            codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        portal.call(call, client, "parent")
        if user_supplied is not None:
            portal.call(user_supplied.aclose)
    assert codes == [0, 0], codes


main(*sys.argv[1:])

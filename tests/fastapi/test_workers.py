"""Telling from the call stack and the environment whether a server runs several workers."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest

from plugchat_async.fastapi._workers import has_several_workers

UVICORN_WORKER = ["uvicorn.supervisors.multiprocess", "uvicorn.server"]
NUMBERED = [
    ["gunicorn.arbiter"],
    ["gunicorn.arbiter", "uvicorn.server"],
    ["hypercorn.asyncio.run"],
    ["hypercorn.trio.run"],
    ["granian.server.common"],
]


def call_from(modules: list[str], workers: int) -> bool:
    """Ask from a function that these modules call, one by the other, with what a server knows."""
    if not modules:
        return has_several_workers()
    server = SimpleNamespace(workers=workers, num_workers=workers)
    ask = partial(call_from, modules[1:], workers)
    variables = {"__name__": modules[0], "self": server, "config": server, "ask": ask}
    exec("told = ask()", variables)
    return bool(variables["told"])


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("modules", NUMBERED, ids="-".join)
def test_a_server_knows_how_many_workers_it_has(modules: list[str], workers: int) -> None:
    """Each worker is called by it."""
    assert call_from(modules, workers) is (workers > 1)


@pytest.mark.parametrize("concurrency", ["", "4"])
def test_uvicorn_has_a_module_for_several_workers(
    concurrency: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it there is one, whatever the environment says, such as with `--reload`."""
    monkeypatch.setenv("WEB_CONCURRENCY", concurrency)
    assert call_from(UVICORN_WORKER, 2)
    assert not call_from(["uvicorn.server"], 1)


@pytest.mark.parametrize(
    ("concurrency", "are_several"), [("4", True), ("1", False), ("", False), ("many", False)]
)
def test_the_environment_tells_of_the_workers_of_another_server(
    concurrency: str, are_several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what platforms set for any server."""
    monkeypatch.setenv("WEB_CONCURRENCY", concurrency)
    assert call_from(["another.server"], 1) is are_several

"""A real Redis for the tests that need one."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING

import pytest

from .redis_server import RedisServer, serve_redis

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture(scope="module")
def shared_redis() -> Generator[RedisServer]:
    """Serve for a module's tests, each of which uses another prefix."""
    with serve_redis() as server:
        yield server


@pytest.fixture
def redis_server() -> Generator[RedisServer]:
    """Serve for one test, which may do with the server what it likes."""
    with serve_redis() as server:
        yield server


@pytest.fixture(scope="module")
def _streams_of_coredis() -> Generator[None]:
    """Collect the streams that coredis 6.9 leaves open when it can't connect."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()

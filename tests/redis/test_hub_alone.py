"""A hub that shares its sessions does for one process what `PairingHub` does: the same tests."""

from __future__ import annotations

import pytest

from tests.test_hub import *  # noqa: F403

from .memory_hub import MemoryHub


@pytest.fixture(autouse=True)
def _shared_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.test_hub.PairingHub", MemoryHub)

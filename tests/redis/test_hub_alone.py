"""A hub that shares its sessions does for one process what `PairingHub` does: the same tests."""

from __future__ import annotations

import pytest

from tests.test_hub import *  # noqa: F403

from .memory_hub import MemoryHub

# A process whose event loop ends has died for the others, who go on; it reports nothing.
del test_a_callback_may_end_the_event_loop  # noqa: F821


@pytest.fixture(autouse=True)
def _shared_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.test_hub.PairingHub", MemoryHub)

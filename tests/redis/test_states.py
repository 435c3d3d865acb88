"""States as they stand in a record."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from plugchat_async import QRCode, ShowingCode, Starting
from plugchat_async.redis._record import Record
from plugchat_async.redis._seal import Keyring
from plugchat_async.redis._states import open_report, open_state, seal_state

NOW = datetime(2026, 1, 1, tzinfo=UTC)
(SEAL,) = Keyring("s" * 32).seals("http://localhost", SecretStr("token"))


@pytest.mark.parametrize(("spent", "is_opened"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_code_of_a_round_that_has_not_begun_is_not_opened(spent: int, is_opened: bool) -> None:
    """Whoever writes to the store could otherwise show a code of a round to come again."""
    code = QRCode(payload="2@payload", round=2, rounds=3, fetched_at=NOW)
    sealed = seal_state(SEAL, "1", ShowingCode(qr=code), dated=NOW)
    record = Record(session="1", spent=spent, state=sealed, asked_at=0.0)
    state = open_state(SEAL, record, loop_time=0.0, wall_time=NOW)
    assert (state == ShowingCode(qr=code)) is is_opened


@pytest.mark.parametrize("asked_at", [-9e12, -1e11], ids=["as an age", "as a date"])
def test_a_state_whose_age_is_out_of_range_is_not_opened(asked_at: float) -> None:
    """Whoever writes to the store may date a record as he likes."""
    sealed = seal_state(SEAL, "1", Starting(), dated=NOW)
    record = Record(session="1", state=sealed, asked_at=asked_at)
    assert open_state(SEAL, record, loop_time=0.0, wall_time=NOW) is None


def test_a_state_of_a_later_release_is_not_opened() -> None:
    """While an app is deployed, processes of two releases share a session."""
    state = SEAL.seal(b'{"state": {"kind": "scanned"}}', session="1", field="state")
    ending = SEAL.seal(b'{"end": {"outcome": "moved"}}', session="1", field="ending")
    record = Record(session="1", state=state, ending=ending, asked_at=0.0)
    assert open_state(SEAL, record, loop_time=0.0, wall_time=NOW) is None
    assert open_report(SEAL, record) is None

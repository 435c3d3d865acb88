"""States as they stand in a record."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from plugchat_async import QRCode, ShowingCode
from plugchat_async.redis._record import Record
from plugchat_async.redis._seal import Keyring
from plugchat_async.redis._states import open_state, seal_state

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

"""Events that the browser gets for each state."""

from __future__ import annotations

import gc
import re
import weakref
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from pydantic import BaseModel

from plugchat_async import (
    Connected,
    Expired,
    Failed,
    PairingState,
    QRCode,
    ShowingCode,
    Starting,
)
from plugchat_async.fastapi._events import (
    Drawings,
    PairingCode,
    PairingFailure,
    PairingResult,
    event,
)
from tests.camera import read_symbol

pytestmark = pytest.mark.anyio

PAST = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "name", "data"),
    [
        (Starting(), "starting", {}),
        (Connected(already=True), "connected", {"already": True}),
        (Connected(already=False), "connected", {"already": False}),
        (Expired(), "expired", {}),
        (
            Failed(code="x", message="y"),
            "failed",
            {"code": "x", "message": "y", "retry_at": None, "retry_in": None},
        ),
        (
            Failed(code="x", message="y", retry_at=PAST),
            "failed",
            {"code": "x", "message": "y", "retry_at": "2026-01-01T12:00:00Z", "retry_in": 0},
        ),
    ],
    ids=["starting", "already connected", "connected", "expired", "failed", "rate limited"],
)
async def test_each_state_is_an_event(
    state: PairingState, name: str, data: dict[str, object]
) -> None:
    """It has what the page needs; the browser reconnects within a second."""
    sent = await event(state, "1", Drawings(), interval=15)
    assert (sent.event, sent.data.model_dump(mode="json"), sent.retry) == (name, data, 1000)


IN_TYPESCRIPT = {
    str: "string",
    int: "number",
    float: "number",
    float | None: "number | null",
    bool: "boolean",
    datetime | None: "string | null",
}


def test_the_documented_types_are_those_of_the_events() -> None:
    """The types of the guide have the fields of the models, of the same types, and no other."""
    guide = Path(__file__).parents[2].joinpath("docs", "guides", "fastapi.md").read_text("utf-8")
    types = guide.partition('```typescript title="events.ts"\n')[2].partition("```")[0]
    documented = {
        name: dict(re.findall(r"(\w+): ([^;}]+\w)", fields))
        for name, fields in re.findall(r"(\w+): \{([^}]*)\}", types)
    }
    models: dict[str, type[BaseModel]] = {
        "code": PairingCode,
        "connected": PairingResult,
        "failed": PairingFailure,
    }
    assert documented == {
        name: {
            field: IN_TYPESCRIPT[info.annotation]
            for field, info in model.model_fields.items()
            if info.annotation is not None
        }
        for name, model in models.items()
    }
    assert set(re.findall(r"(\w+): Record<string, never>", types)) == {"starting", "expired"}


async def test_a_code_is_told_by_its_symbol_and_what_is_left_of_it() -> None:
    """The seconds are those at the moment of sending; the text stays here."""
    fetched_at = datetime.now(UTC) - timedelta(seconds=5)
    code = QRCode(payload="2@a,b,c", fetched_at=fetched_at, round=2, rounds=3)
    before = code.expires_in
    told = await event(ShowingCode(qr=code), "1", Drawings(), interval=15)
    assert told.event == "code"
    assert isinstance(told.data, PairingCode)
    assert (told.data.round, told.data.rounds, told.data.valid_for) == (2, 3, 20)
    assert told.data.next_in == pytest.approx(told.data.expires_in - 5)
    assert before >= told.data.expires_in >= code.expires_in
    assert read_symbol(told.data.svg) == "2@a,b,c"
    assert "2@a" not in told.data.model_dump_json()


async def test_a_failure_is_told_by_the_seconds_until_the_next_try() -> None:
    """They are those at the moment of sending, so that a wrong clock can't mislead a page."""
    retry_at = datetime.now(UTC) + timedelta(seconds=30)
    failed = Failed(code="x", message="y", retry_at=retry_at)
    told = await event(failed, "1", Drawings(), interval=15)
    assert isinstance(told.data, PairingFailure)
    assert told.data.retry_in is not None
    left = (retry_at - datetime.now(UTC)).total_seconds()
    assert 30 >= told.data.retry_in >= left


# Drawings.


class Drawing(str):
    """A drawing to which a weak reference can be made."""

    __slots__ = ("__weakref__",)


class Counted(QRCode):
    """A code that counts how often it is drawn."""

    drawn: list[int] = []  # noqa: RUF012 - pydantic copies it

    def svg(self, *, border: int = 4) -> Drawing:
        self.drawn.append(border)
        return Drawing(super().svg(border=border))

    def __hash__(self) -> int:
        return hash(self.payload)


async def test_a_code_is_drawn_once_for_simultaneous_watchers() -> None:
    """A watcher that comes while it is drawn waits for the same drawing."""
    drawings, code = Drawings(), Counted(payload="2@a,b,c")
    told = []

    async def ask() -> None:
        told.append(await drawings.svg(code))

    async with anyio.create_task_group() as viewers:
        for _ in range(100):
            viewers.start_soon(ask)
    assert len(code.drawn) == 1
    assert told == [code.svg()] * 100


async def test_a_viewer_that_leaves_does_not_take_the_drawing_along() -> None:
    """The next one draws it, and nobody waits for ever."""
    drawings, code = Drawings(), Counted(payload="2@a,b,c")
    with anyio.CancelScope() as scope:
        scope.cancel()
        await drawings.svg(code)
    assert scope.cancelled_caught
    assert await drawings.svg(code) == code.svg()


async def test_drawings_go_with_their_codes() -> None:
    """No image of an expired code is kept."""
    drawings = Drawings()
    codes = [Counted(payload=f"2@{number}") for number in range(10)]
    drawn = [weakref.ref(await drawings.svg(code)) for code in codes]
    gc.collect()
    assert all(drawing() for drawing in drawn)
    codes.clear()
    gc.collect()
    # The thread that drew the last one may refer to it until it draws another.
    assert sum(drawing() is not None for drawing in drawn) <= 1

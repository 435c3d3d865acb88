"""Encoding an event once for all who watch."""

from __future__ import annotations

import gc
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from weakref import ref

import anyio
import pytest

from plugchat_async import Failed, QRCode, ShowingCode
from plugchat_async.fastapi._encoded_events import EncodedEvents
from plugchat_async.fastapi._events import Drawings

if TYPE_CHECKING:
    from plugchat_async.fastapi._encoded_events import EncodedEvent

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Let moments pass when the test says so."""
    return virtual_time


def of(events: EncodedEvents, version: str = "1") -> EncodedEvent:
    """Return the event of a code."""
    return events.of(ShowingCode(qr=QRCode(payload="2@a,b,c")), version, interval=15)


async def test_all_viewers_of_a_code_are_sent_the_same_bytes() -> None:
    """One who leaves while they are made does not take them along."""
    events, sent = EncodedEvents(Drawings()), list[bytes]()

    async def ask() -> None:
        sent.append(await of(events).encoded(anyio.current_time()))

    event = of(events)
    async with anyio.create_task_group() as viewers:
        for _ in range(3):
            viewers.start_soon(ask)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await ask()
    assert len(sent) == 3
    assert {id(each) for each in sent} == {id(await event.encoded(anyio.current_time()))}


async def test_a_late_viewer_is_told_what_is_left_of_the_code() -> None:
    """The event is encoded again."""
    event = of(EncodedEvents(Drawings()))
    first = await event.encoded(anyio.current_time())
    await anyio.sleep(0.2)
    later = await event.encoded(anyio.current_time())
    assert later != first
    assert len(later) >= len(first) / 2


async def test_a_late_viewer_is_told_what_is_left_until_the_next_try() -> None:
    """A failure is told for an hour, and its event is encoded again."""
    retry_at = datetime.now(UTC) + timedelta(seconds=30)
    failed = Failed(code="x", message="y", retry_at=retry_at)
    event = EncodedEvents(Drawings()).of(failed, "1", interval=15)

    async def told() -> Any:
        _, _, data = (await event.encoded(anyio.current_time())).partition(b"data: ")
        return json.loads(data.partition(b"\n")[0])

    first = await told()
    await anyio.sleep(0.2)
    later = await told()
    assert later["retry_at"] == first["retry_at"]
    assert later["retry_in"] < first["retry_in"]


async def test_an_event_is_kept_for_as_long_as_a_stream_refers_to_it() -> None:
    """Another state has another one, and no image of an expired code is kept."""
    events = EncodedEvents(Drawings())
    first = of(events)
    assert of(events) is first
    assert of(events, "2") is not first
    await first.encoded(anyio.current_time())
    is_kept = ref(first)
    del first
    gc.collect()
    assert not is_kept()

"""Ctrl-C while a command waits."""

from __future__ import annotations

import asyncio
import signal

import anyio
import pytest

from plugchat_async.cli import _event_loop

from .threads import in_a_thread

SECONDS = "plugchat_async.cli._event_loop._SECONDS_OF_ONE_INTERRUPTION"


@pytest.mark.parametrize(("seconds", "is_one"), [(60.0, True), (0.0, False)])
def test_signals_in_close_succession_are_one(
    monkeypatch: pytest.MonkeyPatch, seconds: float, *, is_one: bool
) -> None:
    """As from `timeout`, which signals the process and its group; a later one is another."""
    monkeypatch.setattr(SECONDS, seconds)
    reached: list[str] = []

    async def wait() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        reached.append("the clean-up")
        await anyio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        _event_loop.run(wait)
    assert reached == (["the clean-up"] if is_one else [])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_waits_until_the_event_loop_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is half made would write a line when it is collected."""
    make, reached = asyncio.new_event_loop, list[str]()

    def make_interrupted() -> asyncio.AbstractEventLoop:
        signal.raise_signal(signal.SIGINT)
        reached.append("the event loop")
        return make()

    monkeypatch.setattr(asyncio.events, "new_event_loop", make_interrupted)
    with pytest.raises(KeyboardInterrupt):
        _event_loop.run(anyio.sleep_forever)
    assert reached == ["the event loop"]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


def test_a_signal_that_is_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a shell's background job; what a command starts inherits that."""
    handlers = [signal.signal(signal.SIGINT, signal.SIG_IGN)]

    async def look() -> None:
        handlers.append(signal.getsignal(signal.SIGINT))

    _event_loop.run(look)
    signal.signal(signal.SIGINT, handlers[0])
    assert handlers[1] is signal.SIG_IGN


def test_an_embedder_s_thread_handles_no_signals() -> None:
    """Python would refuse to set a handler there."""

    async def add(one: int, other: int) -> int:
        return one + other

    assert in_a_thread(_event_loop.run, add, 2, 3) == 5

"""The room that a window has, if it is a window and its size is known."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from plugchat_async.cli._terminal.window import UNLIMITED, Size, window_size


@pytest.mark.parametrize(
    ("window", "size", "expected"),
    [
        ((80, 24), (80, 24), True),
        ((80, 24), (81, 24), False),
        ((80, 24), (80, 25), False),
        (UNLIMITED, (10_000, 10_000), True),
    ],
)
def test_a_window_has_room_for_what_is_no_larger(
    *, window: tuple[int, int], size: tuple[int, int], expected: bool
) -> None:
    """In both directions."""
    assert Size(*window).has_room_for(Size(*size)) is expected


@pytest.mark.parametrize(
    ("columns", "lines", "is_terminal", "expected"),
    [
        ("80", "24", True, (80, 24)),
        ("0", "0", True, UNLIMITED),
        ("80", "0", True, UNLIMITED),
        ("80", "24", False, UNLIMITED),
    ],
)
def test_the_size_of_a_window(
    *,
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
    lines: str,
    is_terminal: bool,
    expected: tuple[int, int],
) -> None:
    """What is not a window, or has no known size, limits nothing."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", lines)
    console = Console(file=io.StringIO(), force_terminal=is_terminal)
    assert window_size(console) == expected

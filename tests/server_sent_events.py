"""Reading the events that the page's server sends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def data_of(name: str, lines: Iterator[str]) -> dict[str, Any]:
    """Read on to the next event of a name, and return its data, a JSON object."""
    while next(lines) != f"event: {name}":
        pass
    data: dict[str, Any] = json.loads(next(lines).removeprefix("data: "))
    return data

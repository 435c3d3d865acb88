"""The room that a window has."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console


class Size(NamedTuple):
    """Columns and rows, of a window or of what is drawn in it."""

    columns: int
    rows: int

    def plus(self, *, columns: int = 0, rows: int = 0) -> Size:
        """Return the size with some columns or rows more."""
        return Size(self.columns + columns, self.rows + rows)

    def has_room_for(self, size: Size) -> bool:
        """Return whether something of a size is whole in a window of this one."""
        return self.columns >= size.columns and self.rows >= size.rows


UNLIMITED = Size(sys.maxsize, sys.maxsize)


def window_size(console: Console) -> Size:
    """Return the size of the console's window; `UNLIMITED` if it has none or it is unknown."""
    size = Size(*shutil.get_terminal_size((0, 0)))  # Rich knows none of a dumb terminal
    return size if console.is_terminal and all(size) else UNLIMITED

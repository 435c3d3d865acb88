"""Standard output as a window: its characters, colours and size."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import NamedTuple

from plugchat_async.cli._output.stderr import allows_colors, is_dumb


class Size(NamedTuple):
    """Columns and rows of a window or of a drawing."""

    columns: int
    rows: int

    def __str__(self) -> str:
        return f"{self.columns} x {self.rows}"

    def has_room_for(self, size: Size) -> bool:
        """Return whether a window of this size has room for something of a size."""
        return self.columns >= size.columns and self.rows >= size.rows


UNLIMITED = Size(sys.maxsize, sys.maxsize)


@dataclass(frozen=True, slots=True)
class Window:
    """Standard output, which may be a terminal's window.

    Attributes:
        is_terminal: Whether it is a terminal.
        has_colors: Whether black and white can be set, whatever the theme.
        encoding: The encoding of its characters.
    """

    is_terminal: bool
    has_colors: bool
    encoding: str

    @property
    def size(self) -> Size:
        """Its current size; `UNLIMITED` if it has none or it is unknown."""
        size = Size(*shutil.get_terminal_size((0, 0)))
        return size if self.is_terminal and all(size) else UNLIMITED

    @property
    def is_redrawn(self) -> bool:
        """Whether codes replace each other; else they follow each other."""
        return self.is_terminal and not is_dumb() and self.size != UNLIMITED

    def encodes(self, characters: str) -> bool:
        """Return whether the terminal's encoding has characters."""
        try:
            characters.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True


def standard_output() -> Window:
    """Return the window of this process; only a real terminal gets escape sequences."""
    is_terminal = sys.stdout.isatty()
    return Window(
        is_terminal=is_terminal,
        has_colors=is_terminal and allows_colors() and not _is_old_windows(),
        encoding=sys.stdout.encoding or "ascii",
    )


def draws_sextants() -> bool:
    """Return whether the terminal is known to draw sextants itself, whatever its font.

    By their source: kitty from 0.19.3, foot, Ghostty, VTE from 0.64 and WezTerm from 2021-08-14.
    Windows Terminal does not (https://github.com/microsoft/terminal/pull/19841), and Alacritty,
    which does from 0.14, names no version. Inside of a multiplexer the variables may be those of
    another terminal.
    """
    get = os.environ.get
    term, program = get("TERM", ""), get("TERM_PROGRAM", "")
    if get("TMUX") or get("STY") or term.startswith(("tmux", "screen")):
        return False
    if term in {"xterm-kitty", "xterm-ghostty"} or term.startswith("foot") or program == "ghostty":
        return True
    if program == "WezTerm":
        return get("TERM_PROGRAM_VERSION", "") >= "20210814"
    vte = get("VTE_VERSION", "")
    return vte.isdecimal() and int(vte) >= 6400


def lacks_sextants() -> bool:
    """Return whether the terminal is known to have no sextants: a console's font has 512 glyphs."""
    return is_dumb() or os.environ.get("TERM", "") in {"linux", "vt100", "vt220"}


def _is_old_windows() -> bool:
    if os.name != "nt":
        return False
    from rich.console import detect_legacy_windows

    return detect_legacy_windows()

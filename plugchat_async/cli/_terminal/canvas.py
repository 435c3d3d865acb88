"""Standard output as a canvas for codes: the forms that it can show, and those it has room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._texts import text

from .drawing import ASCII, HALF_BLOCKS, SEXTANTS, draw, drawn_sizes
from .window import UNLIMITED, Size, draws_sextants, lacks_sextants

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plugchat_async import QRCode

    from .drawing import Drawing, Form
    from .window import Window

# The most characters of a symbol of 57 modules, the size for WhatsApp's payloads, which have 237:
# its room is checked before a code is requested.
_FORESEEN_PAYLOAD_SIZE = 271

# A line above the code, and two below it: a countdown or the cursor, and a note.
ROWS_AROUND = 3
# What each line of words with a code takes at most, in either language, unless a path is in it: a
# second row would push the code out.
COLUMNS_AROUND = 60
# What a countdown takes; beside the code, a note may break. Both have room in 120 columns.
COLUMNS_BESIDE = 55
GAP = 4


def with_few_words(drawing: Size, rows: int = ROWS_AROUND) -> Size:
    """Return the least size of a window for a drawing of a size, with rows of words around it."""
    return Size(max(drawing.columns, COLUMNS_AROUND), drawing.rows + rows)


def beside_words(drawing: Size, rows: int = 0) -> Size:
    """Return the least size of a window for a drawing of a size, with rows of words beside it."""
    return Size(drawing.columns + GAP + COLUMNS_BESIDE, max(drawing.rows, rows))


def scan_this(columns: int) -> str:
    """Return what to open on the phone, on a line of some columns."""
    words = text("screen.scan_this")
    return words if len(words) <= columns else text("screen.scan_this_briefly")


def inverted(columns: int) -> str:
    """Return what a code without colours needs on a light theme, on a line of some columns."""
    words = text("screen.inverted")
    return words if len(words) <= columns else text("screen.inverted_briefly")


@dataclass(frozen=True, slots=True)
class Canvas:
    """Window, and the forms that it can show, the best one first."""

    window: Window
    forms: tuple[Form, ...]

    @classmethod
    def of(cls, window: Window, *, ascii_only: bool = False, compact: bool = False) -> Self:
        """Choose the form: ASCII or sextants if the user wants one, else what suits the window.

        Raises:
            Failure: The user wants sextants, which can't be shown.
        """
        if compact:
            if reason := _why_no_sextants(window):
                raise Failure("compact_impossible", reason=reason)
            return cls(window, (SEXTANTS,))
        if ascii_only or not window.encodes(HALF_BLOCKS.inks):
            return cls(window, (ASCII,))
        is_known = window.is_terminal and window.encodes(SEXTANTS.inks) and draws_sextants()
        return cls(window, (HALF_BLOCKS, SEXTANTS) if is_known else (HALF_BLOCKS,))

    def draw(self, code: QRCode) -> tuple[Drawing, ...]:
        """Draw a code in each form with each quiet zone, the best one first.

        One that is longer than foreseen may have room in sextants only, at last.
        """
        is_longer = len(code.payload) > _FORESEEN_PAYLOAD_SIZE and HALF_BLOCKS in self.forms
        forms = (*self.forms, SEXTANTS) if is_longer and self._may_be_compact else self.forms
        return tuple(draw(code, forms, has_colors=self.window.has_colors))

    def fitting(self, drawings: Iterable[Drawing], rows: int = ROWS_AROUND) -> Drawing | None:
        """Return the first drawing with room for it and rows of words around it; else None."""
        size = self.window.size
        fits = (each for each in drawings if size.has_room_for(with_few_words(each.size, rows)))
        return next(fits, None)

    def words_above(self, words: Sequence[str], rows: int) -> Sequence[str]:
        """Return the words that have room above some rows: the first ones give way.

        More rows than the window has would scroll them off.
        """
        return words[max(0, len(words) + rows - self.window.size.rows) :]

    def sizes(self, drawings: Iterable[Drawing] = ()) -> tuple[Size, ...]:
        """Return the sizes of the last code's drawings, before the first one the foreseen ones."""
        sizes = tuple(each.size for each in drawings)
        return sizes or drawn_sizes(_FORESEEN_PAYLOAD_SIZE, self.forms)

    def has_room(self, drawings: Iterable[Drawing] = ()) -> bool:
        """Return whether a code like the last one, or a usual one, will have room on a screen."""
        sizes = self.sizes(drawings)
        beside = map(beside_words, sizes) if self.window.is_redrawn else ()
        return self._has_room_below(sizes) or any(map(self.window.size.has_room_for, beside))

    def check_room(self, *ways: str) -> None:
        """Check that a code will have room, below words, before it is requested.

        Raises:
            Failure: It has none. The size that it takes and the other ways are named.
        """
        size = self.window.size
        if size != UNLIMITED and not self._has_room_below(sizes := self.sizes()):
            needed, others = with_few_words(sizes[-1]), self.other_ways(*ways)
            raise Failure("window_too_small", needed=needed, window=size, ways=others)

    def other_ways(self, *ways: str, code: QRCode | None = None) -> str:
        """Return other ways to get a code than in these forms, as options.

        With them go sextants, if a code as long as this one, or a usual one, has room in them.
        """
        length = len(code.payload) if code else _FORESEEN_PAYLOAD_SIZE
        has_room = self._may_be_compact and self._has_room_below(drawn_sizes(length, (SEXTANTS,)))
        return ", ".join(["--compact", *ways] if ways and has_room else ways)

    def _has_room_below(self, sizes: tuple[Size, ...]) -> bool:
        return any(map(self.window.size.has_room_for, map(with_few_words, sizes)))

    @property
    def _may_be_compact(self) -> bool:
        return SEXTANTS not in self.forms and not _why_no_sextants(self.window)


def _why_no_sextants(window: Window) -> str:
    """Return the reason for which a window can't show sextants; empty if it may."""
    if not window.encodes(SEXTANTS.inks):
        return text("compact.encoding", encoding=window.encoding)
    return text("compact.terminal") if window.is_terminal and lacks_sextants() else ""

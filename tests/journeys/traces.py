"""Keep what a run leaves: whatever somebody else could read later."""

from __future__ import annotations

import logging
import pickle
import sys
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.traceback import Traceback

from .leaks import Search

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from .leaks import Leak

_LOGGERS = (
    *("aiohttp", "asyncio", "hpack", "httpcore", "httpcore2", "httpx", "httpx2"),
    *("plugchat_async", "uvicorn"),
)


class Traces:
    """Keep lines of text, each with the places where it was left, and know the secrets.

    It shows neither by its own repr, so that it may stand in a frame that is walked.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = dict(secrets)
        self._lines: dict[str, set[str]] = {}

    def hide(self, name: str, secret: str) -> None:
        """Know one more secret."""
        self._secrets[name] = secret

    def add(self, place: str, left: str | bytes) -> None:
        """Keep a text."""
        text = left.decode("utf-8", "replace") if isinstance(left, bytes) else left
        for line in text.splitlines():
            self._lines.setdefault(line, set()).add(place)

    def add_object(self, shown: object) -> None:
        """Keep what an object tells of itself."""
        name = type(shown).__name__
        self.add(f"str of {name}", f"{shown}")
        self.add(f"repr of {name}", repr(shown))

    def add_error(self, error: BaseException) -> None:
        """Keep what an error shows to a log, a crash reporter and another process."""
        name = type(error).__name__
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            self.add(f"pickle of {name}", pickle.dumps(error, protocol))
        for each in _chain(error):
            self.add_object(each)
            self.add(f"variables of {type(each).__name__}", repr(vars(each)))
        described = traceback.TracebackException.from_exception(error, capture_locals=True)
        self.add(f"traceback of {name}", "".join(described.format()))
        self.add(f"traceback of {name} by Rich", _by_rich(error))
        self._add_frames(error)

    def add_files(self, folder: Path) -> None:
        """Keep the files in a folder, with their names."""
        for path in filter(Path.is_file, folder.rglob("*")):
            self.add("a file's name", str(path.relative_to(folder)))
            self.add(f"the file {path.name}", path.read_bytes())

    def leaks(self) -> dict[str, set[Leak]]:
        """Return the places with a secret: which one, and how it is spelled there."""
        search = Search(self._secrets)
        found: dict[str, set[Leak]] = {}
        for line, places in self._lines.items():
            if leaks := search.leaks(line):
                for place in places:
                    found.setdefault(place, set()).update(leaks)
        return found

    def _add_frames(self, error: BaseException) -> None:
        """Walk the frames as crash reporters do: the whole of each variable."""
        for each in _chain(error):
            for frame, _ in traceback.walk_tb(each.__traceback__):
                place = f"frame of {frame.f_code.co_filename}, {frame.f_code.co_name}"
                for value in frame.f_locals.values():
                    self.add(place, repr(value))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            yield link
            links += [link.__cause__, link.__context__]


def _by_rich(error: BaseException) -> str:
    """Draw the locals of all frames as `rich.traceback` does, without the sources around them."""
    extracted = Traceback.extract(
        type(error),
        error,
        error.__traceback__,
        show_locals=True,
        locals_max_length=sys.maxsize,
        locals_max_string=sys.maxsize,
        locals_hide_dunder=False,
    )
    return "\n".join(
        f"{stack.exc_value}\n{local}"
        for stack in extracted.stacks
        for frame in stack.frames
        for local in (frame.locals or {}).values()
    )


class _Ear(logging.Handler):
    def __init__(self, traces: Traces) -> None:
        super().__init__(logging.DEBUG)
        self._traces = traces

    def emit(self, record: logging.LogRecord) -> None:
        place = f"log of {record.name}"
        self._traces.add(place, self.format(record))
        self._traces.add(place, repr(vars(record)))


@contextmanager
def recording(secrets: Mapping[str, str]) -> Generator[Traces]:
    """Keep what is logged, by every logger, and what is warned of."""
    traces = Traces(secrets)
    ear = _Ear(traces)
    loggers = [logging.getLogger(name) for name in ("", *_LOGGERS)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    loggers[0].addHandler(ear)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield traces
    finally:
        loggers[0].removeHandler(ear)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    for warning in caught:
        traces.add("a warning", str(warning.message))

"""The soak's options, and its audit: `nox -s soak -- --seed 7 --ledger FILE`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from .held import Held
from .ledger import summary
from .rules import violations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .ledger import Session


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the options that `nox -s soak` hands on."""
    group = parser.getgroup("soak")
    group.addoption("--seed", type=int, help="what the soak is drawn from, else by chance")
    group.addoption("--ledger", type=Path, help="a file to add a line of JSON to, for each session")


class Audit(Protocol):
    """Await a soak, check its ledger, and count what is held afterwards."""

    async def __call__(self, soak: Awaitable[list[Session]], *, at_least: int) -> Held: ...


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """Give what all is drawn from: always the same if the whole suite is run."""
    chosen: int | None = pytestconfig.getoption("--seed", default=None)
    if chosen is not None:
        return chosen
    return secrets.randbelow(1_000_000) if pytestconfig.getoption("-m") == "soak" else 1


@pytest.fixture
def file_away(pytestconfig: pytest.Config, seed: int) -> Callable[[list[Session]], None]:
    """Give a way to print the ledger's counts, and to keep its lines if a file was named."""
    file: Path = pytestconfig.getoption("--ledger", default=None) or Path(os.devnull)

    def file_away(sessions: list[Session]) -> None:
        print(f"drawn from the seed {seed}", summary(sessions), sep="\n")  # noqa: T201
        with file.open("a", encoding="utf-8") as lines:
            lines.writelines(f"{session.line()}\n" for session in sessions)

    return file_away


@pytest.fixture
def audit(file_away: Callable[[list[Session]], None]) -> Audit:
    """Give a way to audit a soak."""

    async def audit(soak: Awaitable[list[Session]], *, at_least: int) -> Held:
        before = Held.now()
        ledger = await soak
        file_away(ledger)
        assert [violation for session in ledger for violation in violations(session)] == []
        assert len(ledger) >= at_least
        assert {session.number for session in ledger} == set(range(1, len(ledger) + 1))
        del ledger
        return Held.now().left_since(before)

    return audit

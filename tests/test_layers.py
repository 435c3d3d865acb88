"""Imports run downwards only, through the doors that there are, and in no circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import plugchat_async

from .layers import ENTERED_BY, ENTERS, LAYERS, ROOMS, table

PACKAGE = Path(plugchat_async.__file__).parent
ROOT = Path(__file__).parents[1]
NAME = "plugchat_async"

ORDER = [module for layer in LAYERS for module in layer.modules]


def module_of(path: Path) -> str:
    """Return the name under which a file of the package is imported."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(module: str, source: str, *, is_package: bool) -> Iterator[str]:
    """Give each module of the package that a source imports, wherever in it that is."""
    around = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = around[: len(around) + 1 - node.level] if node.level else []
            origin = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                submodule = f"{origin}.{alias.name}"
                yield submodule if submodule in FILES else origin


IMPORTS = {
    module: {
        imported
        for imported in imports_of(
            module, path.read_text("utf-8"), is_package=path.name == "__init__.py"
        )
        if imported.partition(".")[0] == NAME
    }
    for module, path in FILES.items()
}


def top(module: str) -> str:
    """Return the module or subpackage at the top level that a module belongs to."""
    return module.split(".")[1] if "." in module else "__init__"


ARROWS = sorted(
    {
        (top(module), top(imported))
        for module, imports in IMPORTS.items()
        for imported in imports
        if top(module) != top(imported)
    }
)


@pytest.mark.parametrize(
    ("statement", "imported"),
    [
        ("import plugchat_async._wire", "plugchat_async._wire"),
        ("from plugchat_async import AsyncPlugChat", "plugchat_async"),
        ("from plugchat_async._http import pool", "plugchat_async._http.pool"),
        ("from . import _texts", "plugchat_async.cli._texts"),
        ("from .. import _wire", "plugchat_async._wire"),
        ("from .._http.pool import Pool", "plugchat_async._http.pool"),
        ("def call():\n    from ._texts import Texts", "plugchat_async.cli._texts"),
        ("if TYPE_CHECKING:\n    from ._texts import Texts", "plugchat_async.cli._texts"),
    ],
)
def test_every_way_to_import_is_read(statement: str, imported: str) -> None:
    """Relative or absolute, in a function, or for a type checker alone."""
    assert [*imports_of("plugchat_async.cli._qr", statement, is_package=False)] == [imported]


def test_every_module_has_a_layer() -> None:
    """A module that is new is put into the order, and one that is gone is taken out."""
    assert sorted(ORDER) == sorted({top(module) for module in FILES})


@pytest.mark.parametrize(("importing", "imported"), ARROWS)
def test_imports_run_downwards(importing: str, imported: str) -> None:
    """A module imports only from those after it in the order of layers."""
    assert ORDER.index(importing) < ORDER.index(imported)


def room(module: str) -> str:
    """Return the subpackage of the command that a module belongs to, or the module's own name."""
    return module.removeprefix(f"{NAME}.cli.").partition(".")[0]


@pytest.mark.parametrize(
    ("importing", "imported"),
    sorted(
        {
            (room(module), room(imported))
            for module, imports in IMPORTS.items()
            for imported in imports
            if all(each.startswith(f"{NAME}.cli.") for each in (module, imported))
            and room(module) != room(imported)
        }
    ),
)
def test_imports_run_downwards_in_the_command(importing: str, imported: str) -> None:
    """A subpackage imports only from those after it."""
    assert ROOMS.index(importing) < ROOMS.index(imported)


def test_no_module_imports_itself_in_a_circle() -> None:
    """Nor do the modules inside a subpackage."""
    sorter = TopologicalSorter(IMPORTS)
    try:
        sorter.prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1]))


@pytest.mark.parametrize("subpackage", ENTERED_BY)
def test_a_subpackage_is_entered_by_its_doors(subpackage: str) -> None:
    """Nobody else imports from it."""
    assert {by for by, imported in ARROWS if imported == subpackage} == ENTERED_BY[subpackage]


@pytest.mark.parametrize("subpackage", ENTERS)
def test_the_sandbox_knows_the_sdk_by_its_public_names(subpackage: str) -> None:
    """Code that both shared would share its mistakes."""
    assert {imported for by, imported in ARROWS if by == subpackage} == ENTERS[subpackage]


def test_contributors_read_the_same_order() -> None:
    """The table for them is this one."""
    assert table() in (ROOT / "CONTRIBUTING.md").read_text("utf-8")

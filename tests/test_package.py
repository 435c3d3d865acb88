"""Public names of the package, and the cost of importing it."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import plugchat_async

PACKAGE = Path(plugchat_async.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize(
    "name",
    [
        "plugchat_async",
        "plugchat_async.fastapi",
        "plugchat_async.redis",
        "plugchat_async.sandbox",
        "plugchat_async.testing",
    ],
)
def test_every_public_name_is_there_and_listed_in_order(name: str) -> None:
    """`__all__` is sorted, and each of its names can be imported."""
    module = importlib.import_module(name)
    assert module.__all__ == sorted(module.__all__)
    assert all(hasattr(module, public) for public in module.__all__)


def test_each_public_class_and_function_explains_itself() -> None:
    """A docstring of a sentence stands on every public name and each of its public methods."""
    for name in plugchat_async.__all__:
        public = getattr(plugchat_async, name)
        if isinstance(public, type):
            methods = [vars(public)[each] for each in vars(public) if not each.startswith("_")]
            for each in [public, *filter(callable, methods)]:
                assert each.__doc__, each


def modules_loaded_by(statement: str) -> set[str]:
    """Import something in a fresh interpreter and return which packages that loaded."""
    code = f"{statement}; import json, sys; print(json.dumps(list(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return {module.partition(".")[0] for module in json.loads(run.stdout)}


def test_importing_the_package_leaves_the_rest_to_its_first_use() -> None:
    """The writers of segno, the retry library and everything of an extra stay unloaded."""
    late = {
        "coredis",
        "cryptography",
        "fastapi",
        "PIL",
        "segno",
        "starlette",
        "tenacity",
        "typer",
        "uvicorn",
        "zxingcpp",
    }
    loaded = modules_loaded_by("from plugchat_async import *")
    assert {"httpx", "pydantic"} <= loaded
    assert loaded & late == set()
    # httpx loads Rich if it finds it; the package adds nothing of the kind.
    assert "rich" not in loaded - modules_loaded_by("import httpx")


def test_public_names_are_imported_at_their_first_use() -> None:
    """The command's help needs none of them."""
    assert modules_loaded_by("import plugchat_async").isdisjoint({"httpx", "pydantic"})


def test_a_name_that_is_not_public() -> None:
    """It is missing as from any module."""
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec("from plugchat_async import Nothing")
    assert not hasattr(plugchat_async, "nothing")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_time_and_tasks_go_through_anyio(path: Path) -> None:
    """No module uses asyncio or trio directly, so that both serve."""
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    # anyio has no task that outlives the one that starts it.
    allowed = {"trio"} if path.stem == "_background" else set()
    assert imported & {"asyncio", "trio"} == allowed

"""Public names of the package, and its message if FastAPI is missing."""

from __future__ import annotations

import importlib
import sys

import pytest

import plugchat_async.fastapi


def test_each_public_name_explains_itself() -> None:
    """The router, and what it is given."""
    for name in plugchat_async.fastapi.__all__:
        assert getattr(plugchat_async.fastapi, name).__doc__, name


@pytest.mark.parametrize("missing", ["fastapi", "fastapi.sse", "itsdangerous", "jinja2"])
def test_without_the_extra_the_import_names_it(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Even if FastAPI is there, but from before it had server-sent events."""
    for name in [name for name in sys.modules if name.startswith("plugchat_async.fastapi")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"Jinja2 \(extra \[fastapi\]\): pip install "):
        importlib.import_module("plugchat_async.fastapi")

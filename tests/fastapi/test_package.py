"""What the package hands out, and what it says where FastAPI is missing."""

from __future__ import annotations

import importlib
import sys

import pytest

import plugchat_async.fastapi


def test_the_router_is_all_there_is() -> None:
    """One public name, and it is listed."""
    assert plugchat_async.fastapi.__all__ == ["pairing_router"]
    assert plugchat_async.fastapi.pairing_router.__doc__


@pytest.mark.parametrize("missing", ["fastapi", "fastapi.sse", "jinja2"])
def test_without_the_extra_the_import_names_it(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Also where FastAPI is there, but from before it had server-sent events."""
    for name in [name for name in sys.modules if name.startswith("plugchat_async.fastapi")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"Jinja2 \(extra \[fastapi\]\): pip install "):
        importlib.import_module("plugchat_async.fastapi")

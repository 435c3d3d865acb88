"""Message of the import if a package of the extra is missing."""

from __future__ import annotations

import importlib
import sys

import pytest


@pytest.mark.parametrize("missing", ["coredis", "cryptography"])
def test_without_the_extra_the_import_names_it(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Also if only one of its packages is there."""
    for name in [name for name in sys.modules if name.startswith("plugchat_async.redis")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith(f"{missing}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"cryptography \(extra \[redis\]\): pip install "):
        importlib.import_module("plugchat_async.redis")

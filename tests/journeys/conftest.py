"""Leave out the bots where their libraries are missing: `nox -s journeys` installs them."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("aiogram") and find_spec("discord") else ["test_*_bot.py"]

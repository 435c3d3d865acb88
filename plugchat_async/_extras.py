"""How to add a missing extra to an installation."""

from __future__ import annotations

import json
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution


def missing(feature: str, packages: str, extra: str) -> str:
    """Return the message of an `ImportError`.

    Args:
        feature: What can't work, as the subject of the sentence.
        packages: Which packages it needs.
        extra: The extra that installs them.
    """
    return f"{feature} needs {packages} (extra [{extra}]): {install_command(extra)}"


def install_command(extra: str) -> str:
    """Return the command that installs the package with an extra, from where it came from."""
    return f'pip install "plugchat-async[{extra}]{_origin()}"'


def _origin() -> str:
    # PEP 610: a package index leaves no record, so a release is named by its name alone.
    with suppress(PackageNotFoundError):  # imported from a folder that was never installed
        if record := distribution("plugchat-async").read_text("direct_url.json"):
            source = json.loads(record)
            if vcs := source.get("vcs_info"):
                return f" @ {vcs['vcs']}+{source['url']}@{vcs['commit_id']}"
            return f" @ {source['url']}"
    return ""

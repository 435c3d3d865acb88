"""Environment variables that replace arguments left out."""

from __future__ import annotations

import os

from pydantic import SecretStr

TOKEN_VARIABLE = "PLUGCHAT_TOKEN"  # noqa: S105 - a variable's name
BASE_URL_VARIABLE = "PLUGCHAT_BASE_URL"


def token() -> SecretStr:
    """Return the token of the environment.

    Raises:
        ValueError: There is none.
    """
    found = SecretStr(os.environ.get(TOKEN_VARIABLE, ""))
    if not found.get_secret_value().strip():
        raise ValueError(
            f"no token: pass token=... or set the environment variable {TOKEN_VARIABLE}"
        )
    return found


def base_url() -> str | None:
    """Return the base URL of the environment, if there is one."""
    return os.environ.get(BASE_URL_VARIABLE, "").strip() or None

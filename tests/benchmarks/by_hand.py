"""The code that a user would write without this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


async def fetch_by_hand(client: httpx.AsyncClient, url: str) -> str:
    """Ask for a code and read it, without a deadline, a retry or a check."""
    response = await client.get(url, headers={"Authorization": "token"})
    payload: str = response.json()["value"]
    return payload

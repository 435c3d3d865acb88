"""Clean-up that neither a cancellation nor a silent peer can hold up."""

from __future__ import annotations

from typing import Protocol

import anyio


class Closable(Protocol):
    """A resource that holds a connection."""

    async def aclose(self) -> None:
        """Give the connection up."""
        ...


async def close(resource: Closable) -> None:
    """Close a resource within a second, whatever is being cancelled."""
    with anyio.move_on_after(1, shield=True):
        await resource.aclose()

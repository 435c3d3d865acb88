"""A sandbox whose phone scans by itself what goes out over the wire."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from plugchat_async import QRImage
from plugchat_async._wire import Answer, Picture, Text, read_code
from plugchat_async.sandbox import Sandbox

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send


class SandboxWithPhone(Sandbox):
    """Scan each code some seconds after it was asked for.

    Images are read with the extra `[decode]`; without it the phone passes them by.

    Args:
        scan_after: The seconds; None leaves the phone in the drawer.
    """

    def __init__(self, scan_after: float | None) -> None:
        super().__init__()
        self._scan_after = scan_after
        self._seen: deque[tuple[float, str]] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and look at what was answered."""
        body = bytearray()

        async def watched(message: Message) -> None:
            body.extend(message.get("body", b""))
            await send(message)

        await super().__call__(scope, receive, watched)
        if self._scan_after is not None:
            payload = await _read(bytes(body))
            if payload is not None:
                self._seen.append((anyio.current_time() + self._scan_after, payload))

    def scan_what_is_due(self) -> bool:
        """Scan the codes whose time has come.

        Returns:
            Whether that linked a phone.
        """
        is_linked = False
        while self._seen and self._seen[0][0] <= anyio.current_time():
            _, payload = self._seen.popleft()
            is_linked |= self.scan(payload)
        return is_linked


async def _read(body: bytes) -> str | None:
    found = read_code(Answer(200, body, datetime.now(UTC)), str)
    if isinstance(found, Text):
        return found.payload
    if not isinstance(found, Picture):
        return None
    image = QRImage(data=found.data, media_type=found.media_type)
    try:
        return (await anyio.to_thread.run_sync(image.decode)).payload
    except ImportError:
        return None

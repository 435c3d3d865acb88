"""The sandbox behind a bad network, with a record of what passes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio

from plugchat_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Receive, Scope, Send

    from .ledger import Session
    from .scripts import Pace


class UnreliableSandbox(Sandbox):
    """A sandbox that responds late and wrongly, as the script of a call's session says.

    Attributes:
        sessions: The current session of each token; calls of other tokens pass unchanged.
    """

    def __init__(self, *, clock: Callable[[], float], pace: Pace) -> None:
        super().__init__(clock=clock)
        self._unit = pace.unit
        self.sessions: dict[str, Session] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        token = dict(scope["headers"])[b"authorization"].decode()
        session = self.sessions.get(token)
        if session is None:
            return await super().__call__(scope, receive, send)
        endpoint = scope["path"].removeprefix("/api/whatsapp")
        is_answered = False
        heads: list[Message] = []

        async def note_and_send(message: Message) -> None:
            nonlocal is_answered
            if message["type"] == "http.response.start":
                # Kept until the note is written: a response without a body is whole by its head.
                heads.append(message)
                return
            is_answered = True
            session.note("answered", endpoint, self._name(token, message["body"]))
            await send(heads.pop())
            await send(message)

        session.note("asked", endpoint)
        mishap = session.script.mishap(endpoint)
        try:
            await anyio.sleep(mishap.delay * self._unit)
            if mishap.response is not None:
                self.answer_next(mishap.response, endpoint=endpoint, token=token)
            await super().__call__(scope, receive, note_and_send)
        finally:
            if not is_answered:
                session.note("unanswered", endpoint)

    def _name(self, token: str, body: bytes) -> str:
        """Return the name of the last response; of the usual status also its value."""
        name = next(call.answer for call in reversed(self.calls) if call.token == token)
        if name != "status":
            return name
        return "status connected" if json.loads(body)["connected"] else "status not_connected"

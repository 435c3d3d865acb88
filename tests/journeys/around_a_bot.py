"""Surroundings of a bot of the documentation, whichever service it is for."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
from aiohttp import web

from plugchat_async import AsyncPlugChat, PairingHub
from plugchat_async.sandbox import Sandbox
from tests.camera import read_code
from tests.eventually import eventually
from tests.keyword_arguments import HubArguments

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from types import ModuleType
    from typing import Unpack

    from starlette.types import Receive, Scope, Send


T = TypeVar("T")

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

ANA, BIA, STRANGER = 11, 22, 33
LANGUAGES = {ANA: "pt-BR", BIA: "en-US", STRANGER: "pt-BR"}
AGAIN = "Gerar novo QR Code"
FAILURES = [
    ("unauthorized", "O PlugChat recusou o token deste bot"),
    ("passkey", "O WhatsApp pediu uma chave de acesso"),
    ("bad_request", "Não foi possível gerar um QR Code"),
]
"""Responses of PlugChat, each with the first words of the message that a person gets."""


def load_example(name: str) -> ModuleType:
    """Load a bot as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look annotations up in the module of their name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class Shown:
    """A message as a person sees it."""

    id: int
    text: str
    image: bytes | None
    buttons: dict[str, str]

    def code(self) -> str:
        """Read the image as a phone would."""
        assert self.image is not None
        return read_code(self.image)


@dataclass
class Service:
    """Messages of a service as people see them, and an event for changes.

    Attributes:
        screens: The messages that each person or group sees, by their ids.
        history: Each message as it was when it came or changed, whatever became of it.
        announcement: The words that an image is about to replace.
    """

    screens: dict[int, dict[int, Shown]] = field(default_factory=dict)
    history: list[Shown] = field(default_factory=list)
    announcement: str | None = None
    changed: anyio.Event = field(default_factory=anyio.Event)

    def remember(self, shown: Shown) -> None:
        """Keep a message as it is now."""
        self.history.append(replace(shown))

    def deletes(self, person: int) -> None:
        """Delete all messages."""
        self.screens[person].clear()

    def messages(self, person: int) -> list[Shown]:
        """Look at what a person sees."""
        return list(self.screens.get(person, {}).values())

    def image(self, person: int) -> Shown | None:
        """Look for an image."""
        images = [shown for shown in self.messages(person) if shown.image]
        return images[-1] if images else None

    async def image_for(self, person: int, *, other_than: str = "") -> Shown:
        """Wait for an image of a code, or of another code."""

        def new() -> Shown | None:
            shown = self.image(person)
            return shown if shown is not None and shown.code() != other_than else None

        return await self.until(new)

    async def words_for(self, person: int, *, after: int = 0) -> Shown:
        """Wait until somebody sees words without an image."""

        def said() -> Shown | None:
            last = self.messages(person)[-1:]
            is_said = last and not last[0].image and last[0].text != self.announcement
            return last[0] if is_said and last[0].id > after else None

        shown = await self.until(said)
        assert self.image(person) is None
        return shown

    async def until(self, holds: Callable[[], T | None]) -> T:
        """Wait for something to be seen."""
        with anyio.fail_after(60):
            while not (found := holds()):
                await self.changed.wait()
        return found

    def wake(self) -> None:
        """Let everybody look again."""
        self.changed.set()
        self.changed = anyio.Event()


@asynccontextmanager
async def serving(application: web.Application) -> AsyncGenerator[str]:
    """Serve a stand-in over a socket, and give its host and port."""
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "{}:{}".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


class HoldableSandbox(Sandbox):
    """A sandbox that sends no response while it is held."""

    is_held = False
    holds_a_request = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond, once it is not held."""
        while self.is_held:
            self.holds_a_request = True
            await anyio.sleep(0.01)
        await super().__call__(scope, receive, send)


@asynccontextmanager
async def serving_plugchat(
    **options: Unpack[HubArguments],
) -> AsyncGenerator[tuple[HoldableSandbox, PairingHub, AsyncPlugChat]]:
    """Serve a sandbox to a hub whose sessions take little time and end with their last viewer."""
    arguments: HubArguments = {"interval": 20, "status_interval": 0.05, "linger": 0, **options}
    sandbox = HoldableSandbox()
    async with (
        sandbox.serve() as base_url,
        AsyncPlugChat("the-token-of-the-instance", base_url=base_url) as client,
        PairingHub(**arguments) as hub,
    ):
        yield sandbox, hub, client


@dataclass
class World:
    """All that takes part in a test, but for the service."""

    sandbox: HoldableSandbox
    hub: PairingHub
    client: AsyncPlugChat

    async def until_held(self) -> None:
        """Wait until a request has come to a sandbox that is held."""
        await eventually(lambda: self.sandbox.holds_a_request)

    async def until_left(self) -> None:
        """Wait until nobody watches, and so no further code is requested."""
        await eventually(lambda: repr(self.hub).endswith(" 0 watchers>"))

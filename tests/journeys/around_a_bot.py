"""What stands around a bot of the documentation, whichever service it is for."""

from __future__ import annotations

import importlib.util
import io
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import zxingcpp
from aiohttp import web
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from plugchat_async import AsyncPlugChat, PairingHub
    from plugchat_async.sandbox import Sandbox

T = TypeVar("T")

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def load_example(name: str) -> Any:
    """Load a bot as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Shown:
    """A message as a person sees it."""

    id: int
    text: str
    picture: bytes | None
    buttons: dict[str, str]

    def code(self) -> str:
        """Read the picture as a phone would."""
        assert self.picture is not None
        with Image.open(io.BytesIO(self.picture)) as picture:
            (code,) = zxingcpp.read_barcodes(
                picture,
                zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode),
                try_invert=False,
                text_mode=zxingcpp.TextMode.Plain,
            )
        return code.text


@dataclass
class Screens:
    """What people see of a service, and when it changes."""

    changed: anyio.Event = field(default_factory=anyio.Event)

    async def until(self, holds: Callable[[], T | None]) -> T:
        """Wait for something to be seen."""
        with anyio.fail_after(10):
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


@dataclass
class World:
    """All that takes part in a test, but for the service."""

    sandbox: Sandbox
    hub: PairingHub
    client: AsyncPlugChat

    async def until_left(self) -> None:
        """Wait until no codes are fetched any more."""
        with anyio.fail_after(10):
            while self.hub.state(self.client) is not None:  # noqa: ASYNC110 - a watcher would keep it
                await anyio.sleep(0.01)

"""One process with a hub, as its parent orders: `python one_process.py SOCKET`.

The first one imports all, and forks another for each line on its standard input: a dictionary of
`Orders`. Each connects to the parent's socket, where it takes commands and writes events, both as
lines of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio

from plugchat_async import AsyncPlugChat, Failed, PairingEnd, ShowingCode
from plugchat_async.redis import RedisPairingHub
from plugchat_async.redis._store import RedisStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import TaskGroup

    from plugchat_async.redis._record import Record
    from plugchat_async.redis._steps import Verdict

SECRET = "s" * 32


@dataclass
class Orders:
    """Orders that a process gets when it begins.

    Attributes:
        name: Its name.
        redis: The URL of the server.
        base_url: The URL of the API.
        loop: The event loop's name.
        secret: The secret of its hub.
        ahead: How many seconds its wall clock is ahead.
        dies: The moment at which it kills itself, such as "before reserve"; empty for none.
        last_words: A file that whoever dies makes, so that only one does.
        settings: Further arguments of the hub.
    """

    name: str
    redis: str
    base_url: str
    loop: str = "asyncio"
    secret: str = SECRET
    ahead: float = 0.0
    dies: str = ""
    last_words: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    def meet(self, moment: str) -> None:
        """Die, if this is the moment, and nobody else has."""
        if moment == self.dies:
            try:
                Path(self.last_words).touch(exist_ok=False)
            except FileExistsError:
                return
            os.kill(os.getpid(), signal.SIGKILL)


class MortalStore(RedisStore):
    """Store that dies before or after one of its steps."""

    orders: Orders

    async def _step(
        self, step: str, name: str, *arguments: str | int
    ) -> tuple[Verdict, Record | None, *tuple[int, ...]]:
        # A code, an ending that is told to the app, or one that watchers see.
        kind = f"{step} {arguments[3]}" if step == "write" else step
        self.orders.meet(f"before {kind}")
        reply = await super()._step(step, name, *arguments)
        self.orders.meet(f"after {kind}")
        return reply


class Process:
    """A hub, and its watchers by the tokens of their instances."""

    def __init__(self, orders: Orders, control: socket.socket) -> None:
        self._orders = orders
        self._control = control
        self._watching: dict[str, anyio.CancelScope] = {}

    async def run(self) -> None:
        """Do what comes, until it is to close."""
        orders = self._orders
        hub = RedisPairingHub(
            orders.redis, secret=orders.secret, on_end=self._end, **orders.settings
        )
        hub._store = store = MortalStore(orders.redis, prefix="plugchat")
        store.orders = orders
        client = AsyncPlugChat("-", base_url=orders.base_url, headers={"X-Process": orders.name})
        async with client:
            try:
                async with hub, anyio.create_task_group() as tasks:
                    self._tell("open")
                    async for command, token in self._commands():
                        self._take(command, hub, client.for_token(token, name=token), tasks)
                    tasks.cancel_scope.cancel()
            except ValueError as error:
                self._tell("refused", detail=str(error))
        self._tell("closed")

    async def _commands(self) -> AsyncGenerator[tuple[str, str]]:
        """Give commands and tokens, until it is to close, or the parent is gone."""
        rest = b""
        while True:
            *lines, rest = rest.split(b"\n")
            for line in lines:
                command, token = json.loads(line)
                if command == "close":
                    return
                yield command, token
            await anyio.wait_readable(self._control)
            if not (received := self._control.recv(65536)):
                return
            rest += received

    def _take(
        self, command: str, hub: RedisPairingHub, client: AsyncPlugChat, tasks: TaskGroup
    ) -> None:
        token = cast("str", client.name)
        if command == "watch":
            self._watching[token] = anyio.CancelScope()
            tasks.start_soon(self._watch, hub, client, self._watching[token])
        elif command == "leave":
            self._watching.pop(token).cancel()
        else:
            tasks.start_soon(hub.restart, client)

    async def _watch(
        self, hub: RedisPairingHub, client: AsyncPlugChat, scope: anyio.CancelScope
    ) -> None:
        with scope:
            async with hub.watch(client) as states:
                async for state in states:
                    code = state.qr if isinstance(state, ShowingCode) else None
                    self._tell(
                        "saw",
                        token=client.name,
                        session=states.version.partition("-")[0],
                        kind=state.code if isinstance(state, Failed) else state.kind,
                        round=0 if code is None else code.round,
                        payload="" if code is None else code.payload,
                        is_expired=code is not None and code.is_expired,
                    )

    async def _end(self, client: AsyncPlugChat, ending: PairingEnd) -> None:
        self._tell("told", token=client.name, detail=ending.model_dump_json())
        self._orders.meet("on_end")
        await anyio.sleep(0.05)

    def _tell(self, what: str, **about: object) -> None:
        """Write an event, which is with the parent before this process may die."""
        line = json.dumps({"process": self._orders.name, "what": what, **about})
        self._control.sendall(line.encode() + b"\n")


def set_clock(ahead: float) -> None:
    """Set the wall clock of this process, and of nothing else."""

    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, datetime)

    class Ahead(datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=ahead)

    for name, module in [*sys.modules.items()]:
        if name.startswith("plugchat_async") and getattr(module, "datetime", None) is datetime:
            module.datetime = Ahead  # type: ignore[attr-defined]  # it is not known which


def live(orders: Orders, address: str) -> None:
    """Run a process."""
    if orders.ahead:
        set_clock(orders.ahead)
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(address)
        control.sendall(json.dumps({"process": orders.name, "what": str(os.getpid())}).encode())
        control.sendall(b"\n")
        with suppress(BrokenPipeError):  # the parent has failed
            anyio.run(Process(orders, control).run, backend=orders.loop)


def main(address: str) -> None:
    """Fork a process for each line, until there is none."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # What the loops import when they begin is imported once.
    for backend in ("asyncio", "trio"):
        anyio.run(partial(anyio.sleep, 0), backend=backend)
    for line in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            live(Orders(**json.loads(line)), address)
            os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])

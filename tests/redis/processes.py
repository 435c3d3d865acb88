"""Several processes with hubs over one Redis, and a ledger of all that they did and saw."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
from anyio.abc import AsyncResource, SocketAttribute

from plugchat_async.sandbox import Sandbox
from tests.app_server import serve_plugchat
from tests.eventually import eventually

from . import one_process
from .one_process import Orders
from .redis_server import RedisServer, serve_redis

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence

    from anyio.abc import SocketStream, TaskGroup, TaskStatus, UNIXSocketStream
    from starlette.types import Receive, Scope, Send

LONGER_THAN_A_LEASE = 7.0
ENDINGS = {"connected", "expired", "failed"}


class Request(NamedTuple):
    """A request, by the process that made it and the moments of its begin and end."""

    process: str
    token: str
    endpoint: str
    began: float
    ended: float


class ObservedSandbox(Sandbox):
    """Sandbox that notes who asks, and takes its time.

    Attributes:
        under_way: The process, token and endpoint of each request that has not ended.
        requests: The requests that have.
        delay: Seconds until a response comes, by token and endpoint.
    """

    def __init__(self) -> None:
        super().__init__()
        self.under_way: list[tuple[str, str, str]] = []
        self.requests: list[Request] = []
        self.delay: dict[tuple[str, str], float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond after a while, unless the client is gone."""
        headers = dict(scope["headers"])
        process, token = headers[b"x-process"].decode(), headers[b"authorization"].decode()
        token, endpoint = token.removeprefix("Bearer "), scope["path"].rpartition("/")[2]
        request, began = (process, token, endpoint), time.monotonic()
        self.under_way.append(request)
        try:
            if not await _is_gone_within(self.delay.get((token, endpoint), 0.0), receive):
                await super().__call__(scope, receive, send)
        finally:
            self.under_way.remove(request)
            self.requests.append(Request(*request, began, time.monotonic()))

    def asker(self, token: str) -> str:
        """Return the process that asked for an instance last."""
        asked = [each.process for each in [*self.requests] if each.token == token]
        return asked[-1] if asked else ""


async def _is_gone_within(seconds: float, receive: Receive) -> bool:
    with anyio.move_on_after(seconds):
        while (await receive())["type"] != "http.disconnect":
            pass
        return True
    return False


class Wire:
    """Way from one process to its server, which may be cut or lead elsewhere."""

    def __init__(self, target: int) -> None:
        self.is_cut = False
        self.port = 0
        self._target = target
        self._streams: set[AsyncResource] = set()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Pass on what comes, until cancelled."""
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            self.port = listener.extra(SocketAttribute.local_port)
            task_status.started()
            await listener.serve(self._connect)

    async def lead_to(self, target: int) -> None:
        """Lead to another server, also who is connected to the former one."""
        self._target = target
        for stream in [*self._streams]:
            await stream.aclose()

    async def _connect(self, near: SocketStream) -> None:
        with suppress(OSError):  # the server is away
            async with near, await anyio.connect_tcp("127.0.0.1", self._target) as far:
                self._streams |= {near, far}
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._pass_on, near, far, tasks)
                    tasks.start_soon(self._pass_on, far, near, tasks)

    async def _pass_on(self, source: SocketStream, sink: SocketStream, tasks: TaskGroup) -> None:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                data = await source.receive()
                if not self.is_cut:  # as a network does: nothing is said
                    await sink.send(data)
        tasks.cancel_scope.cancel()


@dataclass
class Member:
    """A process, as its parent knows it.

    Attributes:
        is_alive: Whether it has neither died nor been closed.
        has_failed: Whether it was dead, stopped or cut off: what it told may be told by another.
        watches: Whether it has watchers.
        last: The latest state by token.
    """

    name: str
    wire: Wire
    pid: int = 0
    control: UNIXSocketStream | None = None
    is_alive: bool = True
    has_failed: bool = False
    watches: bool = True
    last: dict[str, str] = field(default_factory=dict)

    async def order(self, command: str, token: str = "-") -> None:
        """Send a command."""
        assert self.control is not None
        with suppress(anyio.BrokenResourceError):
            await self.control.send(json.dumps([command, token]).encode() + b"\n")

    def kill(self) -> None:
        """Kill it, by SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)

    @contextmanager
    def stopped(self) -> Generator[None]:
        """Stop it by SIGSTOP, and let it go on."""
        self.has_failed = True
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


class Zygote:
    """Process that forks the others: they are there in a moment."""

    def __init__(self, folder: Path) -> None:
        self._listener = folder / "control.sock"
        self._joining: dict[str, Scenario] = {}
        self.forking = anyio.Semaphore(2)
        self._process = subprocess.Popen(
            # By its path: `python -m` would put the tree in front of the wheel.
            [sys.executable, one_process.__file__, str(self._listener)],
            stdin=subprocess.PIPE,
        )

    def fork(self, orders: Orders, scenario: Scenario) -> None:
        """Begin a process."""
        self._joining[orders.name] = scenario
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(orders)).encode() + b"\n")
        self._process.stdin.flush()

    async def run(self) -> None:
        """Hear the processes, until cancelled."""
        async with await anyio.create_unix_listener(self._listener) as listener:
            await listener.serve(self._hear)

    def close(self) -> None:
        """End it; the processes end by themselves, as their connections do."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    async def _hear(self, stream: Any) -> None:
        rest, scenario = b"", None
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    *lines, rest = (rest + await stream.receive()).split(b"\n")
                    for event in map(json.loads, lines):
                        if scenario is None:
                            scenario = self._joining[event["process"]]
                            scenario.join(event["process"], int(event["what"]), stream)
                        else:
                            scenario.note(event)
            if scenario is not None:
                scenario.lose(event["process"])


@dataclass
class Scenario:
    """Some processes, the instances that they watch, and what may go wrong.

    Attributes:
        name: Its name, with which each token and each process begins.
        server: The Redis.
        servers: All that were started.
        sandbox: The API.
        instances: How many instances there are.
        members: The processes by their names.
        ledger: The events, in the order in which they came.
    """

    name: str
    servers: ExitStack
    sandbox: ObservedSandbox
    base_url: str
    zygote: Zygote
    folder: Path
    tasks: TaskGroup
    settings: dict[str, Any]
    instances: int = 2
    members: dict[str, Member] = field(default_factory=dict)
    ledger: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.serve()

    def serve(self, *, keeps_data: bool = False) -> RedisServer:
        """Start a server, which is the one of processes that begin later."""
        self.server = self.servers.enter_context(serve_redis(keeps_data=keeps_data))
        return self.server

    @property
    def tokens(self) -> list[str]:
        """The instances: a phone scans a code of the first one."""
        return [f"{self.name}-{number}" for number in range(self.instances)]

    @property
    def alive(self) -> list[Member]:
        """The processes that have neither died nor been closed."""
        return [member for member in self.members.values() if member.is_alive]

    async def begin(self, number: int, **orders: Any) -> list[Member]:
        """Begin some processes."""
        begun = []
        for _ in range(number):
            name = f"{self.name}-{len(self.members)}"
            wire = Wire(self.server.port)
            await self.tasks.start(wire.run)
            member = self.members[name] = Member(name, wire)
            begun.append(member)
            own = Orders(
                name,
                f"redis://127.0.0.1:{wire.port}",
                self.base_url,
                loop=["asyncio", "trio"][len(self.members) % 2],
                last_words=str(self.folder / f"{self.name}.died"),
                settings=self.settings,
            )
            # One after another, or those that wait for their turn take the server for dead.
            async with self.zygote.forking:
                self.zygote.fork(Orders(**asdict(own) | orders), self)
                await eventually(partial(self.has, name), f"{name} does not begin")
        return begun

    def has(self, process: str, *what: str) -> bool:
        """Return whether a process is open, or what else is asked for."""
        wanted = what or ("open", "refused")
        return any(e["process"] == process and e["what"] in wanted for e in [*self.ledger])

    async def watch(self, *members: Member, tokens: Sequence[str] = ()) -> None:
        """Let each process watch each instance, or some."""
        for member in members:
            for token in tokens or self.tokens:
                await member.order("watch", token)

    def join(self, process: str, pid: int, stream: UNIXSocketStream) -> None:
        """Note that a process is there."""
        self.members[process].pid, self.members[process].control = pid, stream

    def note(self, event: dict[str, Any]) -> None:
        """Note what a process did or saw."""
        self.ledger.append(event)
        if event["what"] == "saw":
            self.members[event["process"]].last[event["token"]] = event["kind"]

    def lose(self, process: str) -> None:
        """Note that a process is gone."""
        member = self.members[process]
        member.is_alive = False
        member.has_failed |= not self.has(process, "closed")

    async def pass_an_outage(self) -> None:
        """Wait for longer than a lease, while no process reaches the server."""
        for member in self.alive:
            member.has_failed = True
        await anyio.sleep(LONGER_THAN_A_LEASE)

    async def asking(self, token: str, endpoint: str = "qr-code") -> Member:
        """Wait for a request, and return the process that makes it."""

        def find() -> str:
            found = [p for p, t, e in [*self.sandbox.under_way] if (t, e) == (token, endpoint)]
            return found[0] if found else ""

        return self.members[await eventually(find, f"{self.name}: nobody asks for {endpoint}")]

    async def shown(self, token: str, number: int = 1) -> Member:
        """Wait until a round's code is shown, and return the process that leads."""
        await eventually(
            lambda: any(
                e["what"] == "saw" and e["token"] == token and e["round"] >= number
                for e in [*self.ledger]
            ),
            f"{self.name}: code {number} of {token} is not shown",
        )
        return self.members[self.sandbox.asker(token)]

    async def scan_after(self, seconds: float) -> None:
        """Let a phone scan whatever is the code by then, or the next one."""
        await anyio.sleep(seconds)
        token = self.tokens[0]
        await eventually(
            lambda: self.sandbox.scan(self.sandbox.current_code(token) or ""),
            f"{self.name}: nothing to scan",
        )

    async def ended(self) -> None:
        """Wait until each process that lives has seen how each session ended."""

        def agree() -> bool:
            return all(
                member.last.get(token) == ("expired" if number else "connected")
                for member in self.alive
                if member.watches
                for number, token in enumerate(self.tokens)
            )

        await eventually(agree, f"{self.name} does not end")

    async def close(self) -> None:
        """Close all processes, as a server's graceful stop does."""
        for member in self.alive:
            await member.order("close")
        await eventually(lambda: not self.alive, f"{self.name}: {self.alive} do not end")

    def violations(self) -> Iterator[str]:
        """Find each rule that was broken, in words."""
        for token in self.tokens:
            yield from self._broken_by_requests(token)
            yield from self._broken_by_endings(token)
        yield from self._broken_by_screens()
        keys = self.server.ask("KEYS", "*")
        assert isinstance(keys, list)
        yield from (f"{key} stays" for key in keys if self.server.ask("PTTL", key) == -1)

    def sessions(self, token: str) -> set[str]:
        return {
            event["session"]
            for event in self.ledger
            if event["what"] == "saw" and event["token"] == token and event["session"]
        }

    def _broken_by_requests(self, token: str) -> Iterator[str]:
        requests = sorted(
            (each for each in self.sandbox.requests if each.token == token),
            key=lambda each: each.began,
        )
        codes = sum(each.endpoint == "qr-code" for each in requests)
        allowed = len(self.sessions(token)) * self.settings["max_rounds"]
        if codes > allowed:
            yield f"{token}: {codes} codes, and {allowed} are allowed"
        for one, other in pairwise(requests):
            if one.process != other.process and one.ended > other.began:
                yield f"{token}: {one} and {other} at a time"

    def _broken_by_endings(self, token: str) -> Iterator[str]:
        told: dict[str, list[str]] = defaultdict(list)
        for event in self.ledger:
            if event["what"] == "told" and event["token"] == token:
                told[event["detail"]].append(event["process"])
        sessions = self.sessions(token)
        if len(told) != len(sessions):
            yield f"{token}: {len(told)} endings of {len(sessions)} sessions: {told}"
        for ending, processes in told.items():
            # Whoever fails before the ending is written may have told it, which nobody knows.
            if any(not self.members[process].has_failed for process in processes[:-1]):
                yield f"{token}: told by {processes}: {ending}"

    def _broken_by_screens(self) -> Iterator[str]:
        before: dict[tuple[str, str], tuple[str, int]] = {}
        owners: dict[str, str] = {}
        for event in self.ledger:
            if event["what"] != "saw" or event["kind"] == "hub_unreachable":
                continue
            process, token, kind = event["process"], event["token"], event["kind"]
            moment = (event["session"], event["round"] if kind not in ENDINGS else 99)
            if kind != "starting" and moment < before.get((process, token), ("", 0)):
                yield f"{process}: {event} is older than {before[process, token]}"
            before[process, token] = max(moment, before.get((process, token), moment))
            if event["is_expired"]:
                yield f"{process}: {event} has expired"
            if event["payload"] and owners.setdefault(event["payload"], token) != token:
                yield f"{process}: {event} is of another instance"


@asynccontextmanager
async def processes() -> AsyncGenerator[Callable[..., Scenario]]:
    """Give a function that makes scenarios, all with the same API."""
    sandbox, folder = ObservedSandbox(), Path(tempfile.mkdtemp())
    zygote = Zygote(folder)
    with serve_plugchat(sandbox) as base_url, ExitStack() as servers:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(zygote.run)

                def make(name: str, **settings: Any) -> Scenario:
                    return Scenario(
                        name, servers, sandbox, base_url, zygote, folder, tasks, settings
                    )

                yield make
                tasks.cancel_scope.cancel()
        finally:
            zygote.close()
            shutil.rmtree(folder)

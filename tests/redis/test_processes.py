"""Whole processes over a real Redis: whatever fails, each session has one poller and one ending.

All faults are played side by side, since they mostly wait. In each scenario three processes watch
two instances; of the first one, a phone scans a code at a random moment.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import pytest

from tests.eventually import eventually

from .processes import LONGER_THAN_A_LEASE, processes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .processes import Member, Scenario

    Fault: TypeAlias = Callable[[Scenario], Awaitable[None]]

pytestmark = pytest.mark.anyio

SETTINGS: dict[str, Any] = {"interval": 3.0, "max_rounds": 3, "status_interval": 0.5, "linger": 1.0}


@pytest.fixture
def anyio_backend() -> str:
    """Run on one event loop: those of the processes are asyncio's and trio's in turn."""
    return "trio"


async def dies(scenario: Scenario, *, moment: str) -> None:
    """Let whoever comes to that moment first die, by SIGKILL."""
    await scenario.watch(*await scenario.begin(3, dies=moment))
    await eventually(lambda: len(scenario.alive) == 2, f"nobody dies {moment}")


async def dies_with_a_request_under_way(scenario: Scenario, *, endpoint: str = "qr-code") -> None:
    """Kill the leader while the API has its request."""
    scenario.sandbox.delay[scenario.tokens[1], endpoint] = 1.0
    await scenario.watch(*await scenario.begin(3))
    (await scenario.asking(scenario.tokens[1], endpoint)).kill()


async def dies_with_a_code(scenario: Scenario, *, number: int) -> None:
    """Kill the leader while a code is shown."""
    await scenario.watch(*await scenario.begin(3))
    (await scenario.shown(scenario.tokens[1], number)).kill()


async def dies_with_many(scenario: Scenario, *, number: int) -> None:
    """Kill one of three processes, which share many instances."""
    scenario.instances = number
    members = await scenario.begin(3, redis=scenario.server.url)
    for first in range(0, number, 100):
        tokens = scenario.tokens[first : first + 100]
        await scenario.watch(*members, tokens=tokens)
        await scenario.shown(tokens[-1])
    (await scenario.shown(scenario.tokens[-1], 2)).kill()
    await scenario.shown(scenario.tokens[-1], 3)


async def stops_and_goes_on(scenario: Scenario) -> None:
    """Stop the leader for longer than its lease, with a request under way."""
    scenario.sandbox.delay[scenario.tokens[1], "qr-code"] = 1.0
    await scenario.watch(*await scenario.begin(3))
    with (await scenario.asking(scenario.tokens[1])).stopped():
        await anyio.sleep(LONGER_THAN_A_LEASE)


async def closes_in_a_round(scenario: Scenario) -> None:
    """Close the leader while it requests a code."""
    scenario.sandbox.delay[scenario.tokens[1], "qr-code"] = 1.0
    await scenario.watch(*await scenario.begin(3))
    await (await scenario.asking(scenario.tokens[1])).order("close")


async def is_cut_off(scenario: Scenario) -> None:
    """Cut the leader off, and nobody else, for longer than its lease."""
    await scenario.watch(*await scenario.begin(3))
    leader = await scenario.shown(scenario.tokens[1])
    leader.wire.is_cut = leader.has_failed = True
    await anyio.sleep(LONGER_THAN_A_LEASE)
    leader.wire.is_cut = False
    await leader.wire.lead_to(scenario.server.port)


async def loses_its_watchers(scenario: Scenario) -> None:
    """Let all watchers of the leader leave while others watch."""
    await scenario.watch(*await scenario.begin(3))
    leader = await scenario.shown(scenario.tokens[1])
    leader.watches = False
    for token in scenario.tokens:
        await leader.order("leave", token)
    await scenario.shown(scenario.tokens[1], 3)


async def seen_by(members: list[Member], scenario: Scenario) -> Member:
    """Wait until each process follows each session, and return the one that leads the second."""
    leader = await scenario.shown(scenario.tokens[1])
    await eventually(lambda: all(len(member.last) == 2 for member in members), "not all see")
    return leader


async def is_closed_after_a_death(scenario: Scenario, *, of_the_leader: bool) -> None:
    """Close the last process while the other one, which was killed, still counts as present."""
    members = await scenario.begin(2)
    await scenario.watch(*members)
    leader = await seen_by(members, scenario)
    dying, last = sorted(members, key=lambda member: (member is leader) != of_the_leader)
    dying.kill()
    await last.order("close")
    await eventually(lambda: not scenario.alive, f"{last.name} does not close")


async def is_left_after_a_death(scenario: Scenario) -> None:
    """Let the last watchers leave when the other process was killed, and a phone scan then."""
    members, token = await scenario.begin(2), scenario.tokens[1]
    await scenario.watch(*members)
    leader = await seen_by(members, scenario)
    next(member for member in members if member is not leader).kill()
    leader.watches = False
    for each in scenario.tokens:
        await leader.order("leave", each)
    await anyio.sleep(2)
    assert scenario.sandbox.scan(scenario.sandbox.current_code(token) or "")
    await eventually(
        lambda: any(
            event["what"] == "told" and event["token"] == token and '"connected"' in event["detail"]
            for event in [*scenario.ledger]
        ),
        "the scan is not told",
    )


async def has_another_clock(scenario: Scenario) -> None:
    """Let one process be an hour ahead, and one an hour behind."""
    for ahead in (3600.0, -3600.0, 0.0):
        await scenario.watch(*await scenario.begin(1, ahead=ahead))


async def has_another_secret(scenario: Scenario) -> None:
    """Let a process come with another secret: it is refused."""
    await scenario.watch(*await scenario.begin(2))
    (other,) = await scenario.begin(1, secret="o" * 32)
    assert scenario.has(other.name, "refused")


async def is_pressed_everywhere(scenario: Scenario) -> None:
    """Press the button in all processes, when all is over."""
    await scenario.watch(*await scenario.begin(3))
    await scenario.ended()
    for member in scenario.alive:
        for token in scenario.tokens:
            await member.order("restart", token)
    await eventually(
        lambda: all(len(scenario.sessions(token)) == 2 for token in scenario.tokens),
        "the button does nothing",
    )


async def server_restarts(
    scenario: Scenario, *, is_late: bool = False, keeps_data: bool = False
) -> None:
    """Kill the server while a code is shown, and start it again."""
    scenario.serve(keeps_data=keeps_data)
    await scenario.watch(*await scenario.begin(3))
    await scenario.shown(scenario.tokens[1])
    scenario.server.stop()
    await (scenario.pass_an_outage() if is_late else anyio.sleep(1))
    scenario.server.start()


async def server_comes_late(scenario: Scenario) -> None:
    """Begin before there is a server."""
    scenario.server.stop()
    await scenario.watch(*await scenario.begin(3))
    await anyio.sleep(1)
    scenario.server.start()


async def server_freezes(scenario: Scenario) -> None:
    """Freeze the server while a code is shown."""
    await scenario.watch(*await scenario.begin(3))
    await scenario.shown(scenario.tokens[1])
    with scenario.server.frozen():
        await scenario.pass_an_outage()


async def server_refuses(scenario: Scenario, *, begins: str, ends: str) -> None:
    """Let the server refuse each write while a code is shown, from one command to another."""
    await scenario.watch(*await scenario.begin(3))
    await scenario.shown(scenario.tokens[1])
    scenario.server.ask(*begins.split())
    await scenario.pass_an_outage()
    scenario.server.ask(*ends.split())


async def server_fails_over(scenario: Scenario) -> None:
    """Go on with a replica that has not heard of the latest code."""
    primary = scenario.server
    await scenario.watch(*await scenario.begin(3))
    await scenario.shown(scenario.tokens[1])
    replica = scenario.serve()
    replica.ask("REPLICAOF", "127.0.0.1", str(primary.port))
    await eventually(lambda: "master_link_status:up" in str(replica.ask("INFO", "replication")))
    await eventually(lambda: replica.ask("DBSIZE") == primary.ask("DBSIZE"))
    replica.ask("REPLICAOF", "NO", "ONE")
    await scenario.shown(scenario.tokens[1], 2)
    primary.stop()
    for member in scenario.alive:
        await member.wire.lead_to(replica.port)


read_only = partial(server_refuses, begins="REPLICAOF 127.0.0.1 1", ends="REPLICAOF NO ONE")
full = partial(server_refuses, begins="CONFIG SET maxmemory 1", ends="CONFIG SET maxmemory 0")
STEPS = ("reserve", "write 0", "write 1", "write 2")
MOMENTS = [f"{when} {step}" for step in STEPS for when in ("before", "after")]

ONE_OF_EACH: dict[str, Fault] = {
    "dies after reserve": partial(dies, moment="after reserve"),
    "dies on end": partial(dies, moment="on_end"),
    "dies in a call": dies_with_a_request_under_way,
    "dies with a code": partial(dies_with_a_code, number=2),
    "dies with many": partial(dies_with_many, number=30),
    "stops": stops_and_goes_on,
    "closes": closes_in_a_round,
    "cut off": is_cut_off,
    "loses watchers": loses_its_watchers,
    "closes after a death": partial(is_closed_after_a_death, of_the_leader=False),
    "closes after the leader": partial(is_closed_after_a_death, of_the_leader=True),
    "left after a death": is_left_after_a_death,
    "clocks": has_another_clock,
    "secrets": has_another_secret,
    "pressed": is_pressed_everywhere,
    "restarts": server_restarts,
    "restarts with data": partial(server_restarts, keeps_data=True),
    "fails over": server_fails_over,
    "late": server_comes_late,
    "freezes": server_freezes,
    "read-only": read_only,
    "full": full,
}
ALL: dict[str, Fault] = {
    **ONE_OF_EACH,
    **{f"dies {moment}": partial(dies, moment=moment) for moment in MOMENTS},
    **{f"dies with code {n}": partial(dies_with_a_code, number=n) for n in (1, 3)},
    "dies in a status": partial(dies_with_a_request_under_way, endpoint="status"),
    "restarts late": partial(server_restarts, is_late=True),
}


async def play(faults: dict[str, Fault], *, seed: int = 0, **settings: Any) -> list[str]:
    """Play faults side by side, and return in words what must not have been."""
    rng, violations = random.Random(seed), list[str]()

    async def play_one(scenario: Scenario, fault: Fault, *, scanned_after: float) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(scenario.scan_after, scanned_after)
            await fault(scenario)
        await scenario.ended()
        await scenario.close()
        violations.extend(scenario.violations())

    async with processes() as make, anyio.create_task_group() as playing:
        for name, fault in faults.items():
            scenario = make(name.replace(" ", "-"), **SETTINGS | settings)
            playing.start_soon(partial(play_one, scenario, fault, scanned_after=rng.uniform(0, 8)))
    return violations


@pytest.mark.journey
async def test_whatever_fails_each_session_has_one_poller_and_one_ending() -> None:
    """One fault of each kind: no code too many, nothing older, nothing of another tenant."""
    assert await play(ONE_OF_EACH) == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
async def test_whenever_it_fails_each_session_has_one_poller_and_one_ending(seed: int) -> None:
    """Every fault at every step, with scans at other moments."""
    assert await play(ALL, seed=seed) == []


@pytest.mark.soak
async def test_a_thousand_instances_have_one_poller_and_one_ending_each() -> None:
    """With the pace of a real deployment, and a process that is killed in the second round.

    It needs a machine that does nothing else.
    """
    many: dict[str, Fault] = {"many": partial(dies_with_many, number=1000)}
    assert await play(many, interval=15.0, status_interval=None) == []

"""The command's processes, beside a bare Typer application and a hand-written script.

Each runs in a fresh interpreter that has compiled its modules before, and tells the CPU time, user
and system, of the process from its start to its end. The bare application has as many commands,
with an option each, and no help; the script fetches a code with httpx and draws it with segno. The
command holds the garbage collector back and keeps httpx from importing its own command; the others
do as one writes them.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from .figures import Figure
from .server import serving

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNS = 20
COMMANDS = 8
OURS = "from plugchat_async.cli import main; main()"
BARE = f"""
import typer

application = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
for number in range({COMMANDS}):
    def command(*, wanted: bool = False) -> None: ...
    application.command(f"command-{{number}}")(command)
application(prog_name="plugchat")
"""
BY_HAND = """
import os, httpx, segno

response = httpx.get(
    os.environ["PLUGCHAT_BASE_URL"] + "/qr-code",
    headers={"Authorization": os.environ["PLUGCHAT_TOKEN"]},
)
segno.make_qr(response.json()["value"]).terminal(compact=True)
"""
COMPLETION = {"_PLUGCHAT_COMPLETE": "complete_bash", "COMP_WORDS": "plugchat pa", "COMP_CWORD": "1"}


def measure() -> list[Figure]:
    """Run each beside ours in turns, after a first time that compiles."""
    with serving() as server:
        reach = {"PLUGCHAT_BASE_URL": server.base_url, "PLUGCHAT_TOKEN": "token"}
        return [
            _compare("plugchat --help", BARE, "a bare Typer application", 1.5),
            _compare("plugchat --version", BARE, "a bare application's --help", 1.5, "--help"),
            _compare("completion in bash", BARE, "a bare application's", 1.5, variables=COMPLETION),
            _compare("plugchat qr", BY_HAND, "a script of httpx and segno", 1.3, variables=reach),
        ]


def _compare(
    what: str,
    theirs: str,
    against: str,
    ratio_goal: float,
    their_argument: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Figure:
    ours = what.split()[1:] if what.startswith("plugchat") else []
    others = [their_argument] if their_argument else ours
    with TemporaryDirectory() as compiled:
        environment = {
            **os.environ,
            **(variables or {}),
            # An empty value is none: what was compiled is kept, whatever the environment says.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": compiled,
        }
        turns = [
            (_run(OURS, ours, environment), _run(theirs, others, environment))
            for _ in range(RUNS + 1)
        ]
    return Figure.from_pairs(
        turns[1:], what=f"`{what}`", unit="ms of CPU", against=against, ratio_goal=ratio_goal
    )


def _run(program: str, arguments: list[str], environment: Mapping[str, str]) -> float:
    before = _cpu_of_children()
    subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments],
        env=environment,
        check=True,
        capture_output=True,
    )
    return (_cpu_of_children() - before) * 1000


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime

"""The command as scripts meet it: processes and sockets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox_calls import codes_requested

from .processes import PLUGCHAT, started

if TYPE_CHECKING:
    from pathlib import Path

    from plugchat_async.sandbox import Sandbox

pytestmark = pytest.mark.journey


def test_a_sandbox_process_serves_other_processes(tmp_path: Path) -> None:
    """Its output is copied into their environment; Ctrl-C ends it with 130, and in silence."""
    with started("sandbox", "--scan-after", "0") as sandbox:
        assert sandbox.stdout is not None
        assert sandbox.stderr is not None
        environment = dict(os.environ)
        while len(environment) < len(os.environ) + 2:
            line = sandbox.stdout.readline()
            assert line
            name, _, value = line.strip().removeprefix("export ").partition("=")
            if value:
                environment[name] = value
        path = tmp_path / "code.png"
        saved = subprocess.run(
            [*PLUGCHAT, "qr", "--output", str(path)],
            env=environment,
            capture_output=True,
            check=False,
        )
        assert (saved.returncode, saved.stdout) == (0, b"")
        assert path.exists()
        assert any(line.endswith("  the phone scanned the code\n") for line in sandbox.stdout)
        sandbox.send_signal(signal.SIGINT)
        assert sandbox.wait(60) == 130
        assert sandbox.stderr.read() == ""


def test_a_reader_that_leaves_early(sandbox: Sandbox) -> None:
    """`plugchat qr | head -1` ends without a traceback."""
    with started("qr") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(60) == 1
        assert "Traceback" not in process.stderr.read()


def read_event(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Read one line of standard output."""
    assert process.stdout is not None
    event = json.loads(process.stdout.readline())
    assert event.pop("version") == 1
    assert isinstance(event, dict)
    return event


def test_a_script_that_links_a_phone(sandbox: Sandbox) -> None:
    """Events come as they happen; a scan is reported before another code is requested."""
    with started("pair", "--json") as pair:
        code = read_event(pair)
        assert sandbox.scan(code["payload"])
        assert read_event(pair) == {"event": "connected"}
        assert codes_requested(sandbox) == 1
        assert pair.wait(60) == 0
        assert pair.stderr is not None
        assert pair.stderr.read() == ""


# As shells start a script's background jobs: Ctrl-C is for what stands in front.
IN_BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")


@pytest.mark.parametrize(
    ("before", "signals"),
    [
        ((), ["SIGINT"]),
        ((), ["SIGTERM"]),
        ((), ["SIGHUP"]),
        (IN_BACKGROUND, ["SIGINT", "SIGTERM"]),
        (IN_BACKGROUND, ["SIGINT", "SIGHUP"]),
    ],
    ids=["Ctrl-C", "SIGTERM", "SIGHUP", "a background job, SIGTERM", "a background job, SIGHUP"],
)
def test_a_script_that_is_ended_takes_its_file_along(
    sandbox: Sandbox, tmp_path: Path, before: tuple[str, ...], signals: list[str]
) -> None:
    """Exit code 130, in silence; a background job ignores Ctrl-C, and that alone."""
    path = tmp_path / "code.png"
    with started("pair", "--json", "--output", str(path), before=before) as pair:
        assert read_event(pair)["round"] == 1
        assert path.exists()
        for name in signals:
            pair.send_signal(getattr(signal, name))
        assert pair.wait(60) == 130
        assert pair.stderr is not None
        assert "Traceback" not in pair.stderr.read()
    assert list(tmp_path.iterdir()) == []
    assert codes_requested(sandbox) == 1

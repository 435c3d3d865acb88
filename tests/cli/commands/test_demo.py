"""`plugchat demo`: the whole journey, with no account and no key pressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugchat_async.cli._commands import demo as _demo
from plugchat_async.sandbox._instance import Instance
from tests.camera import read_codes
from tests.painted_terminal import paint_terminal

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def _a_proxy_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what the sandbox's phone scans."""
    payloads: list[str] = []
    scan = Instance.scan

    def note(instance: Instance, payload: str, phone: str, at: float) -> bool:
        is_linked = scan(instance, payload, phone, at)
        payloads.extend([payload] * is_linked)
        return is_linked

    monkeypatch.setattr(Instance, "scan", note)
    return payloads


@pytest.fixture(autouse=True)
def _a_quick_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    # The pace is not an option, and over sockets no virtual time shortens its 2.5 s.
    monkeypatch.setattr(_demo, "FAST", _demo.Pace(interval=0.3, scan_after=0.1))


def test_the_second_code_is_scanned_as_it_was_shown(
    run: Run,
    scanned: list[str],
) -> None:
    """The phone scans the code that a camera reads from the lines; exit code 0."""
    ran = run("demo", "--fast")
    assert (ran.exit_code, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    second = ran.out[ran.out.index("Code 2 of 3") :]
    assert read_codes(paint_terminal(second, columns=120)) == scanned
    lines = ran.out.splitlines()
    assert lines[0].startswith("A local PlugChat simulator: http://127.0.0.1:")
    linked = lines.index("✓ Linked: the phone scanned code 2 of 3.")
    calls = [line.split()[3:6] for line in lines[linked:] if "GET" in line]
    assert calls[0] == ["GET", "/qr-code", "200"]
    assert 2 <= calls.count(["GET", "/qr-code", "200"]) <= 3
    assert "plugchat pair" in lines[-1]
    assert "export PLUGCHAT_TOKEN=..." in ran.out


@pytest.mark.parametrize("window", [(60, 20), (80, 24), (80, 50)])
def test_on_a_terminal_the_end_stands_on_its_first_page(
    run: Run, scanned: list[str], window: tuple[int, int]
) -> None:
    """The codes are gone, and a window too small for any keeps nobody from the end."""
    ran = run("demo", "--fast", window=window)
    assert (ran.exit_code, ran.err) == (0, "")
    codes, _, end = ran.out.partition("\x1b[?1049l")
    assert len(scanned) == 1
    assert ("It needs 60 x 22 characters and has 60 x 20." in codes) is (window == (60, 20))
    assert "█" not in end
    assert "✓ Linked: the phone scanned code 2 of 3." in end


@pytest.mark.parametrize(
    ("language", "remark"),
    [
        ("en_US", "This code is shorter; a real one needs a larger window."),
        ("pt_BR", "Este código é mais curto: os do WhatsApp não cabem aqui."),
    ],
)
@pytest.mark.parametrize(
    ("window", "term", "size"),
    [
        ((80, 24), "xterm", 62),
        ((80, 24), "dumb", 62),
        ((60, 33), "xterm", 237),
        ((), "xterm", 237),
        (None, "xterm", 237),
    ],
)
def test_codes_are_shorter_only_in_a_window_without_room_for_real_ones(
    *,
    run: Run,
    scanned: list[str],
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    remark: str,
    window: tuple[int, int] | tuple[()] | None,
    term: str,
    size: int,
) -> None:
    """The demo says so beside them; an unknown window is not small, a pipe is not a window."""
    monkeypatch.setenv("LC_ALL", language)
    monkeypatch.setenv("TERM", term)
    ran = run("demo", "--fast", window=window)
    assert [len(payload) for payload in scanned] == [size]
    assert (remark in ran.out) is (size == 62)
    assert "█" in ran.out


def test_portuguese(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first line to the last."""
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")
    ran = run("demo", "--fast")
    assert "Código 1 de 3, um novo em 1 s." in ran.out
    assert "✓ Conectado: o celular escaneou o código 2 de 3." in ran.out


def test_codes_that_were_not_scanned_in_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that was asleep, say; exit code 4."""
    monkeypatch.setattr(Instance, "scan", lambda *_: False)
    ran = run("demo", "--fast")
    assert ran.exit_code == 4
    assert "Code 3 of 3, expires in 1 s." in ran.out
    assert "None of the three codes was scanned." in ran.err


def test_the_usual_pace_ends_in_less_than_40_seconds() -> None:
    """The second code comes after one interval."""
    assert _demo.USUAL.interval == 15
    assert _demo.USUAL.interval + _demo.USUAL.scan_after < 30
    assert _demo.USUAL.scan_after < _demo.USUAL.interval

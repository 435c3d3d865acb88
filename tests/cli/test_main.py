"""The entry point: without the extra, with signals, and the end of the process."""

from __future__ import annotations

import atexit
import gc
import getpass
import importlib
import io
import json
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

import plugchat_async
from plugchat_async import AsyncPlugChat, cli
from plugchat_async._extras import install_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from plugchat_async.sandbox import Sandbox
    from tests.cli.conftest import Run

INTERRUPTED = {
    "version": 1,
    "event": "failed",
    "code": "interrupted",
    "message": "The command was interrupted.",
}

COMMANDS = ("pair", "demo", "sandbox", "qr", "image", "status", "device", "disconnect")


@pytest.mark.parametrize("missing", ["rich", "starlette", "typer", "uvicorn"])
def test_without_the_extra_one_line_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """No traceback, exit code 1."""
    monkeypatch.setitem(sys.modules, missing, None)
    ran = run("demo")
    assert ran.exit_code == 1
    assert ran.out == ""
    command = install_command("cli")
    assert ran.err == f"plugchat needs {missing} (extra [cli]). Run: {command}\n"


def test_without_the_extra_brazilians_read_it_in_portuguese(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The language is known before anything else is."""
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")
    command = install_command("cli")
    assert run().err == f"O plugchat precisa de typer (extra [cli]). Rode: {command}\n"


def test_each_terminal_has_its_own_size(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A size that a program exported before would not follow the window."""
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((80, 24)))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LINES", "60")
    assert {"COLUMNS", "LINES"}.isdisjoint(run("--version").variables)


def test_ctrl_c_before_signals_are_handled(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 130, and not a word.

    Its own module is replaced: nothing public is called between the start and Typer's handling.
    """

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("plugchat_async.cli._process.run", interrupt)
    ran = run("demo")
    assert (ran.exit_code, ran.out, ran.err) == (130, "", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo"], ""),
        (["status", "--json"], ""),
        (["pair"], "Stopped. No phone was linked.\n"),
        (["pair", "--json"], "Stopped. No phone was linked.\n"),
    ],
)
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_signal_while_the_command_starts(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    arguments: list[str],
    said: str,
) -> None:
    """Nothing is unwound: the process ends immediately, with exit code 130; scripts are told."""

    class Left(BaseException):
        """Raised at the end of the process."""

    def leave(code: int) -> None:
        raise Left(code)

    def start() -> int:
        signal.raise_signal(getattr(signal, name))
        raise AssertionError

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(sys, "argv", ["plugchat", *arguments])
    monkeypatch.setattr("plugchat_async.cli._application.main", start)
    with pytest.raises(Left, match=r"^130$"):
        cli.main()
    out, err = capsys.readouterr()
    assert err == said
    assert json.loads(out or "null") == (INTERRUPTED if "--json" in arguments else None)


@pytest.mark.parametrize(
    ("command", "language", "said"),
    [
        ("qr", "en_US", ""),
        ("pair", "en_US", "Stopped. No phone was linked.\n"),
        ("pair", "pt_BR", "Interrompido. Nenhum celular foi conectado.\n"),
    ],
)
@pytest.mark.parametrize("module", ["plugchat_async.cli._process", "typer", "httpcore._api"])
def test_ctrl_c_in_the_middle_of_an_import(
    monkeypatch: pytest.MonkeyPatch,
    sandbox: Sandbox,
    module: str,
    command: str,
    language: str,
    said: str,
) -> None:
    """No traceback, and no request; a word of `pair`, once it can be read."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    program = (
        "import signal, sys\n"
        "def interrupt(event, arguments):\n"
        f"    if event == 'import' and arguments[0] == {module!r}:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "sys.addaudithook(interrupt)\n"
        "from plugchat_async.cli import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, command], capture_output=True, check=False, text=True
    )
    said = "" if module.endswith("_process") else said
    assert (done.returncode, done.stdout, done.stderr) == (130, "", said)
    assert sandbox.calls == ()


def test_standard_output_need_not_be_a_text_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embedders replace it by an object that only has to write."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    monkeypatch.setattr(sys, "argv", ["plugchat", "--version"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert written.getvalue() == f"plugchat {plugchat_async.__version__}\n"


def test_a_process_may_have_no_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that was started by `plugchat status <&- >&- 2>&-`."""
    monkeypatch.setattr(sys, "argv", ["plugchat", "status"])
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()
    assert ended.value.code == 1


@pytest.mark.parametrize("argument", ["qr", "--help"])
def test_standard_output_that_is_closed(
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argument: str,
) -> None:
    """As by `plugchat qr --json >&-`: one line, exit code 1, and no code is requested."""
    monkeypatch.setattr(sys, "argv", ["plugchat", argument])
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    sys.stdout.close()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("Error: Standard output is closed. ")
    assert sandbox.calls == ()


@pytest.mark.parametrize("argument", ["status", "--version", "--help"])
def test_standard_output_that_is_full(sandbox: Sandbox, argument: str) -> None:
    """One line, no traceback, exit code 1; after a real process's last flush, too."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "plugchat_async", argument],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in done.stderr
    assert len(sandbox.calls) == (argument == "status")


def test_output_that_was_refused_is_not_written_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python closes the stream at exit, and would fail once more."""
    monkeypatch.setattr(sys, "argv", ["plugchat", "--version"])
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert ended.value.code == 1
    assert "No space left on device" in capsys.readouterr().err


def test_the_package_can_be_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m plugchat_async` is the command, and importing its module runs nothing."""
    monkeypatch.setattr(sys, "argv", ["plugchat", "--version"])
    importlib.import_module("plugchat_async.__main__")
    assert capsys.readouterr().out == ""
    monkeypatch.delitem(sys.modules, "plugchat_async.__main__")
    with pytest.raises(SystemExit):
        runpy.run_module("plugchat_async", run_name="__main__")
    assert capsys.readouterr().out == f"plugchat {plugchat_async.__version__}\n"


def test_importing_the_sdk_imports_no_part_of_the_command() -> None:
    """Rich and Typer are for those who install the extra."""
    program = (
        "import sys, plugchat_async\n"
        "names = {'plugchat_async.cli', 'typer', 'starlette', 'uvicorn'}\n"
        "sys.exit(', '.join(names & sys.modules.keys()) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


COMPLETING = {
    "_PLUGCHAT_COMPLETE": "complete_bash",
    "COMP_WORDS": "plugchat pa",
    "COMP_CWORD": "1",
}


@pytest.mark.parametrize(
    ("arguments", "variables"), [(["--help"], {}), (["--version"], {}), ([], COMPLETING)]
)
def test_help_version_and_completion_are_quick(
    arguments: list[str], variables: dict[str, str]
) -> None:
    """They import no slow package; while completing, Typer itself needs pydantic."""
    slow = {"httpx", "rich", "anyio", "segno"} | ({"pydantic"} if arguments else set())
    program = (
        "import sys, plugchat_async.cli\n"
        "try:\n    plugchat_async.cli.main()\n"
        f"finally:\n    sys.stderr.write(' '.join(sys.modules.keys() & {slow}))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, **variables},
    )
    assert "pair" in done.stdout or "plugchat" in done.stdout
    assert done.stderr == ""


def test_packages_import_nothing_that_the_command_does_not_use() -> None:
    """Click and Rich for httpx, plugins for pydantic; each would take longer than all the rest."""
    program = (
        "import os, sys\nfrom plugchat_async.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    import httpx\n"
        "    print('click' in sys.modules, os.environ['PYDANTIC_DISABLE_PLUGINS'])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "--version"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.endswith("False __all__\n")


@pytest.mark.parametrize("is_decoder_there", [False, True])
def test_memory_is_not_searched_for_garbage_at_exit(
    monkeypatch: pytest.MonkeyPatch, *, is_decoder_there: bool
) -> None:
    """That takes a quarter of a short process. The decoder would report what is left as leaks."""
    at_exit: list[Callable[[], object]] = []
    frozen: list[bool] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))
    monkeypatch.setattr(sys, "argv", ["plugchat", "--version"])
    with pytest.raises(SystemExit):
        cli.main()
    modules = {"zxingcpp": sys} if is_decoder_there else {}
    with patch.object(sys, "modules", modules):
        for function in at_exit:
            function()
    assert frozen == [True] * (not is_decoder_there)
    assert gc.get_threshold()[0] > 700


@pytest.mark.parametrize("arguments", [[], *([command] for command in COMMANDS)])
def test_help_fits_80_columns(run: Run, arguments: list[str]) -> None:
    """Each screen names what it can do, in lines that do not wrap."""
    ran = run(*arguments, "--help", window=(80, 24))
    assert ran.exit_code == 0
    assert max(map(len, ran.out.splitlines())) <= 80
    assert ran.out.startswith(" ".join(["Usage: plugchat", *arguments]))
    assert ran.out == run(*arguments, "-h", window=(80, 24)).out


def test_the_commands_are_listed(run: Run) -> None:
    """The first look at the command is its help."""
    ran = run(window=(80, 24))
    assert ran.exit_code == 2
    assert all(f"  {command} " in ran.out + ran.err for command in COMMANDS)


@pytest.mark.parametrize(
    "arguments", [["qr", "--frob"], ["pair-all"], ["qr", "a-token"], ["qr", "--output"]]
)
def test_a_wrong_call_is_a_usage_error(run: Run, arguments: list[str]) -> None:
    """Exit code 2; a token is never taken as an argument."""
    ran = run(*arguments)
    assert ran.exit_code == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("pair", "--interval", "{}"),
        ("pair", "--web", "--port", "{}"),
        ("status", "--timeout", "{}"),
        ("sandbox", "--scan-after", "{}"),
        ("sandbox", "--port", "{}"),
        ("qr", "--output", "{}"),
        ("status", "--{}"),
        ("status", "--{}=1"),
        ("status", "--token-file", "{}"),
        ("status", "--base-url", "{}"),
        ("status", "{}"),
        ("{}",),
    ],
)
@pytest.mark.parametrize("language", ["en_US", "pt_BR"])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_token_at_a_wrong_place_is_not_repeated(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    arguments: tuple[str, ...],
    language: str,
    *,
    as_json: bool,
) -> None:
    """Neither to whoever looks on, nor in the log of a script."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    filled = [argument.format(token) for argument in arguments]
    ran = run(*filled, *(["--json"] if as_json else []))
    assert ran.exit_code == 2
    assert token not in ran.out + ran.err


@pytest.mark.parametrize("ctrl_c", [signal.default_int_handler, signal.SIG_IGN])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGQUIT"])
@pytest.mark.usefixtures("keyboard")
def test_other_ends_come_as_ctrl_c_does(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    ctrl_c: Callable[[int, FrameType | None], object] | signal.Handlers,
) -> None:
    """In the main thread; exit code 130, also if Ctrl-C itself is ignored."""
    signal.signal(signal.SIGINT, ctrl_c)

    def end(_prompt: str) -> None:
        signal.raise_signal(getattr(signal, name))

    monkeypatch.setattr(getpass, "getpass", end)
    monkeypatch.setattr(sys, "argv", ["plugchat", "status"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130


def test_a_signal_that_is_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """`nohup plugchat pair` goes on when its terminal is closed."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr(sys, "argv", ["plugchat", "--version"])
    with pytest.raises(SystemExit):
        cli.main()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    """By the script that `--show-completion` prints."""
    environment = {**os.environ, "_PLUGCHAT_COMPLETE": f"complete_{shell}"}
    environment |= {"COMP_WORDS": "plugchat pa", "COMP_CWORD": "1"}
    environment |= {
        "_TYPER_COMPLETE_ARGS": "plugchat pa",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from plugchat_async.cli import main; main()"],
        capture_output=True,
        check=False,
        text=True,
        env=environment,
    )
    assert "pair" in done.stdout
    assert "demo" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["qr", "--frob"], "Erro: Esta opção não existe"),
        (["qr", "--timeout", "0"], "Valor inválido para '--timeout': não é um número"),
        (["qr", "--help"], "Mostra um QR Code, para ser escaneado em até 20 segundos."),
        (["--help"], "Opções:"),
    ],
)
def test_help_and_usage_errors_in_portuguese(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    """From the usage line to the last option."""
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")
    ran = run(*arguments)
    written = ran.out + ran.err
    assert said in written
    assert "Uso: plugchat" in written
    assert not {"Usage:", "Options:", "Error:", "Show this message"} & set(written.split("\n"))


def test_a_terminal_of_unknown_size_leaves_what_was_exported(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`script` and some containers know none: `COLUMNS` and `LINES` count there."""
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((0, 0)))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LINES", "60")
    assert {"COLUMNS", "LINES"} <= run("--version").variables


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "--json", "--timeout", "0"),
        ("pair", "--json", "--interval", "21"),
        ("pair", "--web", "--json"),
        ("status", "--json", "--nope"),
        ("status", "--json=1"),
        ("status", "--json", "a-token"),
        ("--json",),
    ],
)
@pytest.mark.parametrize("language", ["en_US", "pt_BR"])
def test_a_usage_error_is_a_failure_for_scripts_too(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], language: str
) -> None:
    """Of the same shape as the others, wherever `--json` is; people still read it."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    ran = run(*arguments)
    failure = json.loads(ran.out)
    assert ran.exit_code == 2
    assert failure["message"] in ran.err
    del failure["message"]
    assert failure == {"version": 1, "event": "failed", "code": "usage_error"}


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("command", ["status", "device", "qr", "image", "pair"])
def test_an_interrupted_command_tells_scripts(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Nothing else on standard output told it from a command that was killed."""

    async def interrupted(_: AsyncPlugChat) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(AsyncPlugChat, "__aenter__", interrupted)
    ran = run(command, "--json")
    assert ran.exit_code == 130
    assert json.loads(ran.out) == INTERRUPTED


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    "arguments", [("status",), ("device",), ("qr",), ("image",), ("disconnect", "--yes")]
)
def test_every_json_object_has_its_version(run: Run, arguments: tuple[str, ...]) -> None:
    """It comes first, and all are written by one serializer."""
    ran = run(*arguments, "--json")
    printed = json.loads(ran.out)
    assert next(iter(printed.items())) == ("version", 1)
    assert ran.out == json.dumps(printed, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(
    "arguments",
    [("status", "--token-file"), ("qr", "--output"), ("image", "--output"), ("pair", "--image")],
)
def test_an_empty_name_of_a_file_is_a_usage_error(
    run: Run, sandbox: Sandbox, arguments: tuple[str, str]
) -> None:
    """As from a variable that is not set; it is not taken for the folder."""
    ran = run(*arguments, "")
    assert (ran.exit_code, ran.out) == (2, "")
    assert ran.err.endswith(": name a file\n")
    assert sandbox.calls == ()


@pytest.mark.parametrize("language", ["en_US", "pt_BR"])
def test_the_list_of_commands_cuts_no_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    """In a window of 80 columns."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    monkeypatch.setenv("COLUMNS", "80")
    commands = run("--help").out.splitlines()[-8:]
    assert all(re.match(r"  \w+ .*[^.]\.$", line) for line in commands), commands


@pytest.mark.parametrize("command", ["qr", "pair"])
def test_a_code_is_drawn_in_one_form(run: Run, sandbox: Sandbox, command: str) -> None:
    """`--ascii` and `--compact` are a usage error, and no code is requested."""
    ran = run(command, "--ascii", "--compact")
    assert (ran.exit_code, ran.out) == (2, "")
    assert "can't be combined" in ran.err
    assert sandbox.calls == ()

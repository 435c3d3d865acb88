"""The commands and their options. The implementation of each is imported when it is called.

Their help texts are in `_texts`, by the names of the commands and of their parameters.
"""

import inspect
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from plugchat_async._version import __version__

from ._access import options
from ._output.json_lines import print_failure, wants_json
from ._signals import unwind_on_signals
from ._texts import text, translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._access.client import Access

    Start = Callable[[], None]


class _Command(TyperCommand):
    """Command with a help screen in the user's language."""

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401 - a private class of Typer's
        return translated(super().get_help(ctx))


class _Commands(TyperGroup):
    """All commands, with a help screen in the user's language."""

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401 - likewise
        return translated(super().get_help(ctx))


_application = typer.Typer(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> int:
    """Run the command with the arguments of this process, and return its exit code."""
    group: Any = get_command(_application)
    for name, command in {"plugchat": group, **group.commands}.items():
        command.help = text(f"commands.{name}")
        for parameter in command.params:
            try:
                parameter.help = text(f"options.{name}.{parameter.name}")
            except KeyError:  # it means the same in every command
                parameter.help = text(f"options.{parameter.name}")
            if parameter.metavar:
                parameter.metavar = text(f"metavars.{parameter.metavar}")
    try:
        return group(prog_name="plugchat", standalone_mode=False) or 0
    except typer.TyperException as error:
        if context := getattr(error, "ctx", None):
            typer.echo(translated(context.get_usage()), err=True)
            typer.echo(text("try_help", command=context.command_path) + "\n", err=True)
        message = translated(error.format_message())
        if wants_json():
            print_failure("usage_error", message)
        typer.echo(f"{text('error')}: {message}", err=True)
        return error.exit_code


def _print_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"plugchat {__version__}")
        raise typer.Exit


@_application.callback()
def _show_commands(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback has printed it
        bool, typer.Option("--version", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


def _reach(
    *,
    as_json: bool,
    token_file: options.TokenFile = None,
    base_url: options.BaseURL = None,
    allow_insecure_http: options.AllowInsecureHTTP = False,
    timeout: options.Timeout = 10.0,
) -> "Access":
    from ._access.client import Access

    return Access(token_file, base_url, allow_insecure_http, timeout, may_ask=not as_json)


def _command(function: "Callable[..., Start]") -> "Callable[..., None]":
    """Make a command of a function that does the imports, and returns how to start.

    One that takes `access` gets the options that say how to reach PlugChat; all get `--debug`.
    """
    own = dict(inspect.signature(function).parameters)
    shared = dict(inspect.signature(_reach).parameters)
    del shared["as_json"]  # which each of them has itself
    if not own.pop("access", None):
        shared.clear()
    debugging = inspect.Parameter(
        "debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=options.Debug
    )

    def command(*, debug: bool, **arguments: Any) -> None:  # noqa: ANN401 - of any command
        import logging

        from ._output.failures import reported

        # Log lines of libraries are not for users, and would tear a code on the screen.
        logging.getLogger().addHandler(logging.NullHandler())
        with reported(debug=debug, as_json=arguments.get("as_json", False)):
            if shared:
                reach = {name: arguments.pop(name) for name in shared}
                arguments["access"] = _reach(as_json=arguments["as_json"], **reach)
            start = function(**arguments)
            unwind_on_signals()
            start()

    parameters = [*own.values(), *shared.values(), debugging]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return _application.command(function.__name__, cls=_Command)(command)


@_command
def pair(
    *,
    access: "Access",
    interval: options.Interval = 15.0,
    output: options.CurrentCode = None,
    on_desktop: Annotated[bool, typer.Option("--open")] = False,
    web: Annotated[bool, typer.Option("--web")] = False,
    port: options.Port = 0,
    ascii_only: options.AsciiOnly = False,
    compact: options.Compact = False,
    as_json: options.AsJSON = False,
) -> "Start":
    from ._commands.pair import PairOptions, on_web, run

    if web and (output is not None or ascii_only or compact or as_json):
        raise typer.BadParameter(text("usage.web_only"))
    if port and not web:
        raise typer.BadParameter(text("usage.port_without_web"))
    _check_form(ascii_only=ascii_only, compact=compact)
    if web:
        return on_web(access, interval=interval, port=port, on_desktop=on_desktop)
    chosen = PairOptions(interval, output, on_desktop, ascii_only, compact, as_json)
    return partial(run, access, chosen)


@_command
def qr(
    *,
    access: "Access",
    output: options.Output = None,
    ascii_only: options.AsciiOnly = False,
    compact: options.Compact = False,
    as_json: options.AsJSON = False,
) -> "Start":
    from ._commands.qr import run

    _check_form(ascii_only=ascii_only, compact=compact)
    return partial(run, access, output, as_json=as_json, ascii_only=ascii_only, compact=compact)


def _check_form(*, ascii_only: bool, compact: bool) -> None:
    if ascii_only and compact:
        raise typer.BadParameter(text("usage.one_form"))


@_command
def image(
    *, access: "Access", output: options.Output = None, as_json: options.AsJSON = False
) -> "Start":
    from ._commands.image import run

    return partial(run, access, output, as_json=as_json)


@_command
def status(*, access: "Access", as_json: options.AsJSON = False) -> "Start":
    from ._commands.status import run

    return partial(run, access, as_json=as_json)


@_command
def device(*, access: "Access", as_json: options.AsJSON = False) -> "Start":
    from ._commands.device import run

    return partial(run, access, as_json=as_json)


@_command
def disconnect(
    *,
    access: "Access",
    yes: Annotated[bool, typer.Option("--yes", "-y")] = False,
    as_json: options.AsJSON = False,
) -> "Start":
    from ._commands.disconnect import run

    return partial(run, access, as_json=as_json, yes=yes)


@_command
def sandbox(
    *,
    host: options.Host = "127.0.0.1",
    port: options.Port = 0,
    token: options.SandboxToken = None,
    scan_after: options.ScanAfter = None,
) -> "Start":
    from ._commands.sandbox import run

    return partial(run, host, port, token, scan_after)


@_command
def demo(*, fast: Annotated[bool, typer.Option("--fast")] = False) -> "Start":
    from ._commands.demo import FAST, USUAL, run

    return partial(run, FAST if fast else USUAL)

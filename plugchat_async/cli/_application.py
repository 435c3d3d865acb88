"""The commands and their options. What each does is imported when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from plugchat_async import __version__

from ._access.client import Access
from ._access.options import (
    AllowInsecureHTTP,
    AsciiOnly,
    AsJSON,
    BaseURL,
    Debug,
    Interval,
    ScanAfter,
    Timeout,
    TokenFile,
)
from ._output.failures import reported

application = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"plugchat {__version__}")
        raise typer.Exit


@application.callback()
def plugchat(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Link a WhatsApp number through PlugChat.

    Try it without an account: plugchat demo

    Let your shell complete commands and options: plugchat --install-completion
    """


@application.command()
def pair(
    *,
    interval: Interval = 15.0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "--image",
            metavar="FILE",
            help="Keep the code on show in FILE too (.png or .svg); it is removed at the end.",
        ),
    ] = None,
    in_viewer: Annotated[
        bool, typer.Option("--open", help="Open the code, or the page, on this desktop.")
    ] = False,
    in_browser: Annotated[
        bool,
        typer.Option(
            "--web",
            help="Serve a live page to one browser on this machine, in place of codes here.",
        ),
    ] = False,
    ascii_only: AsciiOnly = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one event a line, as JSON, and ask nothing.")
    ] = False,
    token_file: TokenFile = None,
    base_url: BaseURL = None,
    allow_insecure_http: AllowInsecureHTTP = False,
    timeout: Timeout = 10.0,
    debug: Debug = False,
) -> None:
    """Link a phone: show codes, live, until one is scanned.

    After three codes you are asked whether to go on; without a terminal, it ends.

    Exit codes: 0 linked, 1 failure, 2 usage, 3 already connected, 4 no code was scanned,
    130 interrupted.

    \b
    Events of --json, each with "version": 1 and "event":
      code               payload, fetched_at, expires_at, round, rounds,
                         shown_for (seconds)
      connected          a code was scanned
      already_connected  before the first code
      expired            three codes, no scan
      failed             code (a stable word), message
    A payload is a secret while it lives: whoever has it can link a phone.
    """  # noqa: D301 - Click's mark for lines that stay as they are
    from ._commands import pair as _pair

    if in_browser and (output is not None or ascii_only or as_json):
        raise typer.BadParameter("--web goes with neither --output, --ascii nor --json")
    options = _pair.PairOptions(interval, output, in_viewer, ascii_only, as_json, in_browser)
    with reported(debug=debug):
        _pair.run(Access(token_file, base_url, allow_insecure_http, timeout), options)


@application.command()
def demo(
    *,
    fast: Annotated[
        bool, typer.Option("--fast", help="Finish in seconds, not half a minute.")
    ] = False,
    debug: Debug = False,
) -> None:
    """See a phone being linked, on this machine alone.

    It starts a PlugChat of its own, asks it for codes over HTTP, shows them, and lets a phone scan
    the second one. It needs no account, and no key pressed.
    """
    from ._commands import demo as _demo

    with reported(debug=debug):
        _demo.run(_demo.FAST if fast else _demo.USUAL)


@application.command()
def sandbox(
    *,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Listen on this address.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            metavar="PORT",
            min=0,
            max=65535,
            show_default=False,
            help="Listen on this port; without it, on a free one.",
        ),
    ] = 0,
    scan_after: ScanAfter = None,
    debug: Debug = False,
) -> None:
    """Serve a PlugChat of your own, to try your programs on.

    It prints what to set so that they reach it, then each call that comes. Ctrl-C stops it.
    """
    from ._commands import sandbox as _sandbox

    with reported(debug=debug):
        _sandbox.run(host, port, scan_after)


@application.command()
def qr(
    *,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save the code as FILE, which ends in .png or .svg."),
    ] = None,
    ascii_only: AsciiOnly = False,
    as_json: AsJSON = False,
    token_file: TokenFile = None,
    base_url: BaseURL = None,
    allow_insecure_http: AllowInsecureHTTP = False,
    timeout: Timeout = 10.0,
    debug: Debug = False,
) -> None:
    """Show one code, to be scanned within 20 seconds.

    Exit codes: 0 done, 1 failure, 2 usage, 3 already connected.
    """
    from ._commands import qr as _qr

    with reported(debug=debug, as_json=as_json):
        access = Access(token_file, base_url, allow_insecure_http, timeout)
        _qr.run(access, output, as_json=as_json, ascii_only=ascii_only)


@application.command()
def image(
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Save the image as FILE. Without it, or as -, write it to a pipe."
        ),
    ] = None,
    token_file: TokenFile = None,
    base_url: BaseURL = None,
    allow_insecure_http: AllowInsecureHTTP = False,
    timeout: Timeout = 10.0,
    debug: Debug = False,
) -> None:
    """Save one code as the image that PlugChat draws.

    Exit codes: 0 done, 1 failure, 2 usage, 3 already connected.
    """
    from ._commands import image as _image

    with reported(debug=debug):
        _image.run(Access(token_file, base_url, allow_insecure_http, timeout), output)


@application.command()
def status(
    *,
    as_json: AsJSON = False,
    token_file: TokenFile = None,
    base_url: BaseURL = None,
    allow_insecure_http: AllowInsecureHTTP = False,
    timeout: Timeout = 10.0,
    debug: Debug = False,
) -> None:
    """Tell whether a phone is linked. It spends no code."""
    from ._commands import status as _status

    with reported(debug=debug, as_json=as_json):
        _status.run(Access(token_file, base_url, allow_insecure_http, timeout), as_json=as_json)

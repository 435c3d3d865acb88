"""The options that several commands share."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from plugchat_async import _arguments, _environment

_WHERE = "Reaching PlugChat"


def _checked_by(check: Callable[[float], float]) -> Callable[[float | None], float | None]:
    def check_option(seconds: float | None) -> float | None:
        try:
            return None if seconds is None else check(seconds)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return check_option


Interval: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        callback=_checked_by(_arguments.check_interval),
        help="Show each code this long; at most 20.",
    ),
]

TokenFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Read the token from FILE. Without it, PLUGCHAT_TOKEN holds it, or you are asked.",
        rich_help_panel=_WHERE,
    ),
]

BaseURL: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar=_environment.BASE_URL_VARIABLE,
        show_envvar=False,
        help="The address up to /api/whatsapp. Without it, PLUGCHAT_BASE_URL or PlugChat's own.",
        rich_help_panel=_WHERE,
    ),
]

AllowInsecureHTTP: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--allow-insecure-http",
        help="Allow plain http to another machine.",
        rich_help_panel=_WHERE,
    ),
]

Timeout: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        callback=_checked_by(partial(_arguments.check_seconds, "timeout")),
        help="Wait this long for an answer, up to three times.",
        rich_help_panel=_WHERE,
    ),
]

ScanAfter: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        callback=_checked_by(partial(_arguments.check_seconds, "scan-after", may_be_zero=True)),
        help="Let a phone scan each code after this long.",
    ),
]

Debug: TypeAlias = Annotated[
    bool, typer.Option("--debug", help="Show where a failure came from. It holds no secrets.")
]

AsciiOnly: TypeAlias = Annotated[
    bool,
    typer.Option("--ascii", help="Draw the code with # and spaces: twice as high and as wide."),
]

AsJSON: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

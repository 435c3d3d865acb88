"""The options that several commands share."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from plugchat_async import _settings

_WHERE = "Reaching PlugChat"


def _check_seconds(seconds: float) -> float:
    try:
        return _settings.check_seconds("timeout", seconds)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _check_interval(seconds: float) -> float:
    try:
        return _settings.check_interval(seconds)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Interval: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", callback=_check_interval, help="Show each code this long; at most 20."
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
        envvar=_settings.BASE_URL_VARIABLE,
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
        callback=_check_seconds,
        help="Wait this long for an answer, up to three times.",
        rich_help_panel=_WHERE,
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

"""Options that several commands share. Their help texts are in `_texts`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from plugchat_async.cli._texts import text

_MAX_PORT = 65535


def _seconds(name: str) -> Callable[[str], float]:
    """Return a parser for a number of seconds, whose bounds the SDK knows."""

    def parse(value: str) -> float:
        # The SDK's checks need httpx and pydantic, which no help screen needs.
        from plugchat_async import _arguments

        try:
            seconds = float(value)
            if name == "interval":
                return _arguments.check_interval(seconds)
            return _arguments.check_seconds(name, seconds, may_be_zero=name == "scan_after")
        except ValueError:
            raise typer.BadParameter(text(f"usage.{name}")) from None

    return parse


def _port(value: str) -> int:
    if str(value).isdecimal() and int(value) <= _MAX_PORT:
        return int(value)
    raise typer.BadParameter(text("usage.port"))


def _host(value: str) -> str:
    if value.strip():
        return value.strip()
    raise typer.BadParameter(text("usage.host"))  # Python listens everywhere for an empty one


def _named(path: Path | None) -> Path | None:
    if path == Path():  # what an empty argument becomes, as from a variable that is not set
        raise typer.BadParameter(text("usage.file"))
    return path


def _token(value: str) -> str:
    # Imports are inside, as above.
    from pydantic import SecretStr

    from plugchat_async import _arguments

    try:
        return _arguments.check_token(SecretStr(value)).get_secret_value()
    except ValueError as error:
        reason = "quoted" if isinstance(error, _arguments.Quoted) else "unusable"
    raise typer.BadParameter(text(f"token.{reason}"))


Output: TypeAlias = Annotated[Path | None, typer.Option(metavar="FILE", callback=_named)]
CurrentCode: TypeAlias = Annotated[
    Path | None, typer.Option("--output", "--image", metavar="FILE", callback=_named)
]
Interval: TypeAlias = Annotated[float, typer.Option(metavar="SECONDS", parser=_seconds("interval"))]
ScanAfter: TypeAlias = Annotated[
    float | None, typer.Option(metavar="SECONDS", parser=_seconds("scan_after"))
]
Timeout: TypeAlias = Annotated[float, typer.Option(metavar="SECONDS", parser=_seconds("timeout"))]
Port: TypeAlias = Annotated[int, typer.Option(metavar="PORT", parser=_port, show_default=False)]
Host: TypeAlias = Annotated[str, typer.Option(metavar="HOST", parser=_host)]
SandboxToken: TypeAlias = Annotated[str | None, typer.Option(metavar="TOKEN", parser=_token)]
TokenFile: TypeAlias = Annotated[Path | None, typer.Option(metavar="FILE", callback=_named)]
BaseURL: TypeAlias = Annotated[
    str | None, typer.Option(metavar="URL", envvar="PLUGCHAT_BASE_URL", show_envvar=False)
]
AllowInsecureHTTP: TypeAlias = Annotated[bool, typer.Option("--allow-insecure-http")]
Debug: TypeAlias = Annotated[bool, typer.Option("--debug")]
AsciiOnly: TypeAlias = Annotated[bool, typer.Option("--ascii")]
Compact: TypeAlias = Annotated[bool, typer.Option("--compact")]
AsJSON: TypeAlias = Annotated[bool, typer.Option("--json")]

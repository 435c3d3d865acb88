"""The client of a command, made from the options that all commands share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from plugchat_async import AsyncPlugChat, _arguments
from plugchat_async.cli import _event_loop
from plugchat_async.cli._output.failures import Failure

from .token import find_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from pydantic import SecretStr

T = TypeVar("T")


def import_for_calls() -> None:
    """Import the modules that calls need, as the first client would after the prompt."""
    AsyncPlugChat("any", base_url="http://localhost")


@dataclass(frozen=True)
class Access:
    """Options that say how to reach PlugChat."""

    token_file: Path | None
    base_url: str | None
    allow_insecure_http: bool
    timeout: float

    def client(self) -> AsyncPlugChat:
        """Make a client for one event loop; the first may ask for the token at the terminal.

        Raises:
            Failure: The base URL or the token can't be used.
        """
        base_url = self._checked_base_url()  # first, so that nobody types a token in vain
        return AsyncPlugChat(
            self._token,
            base_url=base_url,
            timeout=self.timeout,
            allow_insecure_http=self.allow_insecure_http,
        )

    @cached_property
    def _token(self) -> SecretStr:
        return find_token(self.token_file)

    def _checked_base_url(self) -> str | None:
        try:
            return _arguments.check_base_url(
                self.base_url, allow_insecure_http=self.allow_insecure_http
            )
        except _arguments.Quoted:
            raise Failure("base_url_quoted") from None
        except _arguments.Unencrypted:
            raise Failure("base_url_insecure") from None
        except ValueError:
            raise Failure("base_url_unusable") from None


def call(client: AsyncPlugChat, method: Callable[[AsyncPlugChat], Awaitable[T]]) -> T:
    """Call one method of a client, and close the client."""

    async def call_once() -> T:
        async with client:
            return await method(client)

    return _event_loop.run(call_once)

"""The client of a command, made from the options that all commands share."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, TypeVar

from plugchat_async import AsyncPlugChat, _arguments
from plugchat_async.cli import _event_loop
from plugchat_async.cli._output.failures import Failure

from .token import find_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

T = TypeVar("T")


class Access:
    """Access to PlugChat, by the options that all commands share.

    Raises:
        Failure: The base URL can't be used.
    """

    def __init__(
        self,
        token_file: Path | None,
        base_url: str | None,
        allow_insecure_http: bool,
        timeout: float,
        *,
        may_ask: bool = True,
    ) -> None:
        self._token = cache(partial(find_token, token_file, may_ask=may_ask))
        self._make = partial(
            AsyncPlugChat,
            base_url=base_url,
            timeout=timeout,
            allow_insecure_http=allow_insecure_http,
        )
        try:
            self._make("any")  # imports what calls need, and nobody types a token in vain
        except _arguments.Quoted:
            raise Failure("base_url_quoted") from None
        except _arguments.Unencrypted:
            raise Failure("base_url_insecure") from None
        except ValueError:
            raise Failure("base_url_unusable") from None

    def client(self) -> AsyncPlugChat:
        """Make a client for one event loop; the first may ask for the token at the terminal.

        Raises:
            Failure: There is no token, or it can't be used.
        """
        return self._make(self._token())


def call(client: AsyncPlugChat, method: Callable[[AsyncPlugChat], Awaitable[T]]) -> T:
    """Call one method of a client, and close the client."""

    async def call_once() -> T:
        async with client:
            return await method(client)

    return _event_loop.run(call_once)

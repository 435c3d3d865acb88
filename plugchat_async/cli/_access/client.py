"""How a command reaches PlugChat: the options that all of them share, and the client."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from plugchat_async import AsyncPlugChat, _arguments
from plugchat_async.cli._output.exit_codes import ExitCode
from plugchat_async.cli._output.failures import Failure
from plugchat_async.cli._texts import texts

from .token import find_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Access:
    """Hold what the options say."""

    token_file: Path | None
    base_url: str | None
    allow_insecure_http: bool
    timeout: float

    def client(self) -> AsyncPlugChat:
        """Make the client; it may ask for the token at the terminal.

        Raises:
            Failure: The base URL or the token can't be used.
        """
        return self.clients()()

    def clients(self) -> Callable[[], AsyncPlugChat]:
        """Find the token once, for several clients: each event loop needs its own.

        Raises:
            Failure: The base URL or the token can't be used.
        """
        self._check_base_url()
        return partial(
            AsyncPlugChat,
            find_token(self.token_file),
            base_url=self.base_url,
            timeout=self.timeout,
            allow_insecure_http=self.allow_insecure_http,
        )

    def _check_base_url(self) -> None:
        try:
            _arguments.check_base_url(self.base_url, allow_insecure_http=True)
        except ValueError:
            is_quoted = _arguments.is_quoted(self.base_url or "")
            sentences = texts().base_url_quoted if is_quoted else texts().base_url_unusable
            raise Failure(sentences, ExitCode.USAGE) from None
        try:
            _arguments.check_base_url(self.base_url, allow_insecure_http=self.allow_insecure_http)
        except ValueError:
            raise Failure(texts().base_url_insecure, ExitCode.USAGE) from None

"""The subscription by which a process hears what the others change."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

import anyio
from coredis.retry import NoRetryPolicy

from ._outages import FAILURES, first_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    import coredis

    from ._outages import OutageLog

    Client: TypeAlias = (
        coredis.Redis[bytes]
        | coredis.Redis[str]
        | coredis.RedisCluster[bytes]
        | coredis.RedisCluster[str]
    )
    Text: TypeAlias = bytes | str

logger = logging.getLogger("plugchat_async")

# Without traffic for so long, the subscription is checked.
_MAX_SILENCE = 5
_RESUBSCRIBE_AFTER = 0.25


class Subscription:
    """Subscription to a channel, which is made again whenever it fails.

    Args:
        channel: The channel.
        timeout: Seconds for a command.
        outages: Log of what makes it fail.
    """

    def __init__(self, channel: str, timeout: float, outages: OutageLog) -> None:
        self._channel = channel
        self._timeout = timeout
        self._outages = outages
        self._is_refused = False

    async def listen(
        self,
        client: Client,
        on_message: Callable[[Text], None],
        on_subscribed: Callable[[], None],
    ) -> None:
        """Subscribe, and hear until that fails.

        Args:
            client: The client.
            on_message: Called with each message.
            on_subscribed: Called once nothing is missed any more.
        """
        has_subscribed = False
        try:
            async with client.pubsub(
                channels=[self._channel],
                ignore_subscribe_messages=True,
                retry_policy=NoRetryPolicy(),
                max_idle_seconds=_MAX_SILENCE,
            ) as subscription:
                self._is_refused, has_subscribed = False, True
                on_subscribed()
                while True:
                    if message := await subscription.get_message():
                        on_message(cast("Text", message["data"]))
        except* FAILURES as group:
            cause = self._outages.cause_of(first_of(group))
        # When it is cancelled, coredis fails as well, which is nothing to complain about, akin to
        # https://github.com/alisaifee/coredis/issues/282.
        await anyio.sleep(_RESUBSCRIBE_AFTER)
        if self._is_refused:
            return
        # coredis 6.9 reports a refused subscription as a time-out: it drops the error, and waits
        # for an acknowledgement since https://github.com/alisaifee/coredis/pull/325. No issue is
        # open.
        self._is_refused = not has_subscribed and await self._responds(client)
        if self._is_refused:
            logger.warning(
                "changes of the pairing sessions will show up late, within 4 s:"
                " check that Redis permits the user to subscribe to %s (%s)",
                self._channel,
                cause,
            )
        else:
            self._outages.write(cause)

    async def _responds(self, client: Client) -> bool:
        try:
            with anyio.fail_after(self._timeout):
                return bool(await client.ping())
        except FAILURES:
            return False

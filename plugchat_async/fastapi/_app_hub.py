"""Which hub the routes use, and for how long it is open."""

from __future__ import annotations

import logging
import sys
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from plugchat_async import PairingHub

from ._workers import has_several_workers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fastapi import FastAPI

    from plugchat_async._end_hook import OnEnd

logger = logging.getLogger("plugchat_async")

_SEVERAL_WORKERS = (
    "the server runs several workers, each with a separate PairingHub: pages of one instance would"
    " request codes that invalidate each other's. Pass hub=RedisPairingHub(...) to"
    " pairing_router(), as the guide 'Many workers' shows:"
    " https://github.com/plugchat-async/plugchat-async/blob/main/docs/guides/workers.md"
)
# A page on which one phone is linked has a few watchers; more than this is a loop or an attack.
_MAX_WATCHERS = 100


class AppHub:
    """The hub of an app: the one passed in, or a separate one for as long as the app runs."""

    def __init__(self, given: PairingHub | None, on_end: OnEnd | None = None) -> None:
        self._hub = given
        self._app: FastAPI | None = None
        self._on_end = on_end
        self._is_checked = False

    @property
    def hub(self) -> PairingHub:
        """The hub to use now.

        Raises:
            RuntimeError: There is none, since the app's lifespan does not run.
        """
        if self._hub is None:
            raise RuntimeError(
                "the pairing page has no hub: it opens one in the lifespan of the app, which does"
                " not run for an app that is mounted, nor for a test client that is not entered."
                " Pass hub=... and enter that hub in the lifespan of the outer app"
            )
        return self._hub

    @property
    def is_alone(self) -> bool:
        """Whether all requests reach this hub, as far as can be told: there is no other process."""
        return not self._is_shared and not self._has_several_workers

    def warn_of_several_workers(self) -> None:
        """Log once that other workers do not share the sessions of a hub in memory."""
        if self._is_checked:
            return
        self._is_checked = True
        if not self._is_shared and self._has_several_workers:
            logger.warning(_SEVERAL_WORKERS)

    @property
    def _is_shared(self) -> bool:
        # Whoever has a hub over Redis has imported it, and nobody else should have to.
        redis = sys.modules.get("plugchat_async.redis")
        return redis is not None and isinstance(self._hub, redis.RedisPairingHub)

    @cached_property
    def _has_several_workers(self) -> bool:
        return has_several_workers()

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncGenerator[None]:
        """Open a hub for as long as the app runs, unless there is one.

        Raises:
            RuntimeError: Another app runs with the hub of this router.
        """
        if self._app not in {None, app}:
            raise RuntimeError(
                "this pairing router is a part of another app that runs in this process, whose"
                " hub would end with that app: make a router for each app, by calling"
                " pairing_router() twice"
            )
        self.warn_of_several_workers()
        if self._hub is not None:
            yield
            return
        async with PairingHub(max_watchers=_MAX_WATCHERS, on_end=self._on_end) as hub:
            self._hub, self._app = hub, app
            try:
                yield
            finally:
                self._hub = self._app = None

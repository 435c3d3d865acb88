"""Local PlugChat simulator: its instances, its phone, the ordered responses and the record."""

from __future__ import annotations

import difflib
import re
import threading
import time
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

import httpx

from plugchat_async import AsyncPlugChat

from ._answers import (
    ANSWERS,
    BY_NAME,
    ENDPOINTS,
    QR_ENDPOINTS,
    UNAUTHORIZED,
    Endpoint,
    Reply,
)
from ._application import PREFIX, application
from ._control import Control
from ._drawing import jpeg
from ._instance import MAX_PAYLOAD_SIZE, MIN_PAYLOAD_SIZE, Instance
from ._record import Action, Call, Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from starlette.types import Receive, Scope, Send

DEFAULT_TOKEN = "sandbox-token"  # noqa: S105 - opens the sandbox only
DEFAULT_PHONE = "5511999990000"

# E.164: a country code, which never begins with 0, and at most 15 digits in all.
_PHONE_NUMBER = re.compile(r"[1-9][0-9]{6,14}")
_NOT_RESPONSES = {"network_error": "httpx.ConnectError", "request_timeout": "httpx.ReadTimeout"}


@dataclass(slots=True)
class _Order:
    """Ordered response, the calls that it is meant for, and how many more of them."""

    answer: str
    times: int
    endpoint: Endpoint | None
    token: str | None = field(repr=False)

    def fits(self, endpoint: Endpoint, token: str) -> bool:
        return (
            endpoint in BY_NAME[self.answer].endpoints
            and self.endpoint in {None, endpoint}
            and self.token in {None, token}
        )


class Sandbox:
    """Local PlugChat simulator, an ASGI application, with a phone that scans.

    It responds to `GET /api/whatsapp/qr-code`, `/qr-code/image`, `/status`, `/device`,
    `/disconnect`, `/restore-session` and `/restart` as PlugChat documents them
    (https://app.plugchat.com.br), and with every other response known of its family on demand. Each
    token identifies a separate instance. Each code invalidates the previous one, and expires 20 s
    after it was issued. It may be used from several threads.

    Args:
        tokens: The tokens that are accepted; None accepts any token that is not empty.
        clock: Seconds on a clock that never runs backwards. With a loop in virtual time, pass
            `anyio.current_time`, and make the sandbox inside of that loop. `serve()` reads the
            clock from a separate thread, so there it has to be one that any thread can read.
        payload_size: Characters of each payload, 60 to 237; the default is as long as real ones. A
            symbol has 57 modules a side for 237 characters, and 33 for up to 78: drawn in half
            blocks, the smaller one fits a terminal of 80 x 24.

    Raises:
        TypeError: `tokens` is one string, or `payload_size` is not an int.
        ValueError: One of `tokens` is empty, or `payload_size` is out of its range.
    """

    def __init__(
        self,
        *,
        tokens: Iterable[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        payload_size: int = MAX_PAYLOAD_SIZE,
    ) -> None:
        if isinstance(tokens, str):
            raise TypeError("tokens has to be several strings, such as a list, not one string")
        self._tokens = None if tokens is None else frozenset(tokens)
        if self._tokens is not None and "" in self._tokens:
            raise ValueError("tokens holds an empty one, which no request can carry")
        if not isinstance(payload_size, int):
            raise TypeError(f"payload_size must be an int, not {type(payload_size).__name__}")
        if not MIN_PAYLOAD_SIZE <= payload_size <= MAX_PAYLOAD_SIZE:
            raise ValueError(
                f"payload_size must be between {MIN_PAYLOAD_SIZE} and {MAX_PAYLOAD_SIZE}"
                f" characters, not {payload_size}"
            )
        self._clock = clock
        self._payload_size = payload_size
        self._made_at = clock()
        self._instances: dict[str, Instance] = {}
        self._orders: list[_Order] = []
        self._calls: list[Call] = []
        self._scans: list[Scan] = []
        self._actions: list[Action] = []
        self._scan_after: float | None = None
        self._scans_since = self._made_at
        self._lock = threading.Lock()
        control = Control(self, self._codes, self._note)
        self._application = application(self._answer, control.routes())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond as an ASGI application, so that any ASGI server can run the sandbox."""
        await self._application(scope, receive, send)

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls that reached an endpoint so far, in order."""
        with self._lock:
            return tuple(self._calls)

    @property
    def scans(self) -> tuple[Scan, ...]:
        """The scans that linked a phone so far, in order, including those of `scan_after()`.

        While `scan_after()` is on, this reads the sandbox's clock.
        """
        with self._lock:
            self._scan_what_is_due()
            return tuple(self._scans)

    @property
    def actions(self) -> tuple[Action, ...]:
        """The actions that were requested over HTTP so far, in order."""
        with self._lock:
            return tuple(self._actions)

    def client(
        self,
        token: str = DEFAULT_TOKEN,
        *,
        timeout: float = 10.0,
        retries: int = 2,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncPlugChat:
        """Make a client that talks to this sandbox in-process, on asyncio and trio.

        It opens nothing, so leaving it unclosed leaks nothing.

        Args:
            token: The token to send; one of `tokens`, if those were given, or else the response is
                401.
            timeout: Seconds for one attempt, as for `AsyncPlugChat`.
            retries: Further attempts after a transient failure, 0 or more.
            headers: Extra headers for each call.

        Raises:
            ValueError: `AsyncPlugChat` refuses an argument.
            TypeError: `AsyncPlugChat` refuses an argument.
        """
        return AsyncPlugChat(
            token,
            # RFC 6761: localhost and all below it never leave the machine.
            base_url=f"http://sandbox.localhost{PREFIX}",
            timeout=timeout,
            retries=retries,
            headers=headers,
            http_client=httpx.AsyncClient(transport=httpx.ASGITransport(self), trust_env=False),
        )

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> AbstractAsyncContextManager[str]:
        """Serve the sandbox over a socket, on asyncio and trio; needs the extra `[sandbox]`.

        Args:
            host: The IPv4 or IPv6 address, or name, to listen on.
            port: 0 for any free port, else 1 to 65535.

        Returns:
            A context manager that gives the base URL, `http://127.0.0.1:PORT/api/whatsapp`. It
            takes connections from its start, and stops within a second at its end.

        Raises:
            ImportError: Uvicorn is not installed.
            OSError: On entering: the port is taken, or the host is not one of this machine's.
            ValueError: On entering: there is no such port, or the host is empty.
        """
        from ._server import serve

        return serve(self, host=host, port=port)

    def scan(self, payload: str, phone: str = DEFAULT_PHONE) -> bool:
        """Scan a code with a phone, whichever instance it belongs to.

        Args:
            payload: The text that the QR code encodes.
            phone: The phone's number, which `/device` returns from then on: 7 to 15 digits, with
                the country code.

        Returns:
            True when that linked the phone: the code was valid, and none was connected yet.

        Raises:
            ValueError: `phone` is not such a number.
        """
        if not _PHONE_NUMBER.fullmatch(phone):
            raise ValueError(
                "phone must be 7 to 15 digits with the country code and nothing else,"
                f" such as {DEFAULT_PHONE}"
            )
        with self._lock:
            self._scan_what_is_due()
            now = self._clock()
            return any(
                self._scan(instance, payload, phone, now) for instance in self._instances.values()
            )

    def current_code(self, token: str = DEFAULT_TOKEN) -> str | None:
        """Return the payload of the current code of one instance.

        Args:
            token: The instance's token.

        Returns:
            The payload, which may have expired; None before the first code and once it was
            invalidated without a new one.

        Raises:
            ValueError: The sandbox does not let that token in.
        """
        with self._lock:
            return self._instance(token).payload

    def scan_after(self, seconds: float | None) -> None:
        """Let a phone scan each code by itself, some seconds after it was issued.

        The scans follow the sandbox's clock and are on time: each later call, `scan()` and `scans`
        find the phone linked. A current code whose time has passed is scanned immediately.

        Args:
            seconds: The time from the issue of a code to its scan, 0 or more seconds. From 20 on
                the code has expired, and no scan succeeds. None switches it off.

        Raises:
            ValueError: `seconds` is negative or not a number.
        """
        if seconds is not None and not seconds >= 0:
            raise ValueError(f"seconds must be 0 or more, or None, not {seconds}")
        with self._lock:
            self._scan_what_is_due()
            self._scan_after = seconds
            self._scans_since = self._clock()

    def disconnect(self, token: str | None = None) -> None:
        """Unlink the phone of an instance, as its owner would on the phone.

        Args:
            token: The instance's token; None for each instance that was called before.

        Raises:
            ValueError: The sandbox does not let that token in.
        """
        with self._lock:
            self._scan_what_is_due()
            for instance in self._chosen(token):
                instance.disconnect()

    def lose_session(self, token: str | None = None) -> None:
        """Make `/status` of an instance return that the session has to be restored.

        `/restore-session` restores it if a phone is linked, and a scan links a phone again. Until
        then the QR endpoints issue codes. The current code is invalidated.

        Args:
            token: The instance's token; None for each instance that was called before.

        Raises:
            ValueError: The sandbox does not let that token in.
        """
        with self._lock:
            self._scan_what_is_due()
            for instance in self._chosen(token):
                instance.lose_session()

    def answer_next(
        self,
        name: str | None,
        *,
        times: int = 1,
        endpoint: Endpoint | None = None,
        token: str | None = None,
    ) -> None:
        """Order a response for the next calls, instead of the usual one.

        Orders are served first come, first served: a call gets the oldest one that fits it, and a
        client's further attempts are calls, too. A response that carries a code fits the QR
        endpoints only, `status` and `session_lost` fit `/status` only, `device` fits `/device`
        only; until such a call comes, they wait. The codes are real: scanning one links the phone.
        A call whose token is not accepted gets 401 and leaves the orders alone.

        Args:
            name: One of `ANSWERS`; the SDK's error codes are among them, except `network_error` and
                `request_timeout`, which are not responses. None cancels all that was ordered.
            times: For how many calls, 1 or more.
            endpoint: Only for calls of this endpoint; None for any.
            token: Only for calls of this token's instance; None for any.

        Raises:
            ValueError: There is no such response or endpoint, that endpoint never returns it,
                `times` is less than 1, or the sandbox does not let that token in.
            ImportError: `image_jpeg` was ordered and Pillow is not installed.
        """
        if name is None:
            with self._lock:
                self._orders.clear()
            return
        if name not in ANSWERS:
            raise ValueError(_unknown_response(name))
        if endpoint is not None and endpoint not in ENDPOINTS:
            raise ValueError(f"endpoint has to be one of {', '.join(ENDPOINTS)}, not {endpoint!r}")
        if endpoint is not None and endpoint not in BY_NAME[name].endpoints:
            raise ValueError(f"{endpoint} never returns {name!r}")
        if times < 1:
            raise ValueError(f"times has to be 1 or more, not {times}")
        if name == "image_jpeg":
            jpeg(name)  # fails here, and not when a call is waiting for it
        with self._lock:
            if token is not None:
                self._instance(token)
            self._orders.append(_Order(name, times, endpoint, token))

    def _answer(self, endpoint: Endpoint, token: str | None) -> Reply:
        with self._lock:
            self._scan_what_is_due()
            number = None
            if token is None or not self._lets_in(token):
                name, reply = "unauthorized", UNAUTHORIZED
            else:
                instance = self._instance(token)
                number = instance.number
                name = self._ordered(endpoint, token) or _usual(endpoint, instance)
                reply = BY_NAME[name].reply(instance, endpoint)
            at = self._clock() - self._made_at
            self._calls.append(Call(endpoint, at, token, reply.status, name, number))
            return reply

    def _note(self, name: str, status: int, detail: str, token: str | None) -> None:
        with self._lock:
            instance = self._instances.get(token) if token else None
            number = None if instance is None else instance.number
            at = self._clock() - self._made_at
            self._actions.append(Action(name, at, status, detail, number))

    def _scan_what_is_due(self) -> None:
        if self._scan_after is None:
            return
        now = self._clock()
        known = len(self._scans)
        for instance in self._instances.values():
            at = max(instance.issued_at + self._scan_after, self._scans_since)
            if at <= now and instance.payload is not None:
                self._scan(instance, instance.payload, DEFAULT_PHONE, at)
        self._scans[known:] = sorted(self._scans[known:], key=attrgetter("at"))

    def _scan(self, instance: Instance, payload: str, phone: str, at: float) -> bool:
        if not instance.scan(payload, phone, at):
            return False
        scan = Scan(at - self._made_at, instance.token, phone, instance.number)
        self._scans.append(scan)
        return True

    def _lets_in(self, token: str) -> bool:
        return token != "" if self._tokens is None else token in self._tokens

    def _instance(self, token: str) -> Instance:
        if not self._lets_in(token):
            raise ValueError("the sandbox does not let this token in: it was started with others")
        if token not in self._instances:
            number = len(self._instances) + 1
            self._instances[token] = Instance(token, number, self._clock, self._payload_size)
        return self._instances[token]

    def _chosen(self, token: str | None) -> list[Instance]:
        if token is not None:
            return [self._instance(token)]
        named = {DEFAULT_TOKEN} if self._tokens is None else self._tokens
        return [self._instance(each) for each in named | self._instances.keys()]

    def _codes(self, token: str | None) -> list[str]:
        with self._lock:
            return [each.payload for each in self._chosen(token) if each.payload is not None]

    def _ordered(self, endpoint: Endpoint, token: str) -> str | None:
        for place, order in enumerate(self._orders):
            if order.fits(endpoint, token):
                order.times -= 1
                if order.times == 0:
                    del self._orders[place]
                return order.answer
        return None


def _usual(endpoint: Endpoint, instance: Instance) -> str:
    if endpoint in QR_ENDPOINTS:
        return "already_connected" if instance.connected else "code"
    return endpoint.removeprefix("/").replace("-", "_")


def _unknown_response(name: str) -> str:
    if name in _NOT_RESPONSES:
        return (
            f"{name!r} is not a response: for a client that meets it, pass"
            " http_client=httpx.AsyncClient(transport=httpx.MockTransport(handler))"
            f" to AsyncPlugChat, with a handler that raises {_NOT_RESPONSES[name]}"
        )
    near = difflib.get_close_matches(name, ANSWERS)
    advice = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(ANSWERS)}"
    return f"no response is called {name!r}; {advice}"

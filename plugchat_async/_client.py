"""Client with a method for each endpoint."""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Self

from . import _arguments, _environment, _stream, _wire
from ._errors import UnexpectedResponse
from ._http.borrowed import BorrowedClient
from ._http.calls import Call, Calls
from ._http.connection import CLOSED
from ._http.credentials import Credentials
from ._http.pool import Pool
from ._models import CODE_LIFETIME, QRCode, QRImage
from ._pairing import Pairing
from ._requests import Requests
from ._schedule import (
    DEFAULT_INTERVAL,
    DEFAULT_MAX_ROUNDS,
    DEFAULT_STATUS_INTERVAL,
    Fetched,
    Schedule,
)
from ._threads import run_decoding, run_drawing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
    from types import TracebackType
    from typing import TypeVar

    import httpx
    from pydantic import SecretStr

    from ._errors import ResponseError
    from ._http.borrowed import AsyncHTTPClient
    from ._http.calls import Connections, Permit, Result
    from ._models import Device, InstanceStatus

    T = TypeVar("T")


class AsyncPlugChat:
    """Client of PlugChat for one instance, and so for one WhatsApp number.

    One pool of connections serves all calls, and those of the clients made by `for_token()`. Use
    it as an asynchronous context manager, or close it with `aclose()`. Nothing is sent before the
    first call. It serves one event loop after another, each with separate connections.

    Args:
        token: The instance's token, sent unchanged in the header `Authorization`. None takes the
            environment variable `PLUGCHAT_TOKEN`.
        base_url: The address up to and including `/api/whatsapp`, for all endpoints. None takes
            the environment variable `PLUGCHAT_BASE_URL`; without it each endpoint goes to the host
            that PlugChat documents for it.
        timeout: Seconds for one attempt, from sending to the last byte; more than 0.
        retries: Further attempts after a transient failure; 0 or more.
        headers: Extra headers for each call, such as the `Client-Token` that some accounts need.
        max_connections: The size of the built-in pool, at least 1. Calls beyond it wait their turn,
            outside of `timeout`.
        allow_insecure_http: Allow plain http to a host that is not loopback.
        http_client: A user-supplied `AsyncClient` of httpx or httpx2, shared and never closed
            here. Its pool, hooks, proxies, transports and headers apply; `max_connections`, its
            `auth` and its cookies do not: the token alone identifies the caller. A retry goes over
            the connection that its pool picks, which may be closed too. It serves
            one running event loop of one process at a time.
        name: Your own name for the instance, such as a tenant's id. It is shown in `repr()` and in
            the log, so it must not be a secret; control characters are refused.

    Raises:
        ValueError: An argument is out of range, or there is no token.
        TypeError: An argument is of the wrong type.
    """

    # A traceback that renders locals asks for the repr of a client half made.
    _base_url: str | None = None
    _name: str | None = None

    def __init__(
        self,
        token: str | SecretStr | None = None,
        *,
        base_url: str | None = None,
        timeout: float = 10.0,
        retries: int = 2,
        headers: Mapping[str, str] | None = None,
        max_connections: int = 100,
        allow_insecure_http: bool = False,
        http_client: httpx.AsyncClient | AsyncHTTPClient | None = None,
        name: str | None = None,
    ) -> None:
        # A traceback of a refusal may render these locals.
        token = _environment.token() if token is None else _arguments.seal(token)
        extra_headers = _arguments.seal_headers({} if headers is None else headers)
        url = _arguments.seal_base_url(_environment.base_url() if base_url is None else base_url)
        del headers, base_url
        self._credentials = Credentials(
            _arguments.check_token(token), _arguments.check_headers(extra_headers)
        )
        self._base_url = _arguments.check_base_url(url, allow_insecure_http=allow_insecure_http)
        self._name = _arguments.check_name(name)
        timeout = _arguments.check_seconds("timeout", timeout)
        retries = _arguments.check_count("retries", retries, at_least=0)
        max_connections = _arguments.check_count("max_connections", max_connections, at_least=1)
        connections: Connections
        if http_client is None:
            is_here = _arguments.is_on_this_machine(self._base_url)
            connections = Pool(max_connections, uses_proxies=not is_here)
        else:
            connections = BorrowedClient(http_client)
        self._calls = Calls(connections, timeout=timeout, retries=retries)
        self._owns_connections = True
        self._is_closed = False

    async def qr_code(self) -> QRCode:
        """Request a code as text.

        If the API returns an image anyway, the code is decoded from it, with the extra `[decode]`.

        Returns:
            The code, which is valid for 20 seconds.

        Raises:
            AlreadyConnected: The instance is linked to a phone.
            PlugChatError: Any other failure; transient ones have been retried.
            RuntimeError: The client was closed.

        Source: `GET https://app.plugchat.com.br/api/whatsapp/qr-code`
        """
        return (await self._fetch_code(1, 1)).code

    async def qr_code_image(self) -> QRImage:
        """Request a code as an image.

        If the API returns text anyway, it is drawn as a PNG.

        Returns:
            The image, whose code is valid for 20 seconds.

        Raises:
            AlreadyConnected: The instance is linked to a phone.
            PlugChatError: Any other failure; transient ones have been retried.
            RuntimeError: The client was closed.

        Source: `GET https://www.plugchat.com.br/api/whatsapp/qr-code/image`
        """
        result = await self._ask_for_code(_wire.QR_CODE_IMAGE)
        if isinstance(result.value, _wire.ImageFile):
            image = result.value
        else:
            code = QRCode(payload=result.value.payload)
            image = _wire.ImageFile(await run_drawing(code.png), "image/png")
        return QRImage(data=image.data, media_type=image.media_type, fetched_at=result.asked_at)

    def qr_stream(
        self, *, interval: float = DEFAULT_INTERVAL, max_rounds: int = DEFAULT_MAX_ROUNDS
    ) -> AsyncGenerator[QRCode, None]:
        """Request a fresh code each `interval` seconds, and stop after `max_rounds`.

        The first code is fetched at the first iteration. After the last one the stream waits
        `interval` seconds more, and ends.

        Args:
            interval: Seconds from one code to the next, more than 0 and at most 20; the API's
                documentation asks for 10 to 20.
            max_rounds: The most codes to request, at least 1; the API's documentation asks to stop
                after 3.

        Returns:
            An asynchronous generator of codes. Iterating it raises what `qr_code()` does, and
            `AlreadyConnected` with `after_scan=True` when one of its codes was scanned.

        Raises:
            ValueError: An argument is out of range.
            TypeError: An argument is of the wrong type.

        Source: `GET https://app.plugchat.com.br/api/whatsapp/qr-code`
        """
        return _stream.rounds(self._fetch_code, Schedule(interval, max_rounds))

    async def status(self) -> InstanceStatus:
        """Request whether the instance is linked to a phone. No code is requested.

        Returns:
            The state of the instance.

        Raises:
            PlugChatError: The API gave no usable response; transient failures have been retried.
            RuntimeError: The client was closed.

        Source: `GET https://app.plugchat.com.br/api/whatsapp/status`
        """
        result = await self._calls.make(self._call(_wire.STATUS, _wire.read_status))
        return result.value

    async def device(self) -> Device:
        """Request which phone is linked. No code is requested.

        Returns:
            The phone; without one, a `Device` of Nones.

        Raises:
            PlugChatError: The API gave no usable response; transient failures have been retried.
            RuntimeError: The client was closed.

        Source: `GET https://app.plugchat.com.br/api/whatsapp/device`
        """
        result = await self._calls.make(self._call(_wire.DEVICE, _wire.read_device))
        return result.value

    async def disconnect(self) -> None:
        """Unlink the phone. It is sent once, never again.

        Raises:
            PlugChatError: The API did not confirm it. After a `NetworkError` it may have happened
                all the same: ask `status()`.
            RuntimeError: The client was closed, or its `http_client` runs on aiohttp, which would
                send it again by itself.

        Source: `GET https://app.plugchat.com.br/api/whatsapp/disconnect`
        """
        await self._send(_wire.DISCONNECT)

    async def restore_session(self) -> None:
        """Reconnect to the phone that was linked, without a scan. It is sent once, never again.

        `InstanceStatus.needs_restore` is true when the API asks for it.

        Raises:
            PlugChatError: The API did not confirm it. After a `NetworkError` it may have happened
                all the same: ask `status()`.
            RuntimeError: The client was closed, or its `http_client` runs on aiohttp, which would
                send it again by itself.

        Source: `GET https://app.plugchat.com.br/api/whatsapp/restore-session`
        """
        await self._send(_wire.RESTORE_SESSION)

    async def restart(self) -> None:
        """Restart the instance, which keeps its phone. It is sent once, never again.

        Raises:
            PlugChatError: The API did not confirm it. After a `NetworkError` it may have happened
                all the same: ask `status()`.
            RuntimeError: The client was closed, or its `http_client` runs on aiohttp, which would
                send it again by itself.

        Source: `GET https://app.plugchat.com.br/api/whatsapp/restart`
        """
        await self._send(_wire.RESTART)

    def pairing(
        self,
        *,
        interval: float = DEFAULT_INTERVAL,
        max_rounds: int = DEFAULT_MAX_ROUNDS,
        status_interval: float | None = DEFAULT_STATUS_INTERVAL,
    ) -> Pairing:
        """Make a session that shows codes until one is scanned, or none is left.

        Beyond what `qr_stream()` does, it requests `/status` between codes, so that a scan is seen
        within about `status_interval` seconds, and a scan of the last code counts.

        Args:
            interval: Seconds from one code to the next, more than 0 and at most 20; the API's
                documentation asks for 10 to 20.
            max_rounds: The most codes to request, at least 1; the API's documentation asks to stop
                after 3.
            status_interval: Seconds from one request of `/status` to the next, more than 0; None
                for none.

        Returns:
            The session: iterate it for the codes, then read its `outcome`. Nothing is sent before.

        Raises:
            ValueError: An argument is out of range.
            TypeError: An argument is of the wrong type.

        Source: `GET https://app.plugchat.com.br/api/whatsapp/qr-code` and
        `GET https://app.plugchat.com.br/api/whatsapp/status`
        """
        return Pairing(requests_of(self), Schedule(interval, max_rounds, status_interval))

    def for_token(self, token: str | SecretStr, *, name: str | None = None) -> Self:
        """Make a client for another instance over the same connections.

        It shares everything but token and name: base URL, extra headers, time-outs, retries.
        Closing it closes no connection; closing the client that it comes from does.

        Args:
            token: The other instance's token.
            name: Your own name for that instance; None for none.

        Returns:
            The client, made at the cost of a small object.

        Raises:
            ValueError: The token is empty or can't be sent as a header, or the name has control
                characters.
            TypeError: The token is neither a str nor a SecretStr, or the name is not a str.
            RuntimeError: This client was closed.
        """
        token = _arguments.seal(token)
        self._check_open()
        other = copy.copy(self)
        other._name = _arguments.check_name(name)
        other._credentials = self._credentials.with_token(_arguments.check_token(token))
        other._owns_connections = False
        return other

    @property
    def instance_key(self) -> bytes:
        """Digest of base URL and token: equal for two clients of one instance.

        It identifies an instance in a dictionary or a log without showing its token, and differs
        from one process to the next.
        """
        return self._credentials.digest(self._base_url or _wire.QR_CODE.documented_base_url)

    async def aclose(self) -> None:
        """Close the connections that belong to this client. Closing twice does nothing."""
        self._is_closed = True
        if self._owns_connections:
            await self._calls.connections.aclose()

    async def __aenter__(self) -> Self:
        self._check_open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        base_url = self._base_url or _wire.QR_CODE.documented_base_url
        name = "" if self._name is None else f", name={self._name!r}"
        return f"{type(self).__name__}(base_url={base_url!r}{name})"

    @property
    def name(self) -> str | None:
        """Your own name for the instance."""
        return self._name

    async def _fetch_code(self, number: int, rounds: int) -> Fetched:
        result = await self._ask_for_code(_wire.QR_CODE)
        if isinstance(result.value, _wire.Text):
            payload = result.value.payload
        else:
            payload = await _read_image(result.value)
        code = QRCode(payload=payload, fetched_at=result.asked_at, round=number, rounds=rounds)
        return Fetched(code, result.began, result.ended)

    def _ask_for_code(self, endpoint: _wire.Endpoint) -> Awaitable[Result[_wire.Code]]:
        call: Call[_wire.Code] = self._call(endpoint, _wire.read_code)
        return self._calls.make(call, within=CODE_LIFETIME.total_seconds())

    async def _status_once(self) -> InstanceStatus:
        call = self._call(_wire.STATUS, _wire.read_status)
        return (await self._calls.make_once(call)).value

    async def _send(self, endpoint: _wire.Endpoint) -> None:
        read = partial(_wire.read_done, endpoint=endpoint)
        await self._calls.send_once(self._call(endpoint, read))

    def _call(
        self,
        endpoint: _wire.Endpoint,
        read: Callable[[_wire.Response, _wire.Redact], T | ResponseError],
    ) -> Call[T]:
        self._check_open()
        return Call(endpoint, self._base_url, self._credentials, read, self._name)

    def _check_open(self) -> None:
        if self._is_closed or self._calls.connections.is_closed:
            raise RuntimeError(CLOSED)


# What follows are friends of the class: the package's own, and public on no client.


def requests_of(client: AsyncPlugChat, *, permit: Permit | None = None) -> Requests:
    """Return the requests from which sessions are made.

    Args:
        client: The client.
        permit: Called directly before each attempt to request a code; it raises to prevent that.
    """
    permitted = client
    if permit is not None:
        permitted = copy.copy(client)
        permitted._calls = client._calls.with_permit(permit)  # pyright: ignore[reportPrivateUsage]
    code, status = permitted._fetch_code, client._status_once  # pyright: ignore[reportPrivateUsage]
    return Requests(code, status, client.status)


def identity_of(client: AsyncPlugChat) -> tuple[str, SecretStr]:
    """Return the base URL and the token, which identify an instance in every process."""
    base_url, token = client._base_url, client._credentials.token  # pyright: ignore[reportPrivateUsage]
    return base_url or _wire.QR_CODE.documented_base_url, token


async def _read_image(image: _wire.ImageFile) -> str:
    read = QRImage(data=image.data, media_type=image.media_type).decode
    try:
        code = await run_decoding(read)
    except ImportError as error:
        raise UnexpectedResponse(
            "the API returned an image instead of text: call qr_code_image(), or install the"
            " extra [decode]",
            status_code=image.status_code,
        ) from error
    except UnexpectedResponse as error:
        error.status_code = image.status_code
        raise
    return code.payload

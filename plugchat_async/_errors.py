"""Errors, one class for each failure that a caller would handle differently.

PlugChatError
├── NetworkError
│   └── RequestTimeout
└── ResponseError
    ├── AlreadyConnected
    ├── PasskeyRequired
    ├── AuthenticationError
    ├── SubscriptionRequired
    ├── InstanceNotFound
    ├── RateLimited
    ├── ServerError
    ├── QRNotReady
    ├── UnexpectedRedirect
    └── UnexpectedResponse
"""

from __future__ import annotations

from typing import ClassVar


class PlugChatError(Exception):
    """Base class of all errors that plugchat-async raises because of the API or the network.

    Attributes:
        code: A stable error code for logs, metrics and translations; the message may change.
    """

    code: ClassVar[str] = "plugchat_error"

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions pickle by calling the class with `args`, which keyword-only arguments forbid.
        return _restore, (type(self), self.args, self.__dict__)


def _restore(
    cls: type[PlugChatError], args: tuple[object, ...], attributes: dict[str, object]
) -> PlugChatError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(attributes)
    return error


class NetworkError(PlugChatError):
    """Raised when no response arrived: DNS, a refused or reset connection, TLS, broken HTTP.

    Attributes:
        is_local: True when nothing was sent, since this machine's environment allows no connection.
        may_have_happened: True when a call that changes the instance may have been carried out.
    """

    code = "network_error"
    is_local = False
    may_have_happened = False


class RequestTimeout(NetworkError):
    """Raised when no complete response arrives within the client's `timeout`."""

    code = "request_timeout"


class ResponseError(PlugChatError):
    """Base class of the errors for a response that is not the expected one.

    Attributes:
        status_code: The HTTP status of the response.
        detail: The API's error text, without secrets, at most 200 characters; None without one.
    """

    code = "response_error"

    def __init__(self, message: str, *, status_code: int, detail: str | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.detail = detail


class AlreadyConnected(ResponseError):
    """Raised when the instance is linked to a phone, so that there is no code to scan.

    Attributes:
        after_scan: True when an earlier code of the same stream was scanned.
        round: The 1-based round that found out.
    """

    code = "already_connected"

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        detail: str | None = None,
        after_scan: bool = False,
        round: int = 1,  # noqa: A002 - the contract's name
    ) -> None:
        super().__init__(message, status_code=status_code, detail=detail)
        self.after_scan = after_scan
        self.round = round


class PasskeyRequired(ResponseError):
    """Raised when WhatsApp requires a passkey, whose challenge only a browser can solve."""

    code = "passkey_required"


class AuthenticationError(ResponseError):
    """Raised when the token or another security header is refused, or a firewall interferes."""

    code = "authentication_error"


class SubscriptionRequired(ResponseError):
    """Raised when the instance's trial is over or its subscription unpaid."""

    code = "subscription_required"


class InstanceNotFound(ResponseError):
    """Raised when the API knows no such instance, or no such path."""

    code = "instance_not_found"


class RateLimited(ResponseError):
    """Raised when the API or WhatsApp limits the rate of requests.

    Attributes:
        retry_after: Seconds that the API asks to wait; None without a `Retry-After`.
    """

    code = "rate_limited"

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        detail: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status_code=status_code, detail=detail)
        self.retry_after = retry_after


class ServerError(ResponseError):
    """Raised when the gateway is down for now: a 5xx, or a proxy's page under 200.

    Attributes:
        retry_after: Seconds that the API asks to wait; None without a `Retry-After`.
    """

    code = "server_error"

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        detail: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status_code=status_code, detail=detail)
        self.retry_after = retry_after


class QRNotReady(ResponseError):
    """Raised when the API responds, but has no code yet."""

    code = "qr_not_ready"


class UnexpectedRedirect(ResponseError):
    """Raised when the API redirects; it is not followed, since the token would go with it.

    Attributes:
        location: The host that it points to; None if it has none that can be read.
    """

    code = "unexpected_redirect"

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        detail: str | None = None,
        location: str | None = None,
    ) -> None:
        super().__init__(message, status_code=status_code, detail=detail)
        self.location = location


class UnexpectedResponse(ResponseError):
    """Raised when the response is neither the expected one nor a known error."""

    code = "unexpected_response"


TRANSIENT = (NetworkError, RateLimited, ServerError, QRNotReady)

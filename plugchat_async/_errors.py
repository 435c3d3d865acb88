"""The errors: one class for each thing that a caller would handle differently.

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
    """Stand for everything that can go wrong between here and the API.

    Attributes:
        code: A stable word for logs, metrics and translations; it does not change with the message.
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
    """Say that no answer came: DNS, a refused or reset connection, TLS, broken HTTP."""

    code = "network_error"


class RequestTimeout(NetworkError):
    """Say that no complete answer came within the client's `timeout`."""

    code = "request_timeout"


class ResponseError(PlugChatError):
    """Stand for every answer that is not what was asked for.

    Attributes:
        status_code: The HTTP status of the answer.
        detail: The API's own words, cleaned of secrets and cut; None where it said nothing.
    """

    code = "response_error"

    def __init__(self, message: str, *, status_code: int, detail: str | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.detail = detail


class AlreadyConnected(ResponseError):
    """Say that the instance is linked to a phone, so there is no code to scan.

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
    """Say that the account wants a passkey, confirmed on the phone, in place of a code."""

    code = "passkey_required"


class AuthenticationError(ResponseError):
    """Say that the token, or another security header, was refused."""

    code = "authentication_error"


class SubscriptionRequired(ResponseError):
    """Say that the instance's trial is over or its subscription unpaid."""

    code = "subscription_required"


class InstanceNotFound(ResponseError):
    """Say that the API knows no such instance, or no such path."""

    code = "instance_not_found"


class RateLimited(ResponseError):
    """Say that too many codes were asked for.

    Attributes:
        retry_after: Seconds that the API asks to wait; None where it did not say.
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
    """Say that the gateway is down for the moment: a 5xx, or a proxy's page under 200.

    Attributes:
        retry_after: Seconds that the API asks to wait; None where it did not say.
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
    """Say that the API answered, but has no code yet."""

    code = "qr_not_ready"


class UnexpectedRedirect(ResponseError):
    """Say that the API redirected; it is not followed, since the token would go with it.

    Attributes:
        location: The host that it points to; None where that can't be told.
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
    """Say that the answer fits nothing that the API is known to say."""

    code = "unexpected_response"


TRANSIENT = (NetworkError, RateLimited, ServerError, QRNotReady)

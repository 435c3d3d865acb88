"""Record of the sandbox: calls, scans, and actions over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._answers import Endpoint


@dataclass(frozen=True, slots=True)
class Call:
    """Record of one request.

    Attributes:
        endpoint: The endpoint, such as "/qr-code".
        at: Seconds by the sandbox's clock since the sandbox was created.
        token: The raw `Authorization` header; None if it was missing. Kept out of the repr.
        status: The HTTP status of the response.
        answer: The name of the response, one of `ANSWERS`.
        instance: The number of the instance, from 1 on in the order in which they were first
            named; None if the token was missing or not accepted.
    """

    endpoint: Endpoint
    at: float
    token: str | None = field(repr=False)
    status: int
    answer: str
    instance: int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Scan:
    """Record of a scan that linked a phone.

    Attributes:
        at: Seconds by the sandbox's clock since the sandbox was created.
        token: The token of the instance that the phone was linked to. Kept out of the repr.
        phone: The phone's number. Kept out of the repr.
        instance: The number of the instance, as that of a `Call`.
    """

    at: float
    token: str = field(repr=False)
    phone: str = field(repr=False)
    instance: int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Action:
    """Record of one request for an action over HTTP, below `/sandbox/`.

    Attributes:
        name: The action, such as "lose-session".
        at: Seconds by the sandbox's clock since the sandbox was created.
        status: The HTTP status of the response: 200, or 400 if the action was not possible, or 403
            if a page elsewhere may have sent it.
        detail: The parameters, without token and payload, or the reason for which it was not.
        instance: The number of the instance; None if each is meant, or none.
    """

    name: str
    at: float
    status: int
    detail: str
    instance: int | None = None

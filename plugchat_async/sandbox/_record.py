"""Record of the sandbox: calls and scans."""

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
    """

    endpoint: Endpoint
    at: float
    token: str | None = field(repr=False)
    status: int
    answer: str


@dataclass(frozen=True, slots=True)
class Scan:
    """Record of a scan that linked a phone.

    Attributes:
        at: Seconds by the sandbox's clock since the sandbox was created.
        token: The token of the instance that the phone was linked to. Kept out of the repr.
        phone: The phone's number. Kept out of the repr.
    """

    at: float
    token: str = field(repr=False)
    phone: str = field(repr=False)

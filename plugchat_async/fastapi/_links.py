"""Signed links that open the page without a login."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import HTTPException, Path
from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from pydantic import AwareDatetime, BaseModel, SecretStr, ValidationError

from plugchat_async._arguments import check_secrets, seal_secrets

from ._return_url import check_return_url
from ._security_headers import SECURITY_HEADERS
from ._unicode import check_unicode

_MAX_SUBJECT = 256
# A longer one was not made here, and is not worth the hash.
_MAX_TICKET = 16_384

# A secret that also signs other things of the app makes no tickets there.
_SALT = "plugchat_async.fastapi.PairingLinks"


class PairingTicket(BaseModel, frozen=True, hide_input_in_errors=True):
    """Content of a signed link.

    Attributes:
        subject: Identifier of the instance's owner in the app, such as a tenant's id.
        return_url: The address to go on to after a scan; None: that of the router.
        expires_at: The time from which on the link is refused.
    """

    subject: str
    return_url: str | None = None
    expires_at: AwareDatetime


class RefusedTicket(HTTPException):
    """Raised for a link that was not made with one of the secrets (404), or has expired (410)."""

    def __init__(self, status_code: Literal[404, 410]) -> None:
        is_expired = status_code == 410
        detail = "this link has expired" if is_expired else "this link is not valid"
        self.name = "expired_link" if is_expired else "invalid_link"
        # A page that is open tells it from the 404 of a proxy, as during a deployment.
        super().__init__(status_code, detail, {**SECURITY_HEADERS, "Plugchat-Refusal": self.name})


class PairingLinks:
    """Maker and checker of signed links to the page, for people without a login.

    Include the router with a prefix that ends in `/{ticket}`, and declare `Depends(links)` in
    `get_client`, which gives it the `PairingTicket`. Anyone with a link can link a phone until the
    link expires, any number of times. A link is signed, not encrypted: its holder can read the
    subject.

    Args:
        secret: At least 32 random characters, such as `secrets.token_urlsafe(32)`. To change the
            secret, a list: the first signs, and all are accepted.
        lifetime: How long a link is valid, unless `create()` is given another time.

    Raises:
        ValueError: A secret is too short or blank, there is none, or the lifetime is not positive.
        TypeError: An argument is of the wrong type.
    """

    def __init__(
        self,
        secret: str | SecretStr | Sequence[str | SecretStr],
        lifetime: timedelta = timedelta(hours=24),
    ) -> None:
        # Wrapped first, so that no traceback that renders locals can show it.
        secret = seal_secrets(secret)
        check_secrets(secret)
        self._lifetime = _check_lifetime(lifetime)
        # Not its URLSafeSerializer, which compresses: a ticket that begins with a dot would be a
        # hidden file to proxies that refuse those.
        self._signer: Signer = Signer(
            # Of several, itsdangerous signs with the last.
            [each.get_secret_value() for each in reversed(secret)],
            salt=_SALT,
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )

    def create(
        self, subject: str, return_url: str | None = None, lifetime: timedelta | None = None
    ) -> str:
        """Return a new ticket, to be put at the end of the page's address.

        Args:
            subject: Identifier of the instance's owner in the app: 1 to 256 characters, and nothing
                secret.
            return_url: A path or an http(s) URL to go on to after a scan, instead of the router's.
            lifetime: How long the ticket is valid; None takes that of the links.

        Raises:
            ValueError: An argument is out of range, or `return_url` not such an address.
            TypeError: An argument is of the wrong type.
        """
        if not isinstance(subject, str):
            raise TypeError(f"subject must be a str, not {type(subject).__name__}")
        if not 0 < len(subject) <= _MAX_SUBJECT:
            raise ValueError(f"subject must have 1 to {_MAX_SUBJECT} characters: use an id")
        check_unicode("subject", subject)
        lifetime = self._lifetime if lifetime is None else _check_lifetime(lifetime)
        ticket = PairingTicket(
            subject=subject,
            return_url=None if return_url is None else check_return_url(return_url),
            expires_at=datetime.now(UTC) + lifetime,
        )
        content = ticket.model_dump_json(exclude_none=True)
        return self._signer.sign(base64_encode(content)).decode()

    def __call__(self, ticket: Annotated[str, Path()]) -> PairingTicket:
        """Return the content of a ticket, as a dependency of FastAPI.

        Args:
            ticket: The last part of the prefix.

        Raises:
            HTTPException: 404 for a ticket that was not made with one of the secrets, 410 for one
                that has expired.
        """
        if len(ticket) > _MAX_TICKET or not ticket.isascii():
            raise RefusedTicket(404)
        try:
            content = base64_decode(self._signer.unsign(ticket))
            said = PairingTicket.model_validate_json(content)
        except (BadData, ValidationError):
            raise RefusedTicket(404) from None
        if said.expires_at <= datetime.now(UTC):
            raise RefusedTicket(410)
        return said


def _check_lifetime(lifetime: timedelta) -> timedelta:
    if not isinstance(lifetime, timedelta):
        raise TypeError(f"lifetime must be a timedelta, not {type(lifetime).__name__}")
    if not timedelta() < lifetime <= timedelta(days=366):
        raise ValueError("lifetime must be more than nothing, and a year at most")
    return lifetime

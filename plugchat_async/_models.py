"""The models: a code, an image of one, and the state of an instance. All frozen."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    Field,
    PlainSerializer,
    SecretBytes,
    SecretStr,
    WithJsonSchema,
)

from . import _arguments, _render
from ._errors import UnexpectedResponse
from ._image_formats import MediaType
from ._image_reader import read_payload

T = TypeVar("T")

# "WhatsApp invalidates a QR code every 20 s": the API's documentation of both QR endpoints.
CODE_LIFETIME = timedelta(seconds=20)


def _now() -> datetime:
    return datetime.now(UTC)


def _end_of_life(data: dict[str, datetime]) -> datetime:
    return data["fetched_at"] + CODE_LIFETIME


_UTC = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
_Words = Annotated[str | None, AfterValidator(lambda words: (words or "").strip() or None)]

# "You need to restore the session.": the API's documentation of `/status`.
_RESTORE = "restore the session"


# Pydantic reads both alphabets, and writes the URL-safe one, which neither `atob` nor a `data:` URI
# takes: https://github.com/pydantic/pydantic/issues/12104
_Bytes = Annotated[
    bytes,
    PlainSerializer(lambda data: base64.b64encode(data).decode(), when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]


class _Expiring(BaseModel, frozen=True, hide_input_in_errors=True, val_json_bytes="base64"):
    fetched_at: _UTC = Field(default_factory=_now)
    expires_at: _UTC = Field(default_factory=_end_of_life)

    @property
    def expires_in(self) -> float:
        """Seconds left to scan it; never negative."""
        return max(0.0, (self.expires_at - _now()).total_seconds())

    @property
    def is_expired(self) -> bool:
        """Whether its 20 seconds are over."""
        return self.expires_in == 0.0


class QRCode(_Expiring, frozen=True):
    """One code, ready to be shown to the person with the phone.

    Attributes:
        payload: The text that the symbol encodes. A secret while it is valid: a scan links a phone.
        fetched_at: When it was requested, in UTC.
        expires_at: 20 seconds later, when WhatsApp invalidates it.
        round: Its 1-based place in its stream.
        rounds: How many codes the stream requests at most.
    """

    payload: str = Field(min_length=1, repr=False)
    round: int = Field(default=1, ge=1)
    rounds: int = Field(default=1, ge=1)

    def svg(self, *, border: int = 4) -> str:
        """Draw the code as an SVG element, black on white.

        Args:
            border: The quiet zone, in modules; the standard asks for 4. Give 0 only where the
                surroundings are white.

        Returns:
            An `<svg>` element with its namespace: to be put into HTML, or saved as a file.

        Raises:
            ValueError: The payload is too long for any QR symbol, or `border` is negative.
            TypeError: `border` is not an int.
        """
        _arguments.check_count("border", border, at_least=0)
        return self._fitting(_render.svg(SecretStr(self.payload), border=border))

    def png(self, *, scale: int = 8, border: int = 4) -> bytes:
        """Draw the code as a PNG, black on white.

        Args:
            scale: The size of a module, in pixels; at least 1.
            border: The quiet zone, in modules; the standard asks for 4. Give 0 only where the
                surroundings are white.

        Returns:
            The PNG file.

        Raises:
            ValueError: The payload is too long for any QR symbol, `scale` is less than 1, or
                `border` is negative.
            TypeError: `scale` or `border` is not an int.
        """
        _arguments.check_count("scale", scale, at_least=1)
        _arguments.check_count("border", border, at_least=0)
        return self._fitting(_render.png(SecretStr(self.payload), scale=scale, border=border))

    def data_uri(self) -> str:
        """Draw the code for the `src` of an `<img>`.

        Returns:
            A PNG as a `data:` URI.

        Raises:
            ValueError: The payload is too long for any QR symbol.
        """
        return _data_uri("image/png", self.png())

    def terminal(self, *, border: int = 2, color: bool = True) -> str:
        """Draw the code in half-block characters, two modules to a character.

        Args:
            border: The quiet zone, in modules.
            color: Set black and white by escape sequences, so that the code scans on any theme.
                Without them it scans only where the terminal writes light on dark.

        Returns:
            Lines joined by newlines, without one at the end.

        Raises:
            ValueError: The payload is too long for any QR symbol, or `border` is negative.
            TypeError: `border` is not an int.
        """
        _arguments.check_count("border", border, at_least=0)
        return self._fitting(_render.terminal(SecretStr(self.payload), border=border, color=color))

    def _fitting(self, drawing: T | None) -> T:
        if drawing is None:
            raise ValueError(
                f"a payload of {len(self.payload.encode())} bytes is too long for any QR symbol,"
                " which holds about 2,900; shorten it"
            )
        return drawing


class QRImage(_Expiring, frozen=True):
    """Image of a code, as the API drew it.

    Attributes:
        data: The image file. A secret while it is valid: a scan links a phone.
        media_type: The type of the file, told from its bytes.
        fetched_at: When it was requested, in UTC.
        expires_at: 20 seconds later, when WhatsApp invalidates it.
    """

    data: _Bytes = Field(min_length=1, repr=False)
    media_type: MediaType

    def data_uri(self) -> str:
        """Write the image for the `src` of an `<img>`.

        Returns:
            The file as a `data:` URI.
        """
        return _data_uri(self.media_type, self.data)

    def decode(self) -> QRCode:
        """Read the code out of the image, to draw it in another size or form.

        It takes some milliseconds of CPU; in a busy event loop call it in a thread.

        Returns:
            The code, with the moments of the image.

        Raises:
            ImportError: The extra `[decode]` is not installed.
            UnexpectedResponse: No QR code can be read in the image.
        """
        payload = read_payload(SecretBytes(self.data))
        if payload is None:
            raise UnexpectedResponse(
                "no QR code can be read in the image that the API sent: ask for another one",
                status_code=200,
            )
        return QRCode(payload=payload, fetched_at=self.fetched_at, expires_at=self.expires_at)


class InstanceStatus(BaseModel, frozen=True, hide_input_in_errors=True):
    """Connection state of an instance.

    Attributes:
        connected: Whether the instance is linked and ready.
        session: Whether a WhatsApp session exists; None if the API does not say.
        smartphone_connected: Whether the phone is online; None if the API does not say.
        error: The API's sentence. On a connected instance it is information, not a failure.
    """

    connected: bool
    session: bool | None = None
    smartphone_connected: bool | None = Field(
        default=None, validation_alias=AliasChoices("smartphone_connected", "smartphoneConnected")
    )
    error: str | None = None

    @property
    def needs_restore(self) -> bool:
        """Whether the API asks to restore the session, which needs no scan."""
        return not self.connected and _RESTORE in (self.error or "").casefold()


class Device(BaseModel, frozen=True, hide_input_in_errors=True):
    """Phone that an instance is linked to; without one, each attribute is None.

    Attributes:
        phone: The number, digits with the country code. Personal, so kept out of `repr()`.
        name: The name of the WhatsApp account.
        image_url: The address of the account's picture.
        platform: The kind of phone as the API spells it, such as `android`, `iphone` or `smba`.
        model: The model of the phone, such as `SM-N975F`.
    """

    phone: _Words = Field(default=None, repr=False)
    name: _Words = None
    image_url: _Words = None
    platform: _Words = None
    model: _Words = None


def _data_uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"

"""Models of a code, of an image of one, of an instance's state and of its phone. All frozen."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Annotated

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    Field,
    PlainSerializer,
    PrivateAttr,
    SecretBytes,
    SecretStr,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from . import _arguments, _render
from ._errors import UnexpectedResponse
from ._image_formats import MediaType
from ._image_reader import read_payload

# "WhatsApp invalidates a QR code every 20 s": the API's documentation of both QR endpoints.
CODE_LIFETIME = timedelta(seconds=20)


def _now() -> datetime:
    return datetime.now(UTC)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(_OUT_OF_RANGE) from error


def _end_of_life(data: dict[str, datetime]) -> datetime:
    try:
        return data["fetched_at"] + CODE_LIFETIME
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


_OUT_OF_RANGE = "a moment must be in the calendar's years 1 to 9999, in UTC"
_UTC = Annotated[AwareDatetime, AfterValidator(_in_utc)]
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


def _check_payload(payload: str) -> str:
    if not _render.fits(payload):
        raise ValueError(
            f"a payload of {len(payload)} characters fits no QR symbol, which holds Unicode of up"
            " to 2,953 bytes, or 7,089 digits"
        )
    return payload


def _without_input(error: ValidationError) -> ValidationError:
    """Return the refusal without the payload, which the original and its frames keep."""
    refusals = [
        InitErrorDetails(
            # Both are pydantic's own words.
            type=PydanticCustomError(each["type"], each["msg"]),  # pyright: ignore[reportArgumentType]
            loc=each["loc"],
            input=None,
        )
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return ValidationError.from_exception_data(error.title, refusals, hide_input=True)


class _Frozen(BaseModel, frozen=True, hide_input_in_errors=True):
    __slots__ = ("__weakref__",)

    if TYPE_CHECKING:
        ...  # checkers see by themselves that nothing can be set
    else:

        def __setattr__(self, name: str, value: object) -> None:
            try:
                super().__setattr__(name, value)
            except ValidationError as error:
                refusal = _without_input(error)
            else:
                return
            del value  # a reporter may render these locals
            raise refusal


class _Expiring(_Frozen, frozen=True, val_json_bytes="base64"):
    # In a slot it is not part of what is compared, copied, pickled or dumped.
    __slots__ = ("_deadline",)

    fetched_at: _UTC = Field(default_factory=_now)
    expires_at: _UTC = Field(default_factory=_end_of_life)

    if TYPE_CHECKING:
        _deadline: float = PrivateAttr()
    else:  # checkers make the signature out of the fields

        def __init__(self, /, **data: object) -> None:
            try:
                super().__init__(**data)
            except ValidationError as error:
                refusal = _without_input(error)
            else:
                return
            del data  # a reporter may render these locals
            raise refusal

        # Pydantic's own mark, as on its RootModel: JSON is still read by the fields alone.
        __init__.__pydantic_base_init__ = True

    @property
    def expires_in(self) -> float:
        """Seconds left to scan the code, from 20 down to 0.

        The wall clock decides, since a code may come from another process. It may be set back, so
        from the first look on a monotonic clock has to agree that time is left.
        """
        validity = min(self.expires_at - self.fetched_at, CODE_LIFETIME)
        left = min(self.expires_at - _now(), validity).total_seconds()
        try:
            deadline = self._deadline
        except AttributeError:
            deadline = monotonic() + left
            object.__setattr__(self, "_deadline", deadline)
        return max(0.0, min(left, deadline - monotonic()))

    @property
    def is_expired(self) -> bool:
        """Whether the code has expired, 20 seconds after it was requested."""
        return self.expires_in == 0.0


class QRCode(_Expiring, frozen=True):
    """QR code, ready to be shown to the person with the phone.

    Attributes:
        payload: The text that the symbol encodes. A secret while it is valid: a scan links a phone.
        fetched_at: When it was requested, in UTC.
        expires_at: 20 seconds later, when WhatsApp invalidates it.
        round: Its 1-based place in its stream.
        rounds: How many codes the stream requests at most.
    """

    __slots__ = ("_drawings",)
    if TYPE_CHECKING:
        _drawings: _render.Drawings = PrivateAttr()

    payload: Annotated[str, AfterValidator(_check_payload)] = Field(min_length=1, repr=False)
    round: int = Field(default=1, ge=1)
    rounds: int = Field(default=1, ge=1)

    def svg(self, *, border: int = 4) -> str:
        """Draw the code as an SVG element, black on white.

        Args:
            border: The quiet zone, in modules; the standard asks for 4. Give 0 only if the
                surroundings are white.

        Returns:
            An `<svg>` element with its namespace: to be put into HTML, or saved as a file.

        Raises:
            ValueError: `border` is negative.
            TypeError: `border` is not an int.
        """
        _arguments.check_count("border", border, at_least=0)
        return self._drawn().svg(border=border)

    def png(self, *, scale: int = 8, border: int = 4) -> bytes:
        """Draw the code as a PNG, black on white.

        Args:
            scale: The size of a module, in pixels; at least 1.
            border: The quiet zone, in modules; the standard asks for 4. Give 0 only if the
                surroundings are white.

        Returns:
            The PNG file.

        Raises:
            ValueError: `scale` is less than 1, or `border` is negative.
            TypeError: `scale` or `border` is not an int.
        """
        _arguments.check_count("scale", scale, at_least=1)
        _arguments.check_count("border", border, at_least=0)
        return self._drawn().png(scale=scale, border=border)

    def data_uri(self) -> str:
        """Draw the code for the `src` of an `<img>`.

        Returns:
            A PNG as a `data:` URI.
        """
        return _data_uri("image/png", self.png())

    def terminal(self, *, border: int = 2, color: bool = True) -> str:
        """Draw the code in half-block characters, two modules to a character.

        Args:
            border: The quiet zone, in modules.
            color: Set black and white by escape sequences, so that the code scans on any theme.
                Without them it scans only if the terminal has a dark theme.

        Returns:
            Lines joined by newlines, without one at the end.

        Raises:
            ValueError: `border` is negative.
            TypeError: `border` is not an int.
        """
        _arguments.check_count("border", border, at_least=0)
        return self._drawn().terminal(border=border, color=color)

    def _drawn(self) -> _render.Drawings:
        try:
            return self._drawings
        except AttributeError:
            # Two threads may each make one: either will do.
            drawings = _render.Drawings(SecretStr(self.payload))
            object.__setattr__(self, "_drawings", drawings)
            return drawings


class QRImage(_Expiring, frozen=True):
    """Image of a QR code, as the API drew it.

    Attributes:
        data: The image file. A secret while it is valid: a scan links a phone.
        media_type: The type of the file, recognized by its bytes.
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

        It takes some milliseconds of CPU and up to 16 MiB of memory; in a busy event loop call it
        in a thread.

        Returns:
            The code, with the image's `fetched_at` and `expires_at`.

        Raises:
            ImportError: The extra `[decode]` is not installed.
            UnexpectedResponse: The image has no readable QR code, or far more pixels than one.
        """
        payload = read_payload(SecretBytes(self.data))
        if payload is None or not _render.fits(payload):
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


class Device(_Frozen, frozen=True):
    """Phone that an instance is linked to; without one, each attribute is None.

    Attributes:
        phone: The number, digits with the country code. Personal, so kept out of `repr()`.
        name: The name of the WhatsApp account.
        image_url: The URL of the account's profile image.
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

"""Endpoints of the API, and the meaning of its responses. Pure: bytes in, a value or an error out.

PlugChat documents no response body for its QR endpoints. The questions below are asked in the order
in which they must be, for all that the API's family is known to return. Errors are returned, not
raised: a traceback through here would carry the body, and with it a code or an echoed token.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from pydantic_core import from_json

from . import _render
from ._errors import (
    AlreadyConnected,
    AuthenticationError,
    InstanceNotFound,
    PasskeyRequired,
    QRNotReady,
    RateLimited,
    ResponseError,
    ServerError,
    SubscriptionRequired,
    UnexpectedRedirect,
    UnexpectedResponse,
)
from ._image_formats import MediaType, is_whole, media_type
from ._models import Device, InstanceStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    Redact: TypeAlias = Callable[[str], str]
    Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"


class Endpoint(NamedTuple):
    """Documented endpoint, and the host that the documentation gives for it."""

    path: str
    documented_base_url: str

    def url(self, base_url: str | None) -> str:
        """Join the path to a base URL, by default the documented one."""
        return (base_url or self.documented_base_url) + self.path


_APP = "https://app.plugchat.com.br/api/whatsapp"
_WWW = "https://www.plugchat.com.br/api/whatsapp"

QR_CODE = Endpoint("/qr-code", _APP)
QR_CODE_IMAGE = Endpoint("/qr-code/image", _WWW)
STATUS = Endpoint("/status", _APP)
DEVICE = Endpoint("/device", _APP)
DISCONNECT = Endpoint("/disconnect", _APP)
RESTORE_SESSION = Endpoint("/restore-session", _APP)
RESTART = Endpoint("/restart", _APP)


@dataclass(frozen=True, slots=True)
class Response:
    """Complete response, and when it was requested.

    `unreadable` is the reason why there is no content: too large, or a compression that fails.
    """

    status_code: int
    content: bytes = field(repr=False)
    asked_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """Text of a code."""

    payload: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """Image file of a code."""

    data: bytes = field(repr=False)
    media_type: MediaType
    status_code: int = 200


Code: TypeAlias = Text | ImageFile


def read_code(response: Response, redact: Redact) -> Code | ResponseError:
    """Read the response of a QR endpoint; either may return either form of a code."""
    reply = _Reply(response, redact)
    return (
        reply.redirected()
        or reply.refused_as_connected()
        or reply.refused()
        or reply.unreadable()
        or reply.image_file()
        or reply.page()
        or reply.code()
        or reply.connected_already()
        or reply.failed()
        or reply.nothing_yet()
        or reply.unexpected()
    )


def read_status(response: Response, redact: Redact) -> InstanceStatus | ResponseError:
    """Read the response of `/status`; an instance that is connected is not an error there."""
    reply = _Reply(response, redact)
    return (
        reply.redirected()
        or reply.state()
        or reply.refused()
        or reply.unreadable()
        or reply.page()
        or reply.failed()
        or reply.unexpected()
    )


def read_device(response: Response, redact: Redact) -> Device | ResponseError:
    """Read the response of `/device`; an instance without a phone is not an error there."""
    reply = _Reply(response, redact)
    return (
        reply.redirected()
        or reply.linked_device()
        or reply.no_device()
        or reply.refused()
        or reply.unreadable()
        or reply.page()
        or reply.failed()
        or reply.device()
        or reply.unexpected()
    )


def read_done(
    response: Response, redact: Redact, *, endpoint: Endpoint
) -> Literal[True] | ResponseError:
    """Read the response of `/disconnect`, `/restore-session` or `/restart`.

    A sentence that the instance is connected already, or is not, counts as neither a success nor
    `AlreadyConnected`: it does not say whether the command was carried out.
    """
    reply = _Reply(response, redact)
    return (
        reply.redirected()
        or reply.refused()
        or reply.unreadable()
        or reply.page()
        or reply.failed()
        or reply.done()
        or reply.refused_to_do(endpoint)
        or reply.unexpected()
    )


# What words mean wherever they stand: gateways move them between statuses and keys. Compiled at
# first use, which few responses come to: it would be a tenth of what importing the package costs.
_ALREADY_CONNECTED = r"(?i)(?<!not )already connected|j[áa] (est[áa] )?conectad[oa]"
_NOT_CONNECTED = r"(?i)you are not connected|you need to restore the session"
_UNSUBSCRIBED = r"(?i)subscri|payment required|trial (is |has )?(over|ended|expired)"
_UNKNOWN = r"(?i)not_found|(instance|entity) not found|matching target resource method"
_UNAUTHORIZED = r"(?i)client-token|unauthori[sz]ed|invalid token"
_FAILURE = r"(?i)error|erro|fail(ed|ure)?"
_PAGE = r"(?i)<(?!\?xml|svg[ >])|<\?xml[^>]*>\s*<(!doctype\s+)?html\b"

# A number of at most 15 digits (E.164), as people write it or as the user of a WhatsApp id. The
# digits of other ids, such as `@lid`, are not a number.
_PHONE = r"\+?([0-9 ().-]+)(:[0-9]+)?(@c\.us|@s\.whatsapp\.net)?"
_MAX_PHONE_DIGITS = 15
_PHONE_KEYS = (
    ("phone",),
    ("phoneNumber",),
    ("connectedPhone",),
    ("device", "phoneNumber"),
    ("me", "phoneNumber"),
    ("me", "user"),
)
_DEVICE_KEYS = {*(keys[0] for keys in _PHONE_KEYS), "imgUrl", "name", "originalDevice"}

_CODE_KEYS = ("value", "qrcode")
_SENTENCE_KEYS = ("error", "errors", "message", "msg", "reason", "detail", "status")

# A single word is a state, an error's name or a broken template's `undefined`: each code has digits
# or punctuation inside. A prefix decides nothing: theirs changed in 2026 and will again.
_WORD = r"[^\W\d]+[.!…]*"

# What base64 makes of the first bytes of PNG, JPEG, GIF and WebP, and of SVG, which is refused.
_BASE64_OF_AN_IMAGE = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "PHN2Z", "PD94bW")

_AFTER_REFUSAL = {
    DISCONNECT: "ask status() whether a phone is linked",
    RESTORE_SESSION: "if no phone is linked any more, link one with a code",
    RESTART: "try it in PlugChat's panel, or again later",
}

_MAX_DETAIL = 200

# Seconds: as good as never, and unlike infinity a number in JSON.
_MAX_RETRY_AFTER = 1e15

# A response of 1 MiB of words would hold the event loop for seconds.
_MAX_SENTENCES = 20
_MAX_SENTENCE = 1000
_MAX_DEPTH = 3


class _Reply:
    """Response under interpretation; each method recognizes one meaning, or returns None."""

    def __init__(self, response: Response, redact: Redact) -> None:
        self._response = response
        self._redact = redact
        self._body = _parse(response.content)

    @cached_property
    def _sentences(self) -> tuple[str, ...]:
        found = islice(_sentences(self._body), _MAX_SENTENCES)
        return tuple(sentence[:_MAX_SENTENCE] for sentence in found)

    def redirected(self) -> ResponseError | None:
        if not 300 <= self._response.status_code < 400:
            return None
        host = self._clean(_host(self._response.headers.get("location")) or "")
        return UnexpectedRedirect(
            f"the API redirects{f' to {host}' if host else ''}, which is not followed, since the"
            " token would go with it or be lost; check base_url",
            status_code=self._response.status_code,
            location=host,
        )

    def state(self) -> InstanceStatus | None:
        connected = self._truth("connected")
        if self._says(_ALREADY_CONNECTED) and connected is None:
            connected = True
        elif not self._is_success() and self._response.status_code != 400:
            return None
        elif self._says(_NOT_CONNECTED) and connected is None:
            connected = False
        if connected is None:
            return None
        return InstanceStatus(
            connected=connected,
            session=self._truth("session"),
            smartphone_connected=self._truth("smartphoneConnected"),
            error=self._clean(*self._sentences[:1]),
        )

    def linked_device(self) -> Device | None:
        device = self.device() if self._is_success() else None
        return device if device and device.phone else None

    def no_device(self) -> Device | None:
        may_be_told = self._is_success() or self._response.status_code == 400
        return Device() if may_be_told and self._says(_NOT_CONNECTED) else None

    def device(self) -> Device | None:
        if not isinstance(self._body, dict) or self._body.get("value") is False:
            return None
        is_told = not self._body or any(key in self._body for key in _DEVICE_KEYS)
        if not is_told and self._truth("connected") is not False:
            return None
        return Device(
            phone=next(filter(None, (_digits(self._value(*keys)) for keys in _PHONE_KEYS)), None),
            name=self._text("name"),
            image_url=self._text("imgUrl"),
            platform=self._text("originalDevice") or self._text("device", "platform"),
            model=self._text("device", "device_model"),
        )

    def done(self) -> Literal[True] | None:
        is_done = self._value("value") is True or not self._response.content.strip()
        return True if is_done else None

    def refused_to_do(self, endpoint: Endpoint) -> ResponseError | None:
        if self._value("value") is not False:
            return None
        return self._error(
            UnexpectedResponse, f"PlugChat refused {endpoint.path}: {_AFTER_REFUSAL[endpoint]}"
        )

    def refused_as_connected(self) -> ResponseError | None:
        if self._is_success() or not self._says(_ALREADY_CONNECTED):
            return None
        return self._already_connected()

    def refused(self) -> ResponseError | None:
        if self._is_success():
            return None
        match self._response.status_code:
            case 401 | 403 if self._is_page():
                return self._blocked()
            case 401 | 403:
                return self._unauthorized()
            case 404:
                return self._unknown()
            case 429:
                return self._rate_limited()
            case status if status >= 500:
                return self._down()
            case _:
                return self.failed() or self.unexpected()

    def unreadable(self) -> ResponseError | None:
        if self._response.unreadable is None:
            return None
        return self._error(UnexpectedResponse, f"the API's response {self._response.unreadable}")

    def image_file(self) -> ImageFile | ResponseError | None:
        return self._image(self._response.content) if media_type(self._response.content) else None

    def page(self) -> ResponseError | None:
        return self._down() if self._is_page() else None

    def code(self) -> Code | ResponseError | None:
        text = self._explicit_text()
        if text is None and isinstance(self._body, str):
            text = self._body
        if not text or self._declares_failure():
            return None
        if _is_encoded_image(text):
            return self._image(_decode_image(text))
        return Text(text) if _could_be_a_code(text) else None

    def connected_already(self) -> ResponseError | None:
        connected = self._truth("connected")
        if connected is None:
            connected = self._says(_ALREADY_CONNECTED)
        return self._already_connected() if connected else None

    def failed(self) -> ResponseError | None:
        if isinstance(self._body, dict) and self._body.get("challenge") is not None:
            return self._error(
                PasskeyRequired,
                "this WhatsApp account requires a passkey, so no code comes until a browser has"
                " solved WhatsApp's challenge (WebAuthn): trying again does not help; ask"
                " PlugChat's support how to link such an account",
            )
        if self._says(_UNSUBSCRIBED):
            return self._error(
                SubscriptionRequired,
                "this instance's trial is over or its subscription unpaid: renew it in PlugChat's"
                " panel",
            )
        if self._says(_UNKNOWN):
            return self._unknown()
        if self._says(_UNAUTHORIZED):
            return self._unauthorized()
        return self.unexpected() if self._declares_failure() else None

    def nothing_yet(self) -> ResponseError | None:
        waiting = (
            not self._body
            or self._truth("connected") is False
            or self._says(_NOT_CONNECTED)
            or self._explicit_text() == ""
            or (
                isinstance(self._body, dict)
                and any(key in self._body and not self._body[key] for key in _CODE_KEYS)
            )
        )
        if not waiting:
            return None
        return self._error(
            QRNotReady, "the API responded, but has no code yet: ask again in some seconds"
        )

    def unexpected(self) -> ResponseError:
        return self._error(
            UnexpectedResponse,
            "the API's response is neither the expected one nor a known error"
            f" (HTTP {self._response.status_code}, {len(self._response.content)} bytes)",
        )

    def _is_success(self) -> bool:
        return 200 <= self._response.status_code < 300

    def _is_page(self) -> bool:
        return isinstance(self._body, str) and re.match(_PAGE, self._body) is not None

    def _says(self, words: str) -> bool:
        return any(re.search(words, sentence) for sentence in self._sentences)

    def _value(self, *keys: str) -> Json | bytes:
        value = self._body
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def _text(self, *keys: str) -> str | None:
        value = self._value(*keys)
        return value.strip() if isinstance(value, str) else None

    def _truth(self, key: str) -> bool | None:
        value = self._value(key)
        return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())

    def _explicit_text(self) -> str | None:
        if not isinstance(self._body, dict):
            return None
        values = (self._body.get(key) for key in _CODE_KEYS)
        return next((value.strip() for value in values if isinstance(value, str)), None)

    def _declares_failure(self) -> bool:
        if not isinstance(self._body, dict):
            return False
        status = self._body.get("status")
        failure = (
            self._body.get("error")
            or self._body.get("errors")
            or status is False
            or (isinstance(status, str) and re.fullmatch(_FAILURE, status))
        )
        return bool(failure) and not self._says(_NOT_CONNECTED)

    def _image(self, data: bytes | None) -> ImageFile | ResponseError:
        kind = media_type(data) if data else None
        if data is None or kind is None or not is_whole(data):
            return self._error(
                UnexpectedResponse,
                "the API sent an image that is broken, truncated, or neither PNG, JPEG, GIF nor"
                " WebP: ask again",
            )
        return ImageFile(data, kind, self._response.status_code)

    def _already_connected(self) -> ResponseError:
        return self._error(
            AlreadyConnected,
            "this instance is already connected to a phone: disconnect it before linking another",
        )

    def _unauthorized(self) -> ResponseError:
        return self._error(
            AuthenticationError,
            "the API refused the token: pass it as it stands in PlugChat's panel, without `Bearer`"
            " in front; an account with a security token wants that too, as"
            " headers={'Client-Token': ...}",
        )

    def _blocked(self) -> ResponseError:
        return self._error(
            AuthenticationError,
            "a firewall or a proxy refused the request with an HTML page, and the token may well be"
            " right: check base_url, and whether this network is allowed to reach PlugChat",
        )

    def _unknown(self) -> ResponseError:
        return self._error(
            InstanceNotFound,
            "the API knows no such instance or path: check base_url, which ends in /api/whatsapp,"
            " and the token",
        )

    def _rate_limited(self) -> ResponseError:
        wait = self._retry_after()
        return RateLimited(
            "too many requests: wait "
            + ("some minutes" if wait is None else f"{wait:.0f} s")
            + " before asking again",
            status_code=self._response.status_code,
            detail=self._detail(),
            retry_after=wait,
        )

    def _down(self) -> ResponseError:
        return ServerError(
            f"the gateway is down for now (HTTP {self._response.status_code}): try again later",
            status_code=self._response.status_code,
            detail=self._detail(),
            retry_after=self._retry_after(),
        )

    def _error(self, cls: type[ResponseError], message: str) -> ResponseError:
        return cls(message, status_code=self._response.status_code, detail=self._detail())

    def _detail(self) -> str | None:
        return self._clean(*dict.fromkeys(self._sentences))

    def _clean(self, *sentences: str) -> str | None:
        words = ": ".join(sentences)
        printable = "".join(char if char.isprintable() else " " for char in words)
        return self._redact(printable)[:_MAX_DETAIL] or None

    def _retry_after(self) -> float | None:
        """Read seconds or a date, as RFC 9110 allows."""
        text = self._response.headers.get("retry-after", "").strip()
        if re.fullmatch(r"[0-9]+", text):
            return min(float(text), _MAX_RETRY_AFTER)
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - self._response.asked_at).total_seconds())


def _parse(content: bytes) -> Json | bytes:
    """Read JSON whatever its Content-Type, else text; anything else stays bytes."""
    content = content.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        parsed: Json = from_json(content)
    except ValueError:
        pass
    else:
        return parsed
    if content[:1] in {b"{", b"[", b'"'}:
        return content
    try:
        return content.decode()
    except UnicodeDecodeError:
        # Proxies write their pages in all charsets; this one reads any bytes.
        return content.decode("latin-1") if content.startswith(b"<") else content


def _sentences(body: Json | bytes, depth: int = 0) -> Iterator[str]:
    """Find the sentences of a response, under any of the keys that had errors in the family."""
    match body:
        case str() if body and not body.startswith("<"):
            yield body
        case dict() if depth < _MAX_DEPTH:
            for key in _SENTENCE_KEYS:
                yield from _sentences(body.get(key), depth + 1)
            for key in _CODE_KEYS:
                value = body.get(key)
                if isinstance(value, str) and not _could_be_a_code(value.strip()):
                    yield value
        case list() if depth < _MAX_DEPTH:
            for item in body[:_MAX_SENTENCES]:
                yield from _sentences(item, depth + 1)
        case _:
            pass


def _could_be_a_code(text: str) -> bool:
    """Check that a text is not a sentence, a single word, markup or a broken template."""
    return (
        bool(text)
        and text.isprintable()
        and " " not in text
        and text[0] not in '<{["'
        and not re.fullmatch(_WORD, text)
        and _render.fits(text)
    )


def _is_encoded_image(text: str) -> bool:
    return text[:5].lower() == "data:" or text.startswith(_BASE64_OF_AN_IMAGE)


def _decode_image(text: str) -> bytes | None:
    """Undo base64, with or without the prefix of a data URI, also with two of them."""
    encoded = "".join(text.split())
    for _ in range(2):
        if encoded[:5].lower() == "data:":
            _, _, encoded = encoded.partition(",")
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        return None


def _digits(phone: Json | bytes) -> str | None:
    """Read the phone number in the value of one of its keys."""
    if not isinstance(phone, str | int):
        return None
    found = re.fullmatch(_PHONE, str(phone).strip())
    digits = re.sub(r"[^0-9]", "", found[1]) if found else ""
    return digits if 0 < len(digits) <= _MAX_PHONE_DIGITS else None


def _host(location: str | None) -> str | None:
    try:
        return urlsplit(location or "").hostname
    except ValueError:
        return None

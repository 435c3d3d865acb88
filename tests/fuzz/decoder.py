"""Properties of every response, whatever bytes arrive.

An input is written as text, so that one that was found can be read: a line for the status, one for
`Retry-After`, one for `Location`, an empty one, then the body.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from pydantic import SecretStr

from plugchat_async import Device, InstanceStatus, QRCode, QRImage, ResponseError
from plugchat_async._http.credentials import Credentials
from plugchat_async._image_formats import is_whole, media_type
from plugchat_async._wire import (
    RESTART,
    ImageFile,
    Response,
    Text,
    read_code,
    read_device,
    read_done,
    read_status,
)

TOKEN = "F3A9B7C21D5E4F60"
SECOND_TOKEN = "Sec9B6D09E84A1C2"

_CREDENTIALS = Credentials(SecretStr(TOKEN), {"Client-Token": SecretStr(SECOND_TOKEN)})
_NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
_MAX_BYTES_OF_A_SYMBOL = 2953
_PIECE = 12


def check(data: bytes) -> None:
    """Read one input as a response of each kind of endpoint.

    Raises:
        AssertionError: What was read breaks a promise. Any other exception breaks one, too.
    """
    response = _response(data)
    code = read_code(response, _CREDENTIALS.redact)
    status = read_status(response, _CREDENTIALS.redact)
    device = read_device(response, _CREDENTIALS.redact)
    done = read_done(response, _CREDENTIALS.redact, endpoint=RESTART)
    _check_code(code)
    assert isinstance(status, InstanceStatus | ResponseError)
    assert isinstance(device, Device | ResponseError)
    assert done is True or isinstance(done, ResponseError)
    # The words of a device are the person's: nothing is taken out of them.
    for told in (code, status, done):
        _check_words(told)
    assert is_whole(response.content) <= (media_type(response.content) is not None)


def _response(data: bytes) -> Response:
    head, _, body = data.partition(b"\n\n")
    status, retry_after, location, *_ = [*head.decode("latin-1").split("\n"), "", ""]
    return Response(
        int(status) if re.fullmatch("[1-5][0-9][0-9]", status) else 200,
        body,
        asked_at=_NOON,
        headers={"retry-after": retry_after, "location": location},
    )


def _check_code(code: Text | ImageFile | ResponseError) -> None:
    match code:
        case Text(payload):
            assert 0 < len(payload.encode()) <= _MAX_BYTES_OF_A_SYMBOL
            assert QRCode(payload=payload).payload == payload
        case ImageFile(data, kind):
            assert is_whole(data)
            assert media_type(data) == kind
            assert QRImage(data=data, media_type=kind).data == data
        case _:
            assert isinstance(code, ResponseError)


def _check_words(told: object) -> None:
    words = f"{told} {told!r} {vars(told) if isinstance(told, ResponseError) else ''}".casefold()
    for secret in (TOKEN, SECOND_TOKEN):
        for start in range(len(secret) - _PIECE + 1):
            assert secret[start : start + _PIECE].casefold() not in words

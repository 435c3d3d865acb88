"""Known responses of the gateway and its family, by name.

They are status, headers and bytes, as they are sent. Their meaning is left to the SDK: no code is
shared with it.
"""

from __future__ import annotations

import json
from base64 import b64encode, encodebytes
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from ._drawing import jpeg, png

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._instance import Instance

Endpoint: TypeAlias = Literal[
    "/qr-code",
    "/qr-code/image",
    "/status",
    "/device",
    "/disconnect",
    "/restore-session",
    "/restart",
]

QR_ENDPOINTS: tuple[Endpoint, ...] = ("/qr-code", "/qr-code/image")
CONNECTION_ENDPOINTS: tuple[Endpoint, ...] = (*QR_ENDPOINTS, "/status")
ENDPOINTS: tuple[Endpoint, ...] = (
    *CONNECTION_ENDPOINTS,
    "/device",
    "/disconnect",
    "/restore-session",
    "/restart",
)


@dataclass(frozen=True, slots=True)
class Reply:
    """HTTP response of the sandbox."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Known response: its description, the endpoints that can return it, and how it is made."""

    description: str
    endpoints: tuple[Endpoint, ...]
    reply: Callable[[Instance, Endpoint], Reply]


# How a response is written.


def _json(content: object, status: int = 200, media_type: str = "application/json") -> Reply:
    return _bytes(json.dumps(content, ensure_ascii=False).encode(), status, media_type)


def _text(content: str, status: int = 200) -> Reply:
    return _bytes(content.encode(), status, "text/plain; charset=utf-8")


def _html(content: str, status: int = 200) -> Reply:
    return _bytes(content.encode(), status, "text/html; charset=utf-8")


def _bytes(body: bytes, status: int, media_type: str) -> Reply:
    return Reply(status, {"content-type": media_type}, body)


def _nothing(status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, headers or {}, b"")


# How an image is wrapped.


def _png_base64(payload: str) -> str:
    return b64encode(png(payload)).decode()


def _png_uri(payload: str) -> str:
    return f"data:image/png;base64,{_png_base64(payload)}"


def _broken_png_uri(payload: str) -> str:
    return f"data:image/png;base64,{encodebytes(png(payload)).decode()}"


def _jpeg_uri(payload: str) -> str:
    return f"data:image/jpeg;base64,{b64encode(jpeg(payload)).decode()}"


# How a response is put together.


def _code(description: str, reply: Callable[[str], Reply]) -> Answer:
    return Answer(description, QR_ENDPOINTS, lambda instance, _: reply(instance.issue()))


def _always(description: str, reply: Reply, endpoints: tuple[Endpoint, ...] = ENDPOINTS) -> Answer:
    return Answer(description, endpoints, lambda _instance, _endpoint: reply)


def _connection(description: str, reply: Reply) -> Answer:
    return _always(description, reply, CONNECTION_ENDPOINTS)


def _error_code(name: str, endpoints: tuple[Endpoint, ...] = ENDPOINTS) -> Answer:
    description = f"The likeliest response with this error code: `{name}`."
    return replace(FAILURES[name], description=description, endpoints=endpoints)


def _documented_code(instance: Instance, endpoint: Endpoint) -> Reply:
    payload = instance.issue()
    return _json({"value": payload if endpoint == "/qr-code" else _png_uri(payload)})


def _documented_status(instance: Instance, endpoint: Endpoint) -> Reply:
    if instance.is_session_lost:
        return _session_lost(instance, endpoint)
    connected = instance.connected
    return _status(
        connected=connected,
        error="You are already connected." if connected else "You are not connected.",
    )


def _session_lost(_instance: Instance, _endpoint: Endpoint) -> Reply:
    return _status(connected=False, error="You need to restore the session.")


def _status(*, connected: bool, error: str) -> Reply:
    return _json(
        {
            "connected": connected,
            "session": connected,
            "smartphoneConnected": connected,
            "error": error,
        }
    )


def _documented_device(instance: Instance, _endpoint: Endpoint) -> Reply:
    is_linked = instance.phone is not None
    device = {
        "sessionName": "PlugChat",
        "wa_version": "2.21.10.16",
        "mcc": "724",
        "mnc": "039",
        "os_version": "7.1.2",
        "device_manufacturer": "samsung",
        "device_model": "SM-N975F",
        "osbuildnumber": "N2G48H",
        "platform": "smba",
    }
    return _json(
        {
            "phone": instance.phone or "",
            "imgUrl": "https://images.plugchat.example/profile.jpg" if is_linked else None,
            "about": "Disponível" if is_linked else "",
            "name": "Sandbox" if is_linked else "",
            "device": device if is_linked else dict.fromkeys(device, ""),
            "originalDevice": device["platform"] if is_linked else "",
            "sessionId": 175 if is_linked else 0,
            "isBusiness": is_linked,
        }
    )


def _disconnect(instance: Instance, _endpoint: Endpoint) -> Reply:
    instance.disconnect()
    return _json({"value": True})


def _restore_session(instance: Instance, _endpoint: Endpoint) -> Reply:
    return _json({"value": instance.restore_session()})


def _restart(instance: Instance, _endpoint: Endpoint) -> Reply:
    instance.restart()
    return _json({"value": True})


def _forbidden(instance: Instance, _endpoint: Endpoint) -> Reply:
    return _json({"error": f"Client-Token {instance.token} not allowed"}, 403)


_GATEWAY_PAGE = (
    "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>"
    "<body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body></html>"
)
_FAILURE = "Something went wrong while reading the QR code."

UNAUTHORIZED = _json({"error": "Unauthorized"}, 401)

CODES: Mapping[str, Answer] = {
    "code": Answer(
        "A code in the form of its endpoint: the text, or a PNG as a data URI.",
        QR_ENDPOINTS,
        _documented_code,
    ),
    "code_as_image": _code(
        "A code as a PNG's data URI, from the text endpoint too.",
        lambda payload: _json({"value": _png_uri(payload)}),
    ),
    "code_as_text": _code(
        "A code as its text, from the image endpoint too.",
        lambda payload: _json({"value": payload}),
    ),
    "code_json_string": _code("A code's text as a quoted JSON string.", _json),
    "code_labelled_html": _code(
        "A code's text in JSON that is labelled text/html.",
        lambda payload: _json({"value": payload}, media_type="text/html"),
    ),
    "code_labelled_text": _code(
        "A code's text in JSON that is labelled text/plain.",
        lambda payload: _json({"value": payload}, media_type="text/plain"),
    ),
    "code_text_plain": _code("A code's text alone, text/plain.", _text),
    "image_bare_base64": _code(
        "A PNG in base64 under `value`, without the prefix of a data URI.",
        lambda payload: _json({"value": _png_base64(payload)}),
    ),
    "image_bare_string": _code(
        "A PNG in base64 and nothing around it, text/plain.",
        lambda payload: _text(_png_base64(payload)),
    ),
    "image_binary": _code(
        "A PNG's bytes, image/png.", lambda payload: _bytes(png(payload), 200, "image/png")
    ),
    "image_jpeg": _code(
        "A JPEG as a data URI.", lambda payload: _json({"value": _jpeg_uri(payload)})
    ),
    "image_json_string": _code(
        "A PNG's data URI as a quoted JSON string.", lambda payload: _json(_png_uri(payload))
    ),
    "image_line_break": _code(
        "A PNG's data URI with line breaks inside.",
        lambda payload: _json({"value": _broken_png_uri(payload)}),
    ),
    "image_octet_stream": _code(
        "A PNG's bytes, application/octet-stream.",
        lambda payload: _bytes(png(payload), 200, "application/octet-stream"),
    ),
    "image_prefix_doubled": _code(
        "A PNG's data URI with its prefix twice.",
        lambda payload: _json({"value": f"data:image/png;base64,{_png_uri(payload)}"}),
    ),
    "image_under_qrcode": _code(
        "A PNG's data URI under `qrcode` instead of `value`.",
        lambda payload: _json({"qrcode": _png_uri(payload)}),
    ),
    "image_upper_case_prefix": _code(
        "A PNG's data URI with its prefix in upper case.",
        lambda payload: _json({"value": f"DATA:IMAGE/PNG;BASE64,{_png_base64(payload)}"}),
    ),
}

CONNECTIONS: Mapping[str, Answer] = {
    "already_connected": _connection(
        "Already connected: `connected` is true, under 200.", _json({"connected": True})
    ),
    "already_connected_400": _connection(
        "Already connected: the sentence under `error`, with 400.",
        _json({"error": "You are already connected."}, 400),
    ),
    "already_connected_409": _connection(
        "Already connected: the sentence under `message`, with 409.",
        _json({"message": "You are already connected."}, 409),
    ),
    "already_connected_labelled_html": _connection(
        "Already connected: `connected` is true, in JSON that is labelled text/html.",
        _json({"connected": True}, media_type="text/html"),
    ),
    "already_connected_portuguese": _connection(
        "Already connected: `já está conectado` under `message`, with 400.",
        _json({"message": "O aparelho já está conectado."}, 400),
    ),
    "already_connected_portuguese_short": _connection(
        "Already connected: `já conectado` under `error`, with 400.",
        _json({"error": "Aparelho já conectado"}, 400),
    ),
    "already_connected_string": _connection(
        'Already connected: `connected` is the string "true", under 200.',
        _json({"connected": "true"}),
    ),
    "bad_request": _always("A bare 400, which is not `already connected`.", _nothing(400)),
    "conflict": _always("A bare 409, which is not `already connected`.", _nothing(409)),
    "not_connected": _connection(
        "Not connected: `connected` is false, with the sentence under `error`.",
        _json({"connected": False, "error": "You are not connected."}),
    ),
    "session_lost": Answer(
        "The status of an instance whose session has to be restored.",
        ("/status",),
        _session_lost,
    ),
    "status": Answer(
        "The instance's status, the way it is documented.", ("/status",), _documented_status
    ),
}

INSTANCES: Mapping[str, Answer] = {
    "device": Answer(
        "The linked phone, as documented; empty strings without a phone.",
        ("/device",),
        _documented_device,
    ),
    "disconnect": Answer(
        "200 with `value` true: the phone is unlinked.", ("/disconnect",), _disconnect
    ),
    "restart": Answer(
        "200 with `value` true: the instance is restarted, its phone stays linked.",
        ("/restart",),
        _restart,
    ),
    "restore_session": Answer(
        "200 with `value` true: the session is restored; `value` false without a linked phone.",
        ("/restore-session",),
        _restore_session,
    ),
}

FAILURES: Mapping[str, Answer] = {
    "client_token_missing": _always(
        "400: an extra security header is wanted.",
        _json({"error": "your client-token is not configured"}, 400),
    ),
    "empty_body": _always("200 with nothing in it: no code yet, or a success.", _nothing()),
    "empty_object": _always("200 with {}: no code yet.", _json({})),
    "entity_not_found": _always(
        "404: `entity not found` under `reason`.", _json({"reason": "entity not found"}, 404)
    ),
    "error_in_errors": _always(
        "200 with an error sentence in the list `errors`.", _json({"errors": [_FAILURE]})
    ),
    "error_under_detail": _always(
        "200 with an error sentence under `detail`.", _json({"detail": _FAILURE})
    ),
    "error_under_error": _always(
        "200 with an error sentence under `error`.", _json({"error": _FAILURE})
    ),
    "error_under_message": _always(
        "200 with an error sentence under `message`.", _json({"message": _FAILURE})
    ),
    "error_under_msg": _always("200 with an error sentence under `msg`.", _json({"msg": _FAILURE})),
    "error_under_reason": _always(
        "200 with an error sentence under `reason`.", _json({"reason": _FAILURE})
    ),
    "forbidden": Answer(
        "403: the token is refused, and the body repeats it.", ENDPOINTS, _forbidden
    ),
    "html_page": _always("200 with a proxy's error page.", _html(_GATEWAY_PAGE)),
    "html_page_labelled_json": _always(
        "200 with a proxy's error page that is labelled application/json.",
        _bytes(_GATEWAY_PAGE.encode(), 200, "application/json"),
    ),
    "instance_not_found": _always(
        "404: `Instance not found`, text/plain.", _text("Instance not found", 404)
    ),
    "method_not_allowed": _always(
        "405, as documented elsewhere in the API.", _json({"error": "Method Not Allowed"}, 405)
    ),
    "not_found": _always(
        "200 with NOT_FOUND: a wrong path or wrong credentials.",
        _json(
            {
                "error": "NOT_FOUND",
                "message": "Unable to find matching target resource method",
            }
        ),
    ),
    "passkey": _connection(
        "200 with a `challenge`: the account wants a passkey.",
        _json({"challenge": "c2FuZGJveCBjaGFsbGVuZ2U"}),
    ),
    "rate_limited": _always(
        "429: too many codes asked for.", _json({"error": "Too Many Requests"}, 429)
    ),
    "rate_limited_retry_after": _always(
        "429 with `Retry-After: 1`.", _nothing(429, {"retry-after": "1"})
    ),
    "redirect": _always(
        "302 to another host.", _nothing(302, {"location": "https://login.plugchat.example/"})
    ),
    "server_error": _always(
        "500 with JSON.", _json({"error": "Internal Server Error", "status": 500}, 500)
    ),
    "server_error_empty": _always("503 with nothing in it.", _nothing(503)),
    "server_error_html": _always("502 with a proxy's error page.", _html(_GATEWAY_PAGE, 502)),
    "status_error": _always("200 with `status` ERROR: a failure.", _json({"status": "ERROR"})),
    "subscription_required": _always(
        "400: the trial is over, or the subscription unpaid.",
        _json(
            {"error": "To continue sending a message, you must subscribe to this instance again"},
            400,
        ),
    ),
    "unauthorized": _always("401: the token is missing or wrong.", UNAUTHORIZED),
    "unsupported_media_type": _always(
        "415, as documented elsewhere in the API.", _json({"error": "Unsupported Media Type"}, 415)
    ),
    "value_empty": _always("200 with an empty `value`: no code yet.", _json({"value": ""})),
    "value_false": _always(
        "200 with `value` false: no code yet, or a refusal.", _json({"value": False})
    ),
    "value_null": _always("200 with `value` null: no code yet.", _json({"value": None})),
}


# The error codes that are not the name of a response already.
ERROR_CODES: Mapping[str, Answer] = {
    "authentication_error": _error_code("unauthorized"),
    "passkey_required": _error_code("passkey", QR_ENDPOINTS),
    "qr_not_ready": _error_code("value_null", QR_ENDPOINTS),
    "unexpected_redirect": _error_code("redirect"),
    "unexpected_response": _error_code("status_error"),
}

BY_NAME: Mapping[str, Answer] = dict(
    sorted({**CODES, **CONNECTIONS, **INSTANCES, **FAILURES, **ERROR_CODES}.items())
)

ANSWERS: Mapping[str, str] = MappingProxyType(
    {name: answer.description for name, answer in BY_NAME.items()}
)
"""Names of all responses, sorted, each with one line about it."""

"""Meaning of responses: each row of the wire's tables, on every endpoint it applies to."""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
import segno
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from plugchat_async import (
    AlreadyConnected,
    AuthenticationError,
    Device,
    InstanceNotFound,
    InstanceStatus,
    PasskeyRequired,
    QRCode,
    QRNotReady,
    RateLimited,
    ResponseError,
    ServerError,
    SubscriptionRequired,
    UnexpectedRedirect,
    UnexpectedResponse,
)
from plugchat_async._wire import (
    DEVICE,
    DISCONNECT,
    QR_CODE,
    QR_CODE_IMAGE,
    RESTART,
    RESTORE_SESSION,
    STATUS,
    Code,
    ImageFile,
    Response,
    Text,
    read_code,
    read_device,
    read_done,
    read_status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugchat_async._wire import Endpoint, Redact

Body: TypeAlias = str | bytes | dict[str, Any]

LEGACY = "2@" + ",".join(base64.b64encode(bytes(range(n, n + 45))).decode() for n in range(4))
LINK = "https://wa.me/settings/linked_devices#" + base64.b64encode(bytes(150)).decode()
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def image_file(kind: str = "PNG") -> bytes:
    """Draw a code and store it in one of the formats."""
    drawn = io.BytesIO()
    segno.make_qr(LINK).save(drawn, kind="png", scale=3)
    stored = io.BytesIO()
    Image.open(drawn).convert("RGB").save(stored, kind)
    return stored.getvalue()


PNG = image_file()
PNG_BASE64 = base64.b64encode(PNG).decode()
XML = '<?xml version="1.0" encoding="iso-8859-1"?>'
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9v9"/></svg>'


def response(status: int, body: Body, **headers: str) -> Response:
    """Make a response; its label is left out, since labels lie and are never looked at.

    Headers are given as `retry_after="7"`.
    """
    if isinstance(body, dict):
        body = json.dumps(body)
    content = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, content, asked_at=NOON, headers=named)


def keep(text: str) -> str:
    """Redact nothing."""
    return text


def read(status: int, body: Body, **headers: str) -> Code | ResponseError:
    """Read a response of a QR endpoint."""
    return read_code(response(status, body, **headers), keep)


def read_command(response: Response, redact: Redact) -> bool | ResponseError:
    """Read a response of `/restart`."""
    return read_done(response, redact, endpoint=RESTART)


def test_each_endpoint_goes_to_the_host_that_is_documented_for_it() -> None:
    """The image has another host than the text."""
    assert QR_CODE.url(None) == "https://app.plugchat.com.br/api/whatsapp/qr-code"
    assert QR_CODE_IMAGE.url(None) == "https://www.plugchat.com.br/api/whatsapp/qr-code/image"
    for endpoint, path in [
        (STATUS, "/status"),
        (DEVICE, "/device"),
        (DISCONNECT, "/disconnect"),
        (RESTORE_SESSION, "/restore-session"),
        (RESTART, "/restart"),
    ]:
        assert endpoint.url(None) == f"https://app.plugchat.com.br/api/whatsapp{path}"


def test_a_base_url_holds_for_every_endpoint() -> None:
    """A sibling deployment has one host."""
    urls = [end.url("https://api.example/api/whatsapp") for end in (QR_CODE, QR_CODE_IMAGE, STATUS)]
    assert urls == [
        "https://api.example/api/whatsapp/qr-code",
        "https://api.example/api/whatsapp/qr-code/image",
        "https://api.example/api/whatsapp/status",
    ]


# A code


@pytest.mark.parametrize("payload", [LEGACY, LINK, "X9", "0", "ação,é"])
@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"error": None},
        {"error": "You are not connected."},
        {"connected": False, "status": "ok"},
        {"status": 0},
        {"message": "QR code generated"},
    ],
)
@pytest.mark.parametrize("key", ["value", "qrcode"])
def test_the_text_of_a_code_is_taken_unchanged(
    payload: str, beside: dict[str, object], key: str
) -> None:
    """No prefix is asked for, nothing is added or lost, and fields beside it are ignored."""
    body = json.dumps({key: payload, **beside})
    assert read(200, body) == Text(payload)
    assert read(200, "\ufeff" + body) == Text(payload)


@pytest.mark.parametrize("payload", [LEGACY, LINK, "code-1"])
@pytest.mark.parametrize("template", ["{}", '"{}"', " {}\r\n", '{{"value": "\\n {} "}}'])
def test_a_code_alone_or_with_blanks_around_is_a_code(payload: str, template: str) -> None:
    """Plain text and a quoted JSON string are the code."""
    assert read(200, template.format(payload)) == Text(payload)


@pytest.mark.parametrize(
    "longest", ["7" * 7089, "A1" * 2148, "2@" + "x" * 2951, "#" + "é" * 1475 + "!"]
)
def test_a_code_is_as_long_as_a_symbol_can_hold(longest: str) -> None:
    """A longer one is an error of ours, before it becomes a QRCode that can't be drawn."""
    assert read(200, {"value": longest}) == Text(longest)
    assert QRCode(payload=longest).payload == longest
    assert isinstance(read(200, {"value": longest + longest[-1]}), UnexpectedResponse)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"data:image/png;base64,{PNG_BASE64}", id="data uri"),
        pytest.param(PNG_BASE64, id="bare base64"),
        pytest.param(
            f"data:image/png;base64,data:image/png;base64,{PNG_BASE64}", id="prefix doubled"
        ),
        pytest.param(f"DATA:IMAGE/PNG;BASE64,{PNG_BASE64}", id="prefix in upper case"),
        pytest.param(f"data:image/jpeg;base64,{PNG_BASE64}", id="wrong label"),
        pytest.param(f"data:;base64,{PNG_BASE64}", id="no label"),
        pytest.param(
            f"data:image/png;base64,{PNG_BASE64[:76]}\n{PNG_BASE64[76:]}\r\n", id="line break"
        ),
    ],
)
@pytest.mark.parametrize(
    "body",
    [lambda text: {"value": text}, lambda text: {"qrcode": text}, str, json.dumps],
    ids=["value", "qrcode", "bare", "quoted"],
)
def test_an_image_in_base64_is_an_image(text: str, body: Callable[[str], Body]) -> None:
    """Either endpoint may return one, under a key or alone."""
    assert read(200, body(text)) == ImageFile(PNG, "image/png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_binary_body_is_an_image_of_the_type_its_bytes_have(kind: str) -> None:
    """The four types that every browser shows are taken, whatever they are labelled."""
    assert read(200, image_file(kind)) == ImageFile(image_file(kind), f"image/{kind.lower()}")  # type: ignore[arg-type]  # one of the four


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.99])
def test_a_truncated_image_is_refused(kind: str, kept: float) -> None:
    """Half an image is not a code, in binary or in base64."""
    data = image_file(kind)[: int(len(image_file(kind)) * kept)]
    encoded = base64.b64encode(data).decode()
    for body in (data, {"value": encoded}, {"value": f"data:image/png;base64,{encoded}"}):
        assert isinstance(read(200, body), UnexpectedResponse)


@pytest.mark.parametrize(
    "text",
    [
        "data:image/png;base64,!!!not-base64!!!",
        f"data:image/png;base64,{PNG_BASE64[:40]}!{PNG_BASE64[40:]}",
        f"data:image/png;base64,AAAA,{PNG_BASE64}",
        "data:image/png;base64," * 3 + PNG_BASE64,
        "data:image/png;base64," + PNG_BASE64[:-3],
        "data:image/png;base64,",
        "data:image/png",
        PNG_BASE64[:-3],
        "data:image/svg+xml;base64," + base64.b64encode(SVG).decode(),
        base64.b64encode(SVG).decode(),
        base64.b64encode(b'<?xml version="1.0"?>' + SVG).decode(),
        "data:image/svg+xml," + SVG.decode(),
        "data:text/plain;base64,aGVsbG8=",
        "data:image/bmp;base64," + base64.b64encode(b"BM" + bytes(60)).decode(),
    ],
)
def test_a_broken_image_or_one_of_another_type_is_refused(text: str) -> None:
    """It is neither handed on nor drawn as the text of a code; an SVG could carry a script."""
    for body in ({"value": text}, text, json.dumps(text)):
        assert isinstance(read(200, body), UnexpectedResponse)


@pytest.mark.parametrize("body", [SVG, b'<?xml version="1.0"?>' + SVG, b"<svg><path/></svg>"])
def test_an_svg_is_refused(body: bytes) -> None:
    """An SVG could carry a script, and is not a proxy's page."""
    assert isinstance(read(200, body), UnexpectedResponse)


# Already connected


@pytest.mark.parametrize(
    "body",
    [
        {"connected": True},
        {"connected": "true"},
        {"connected": "True", "value": None},
        {"connected": 1},
        {"connected": "1"},
        {"connected": True, "value": "", "error": "You are already connected."},
        {"error": "You are already connected."},
        {"value": "You are already connected."},
        {"errors": [{"message": "You are already connected."}]},
        "You are already connected.",
    ],
)
def test_a_success_without_a_code_that_is_connected(body: Body) -> None:
    """The likeliest response of a connected instance is 200 with `connected`."""
    assert isinstance(read(200, body), AlreadyConnected)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 500])
@pytest.mark.parametrize("key", ["error", "message"])
@pytest.mark.parametrize(
    "sentence",
    [
        "You are already connected.",
        "you are ALREADY CONNECTED",
        "A instância já está conectada",
        "Você já está conectado.",
        "Voce ja esta conectado",
        "Já conectado",
    ],
)
def test_any_other_status_that_says_so_in_words(status: int, key: str, sentence: str) -> None:
    """English or Portuguese, under `error` or `message`."""
    found = read(status, {key: sentence})
    assert isinstance(found, AlreadyConnected)
    assert found.status_code == status
    assert found.detail == sentence


@pytest.mark.parametrize("status", [400, 409])
@pytest.mark.parametrize(
    "body", ["", {}, {"error": "Bad Request"}, {"error": "You are not connected."}]
)
def test_a_bare_refusal_is_not_already_connected(status: int, body: Body) -> None:
    """Only the words tell."""
    assert type(read(status, body)) is UnexpectedResponse


@pytest.mark.parametrize(
    "body",
    [
        {"connected": False, "error": "You are not connected."},
        {"connected": "false"},
        {"connected": 0},
        {"connected": "0"},
        {"error": "You need to restore the session."},
        {"message": "This instance is not already connected", "value": None},
    ],
)
def test_an_instance_that_is_not_connected_has_no_code_yet(body: Body) -> None:
    """These sentences describe the state before a scan."""
    assert isinstance(read(200, body), QRNotReady)


# Not a code


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (
            200,
            {"error": "NOT_FOUND", "message": "Unable to find matching target resource method"},
            InstanceNotFound,
        ),
        (200, {"value": False}, QRNotReady),
        (200, {"value": None}, QRNotReady),
        (200, {"value": ""}, QRNotReady),
        (200, {"value": "  "}, QRNotReady),
        (200, {}, QRNotReady),
        (200, "", QRNotReady),
        (200, " \n", QRNotReady),
        (200, "null", QRNotReady),
        (200, "false", QRNotReady),
        (204, "", QRNotReady),
        (200, {"status": "ERROR"}, UnexpectedResponse),
        (200, {"status": "ERROR", "value": LINK}, UnexpectedResponse),
        (200, {"status": "erro", "value": LINK}, UnexpectedResponse),
        (200, {"status": "Fail", "value": LINK}, UnexpectedResponse),
        (200, {"status": "failed", "value": LINK}, UnexpectedResponse),
        (200, {"status": "failure", "value": LINK}, UnexpectedResponse),
        (200, {"status": False, "value": LINK}, UnexpectedResponse),
        (200, {"status": False}, UnexpectedResponse),
        (200, {"error": "Something broke", "value": None}, UnexpectedResponse),
        (200, {"errors": ["Something broke"], "value": ""}, UnexpectedResponse),
        (200, {"errors": ["Something broke"], "value": LINK}, UnexpectedResponse),
        (200, "<html><body><h1>502 Bad Gateway</h1></body></html>", ServerError),
        (200, "  <!DOCTYPE html><title>Just a moment</title>", ServerError),
        (200, "<html>Não disponível</html>".encode("latin-1"), ServerError),
        (200, f"{XML}<html></html>", ServerError),
        (
            200,
            f"{XML}\r\n<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0//EN'><html></html>",
            ServerError,
        ),
        (200, f"{XML}<htmlish/>", UnexpectedResponse),
        (200, {"challenge": {"publicKey": "x"}}, PasskeyRequired),
        (200, {"challenge": {}, "value": None}, PasskeyRequired),
        (200, {"challenge": None, "value": None}, QRNotReady),
        (400, {"challenge": "x"}, PasskeyRequired),
        (400, {"error": "your client-token is not configured"}, AuthenticationError),
        (
            400,
            {"error": "To continue sending a message, you must subscribe to this instance again"},
            SubscriptionRequired,
        ),
        (402, {"message": "Payment Required"}, SubscriptionRequired),
        (200, {"message": "Your trial is over"}, SubscriptionRequired),
        (200, {"message": "Your trial has ended"}, SubscriptionRequired),
        (200, {"message": "Trial expired"}, SubscriptionRequired),
        (401, "", AuthenticationError),
        (401, "<html>Sign in</html>", AuthenticationError),
        (403, "<!DOCTYPE html><title>Attention Required!</title>", AuthenticationError),
        (403, {"error": "Client-Token whatever not allowed"}, AuthenticationError),
        (404, "Instance not found", InstanceNotFound),
        (404, {"reason": "entity not found"}, InstanceNotFound),
        (200, "Instance not found", InstanceNotFound),
        (200, {"message": "Unauthorized"}, AuthenticationError),
        (200, {"message": "request unauthorised"}, AuthenticationError),
        (200, {"message": "Invalid token given"}, AuthenticationError),
        (400, {"error": "NOT_FOUND"}, InstanceNotFound),
        (400, {"reason": "Entity not found"}, InstanceNotFound),
        (400, {"message": "Unable to find matching target resource method"}, InstanceNotFound),
        (429, "", RateLimited),
        (302, "", UnexpectedRedirect),
        (304, "", UnexpectedRedirect),
        (500, "", ServerError),
        (502, "<html></html>", ServerError),
        (503, {"error": "down"}, ServerError),
        (599, b"\xff", ServerError),
        (400, "", UnexpectedResponse),
        (405, {"error": "Method Not Allowed"}, UnexpectedResponse),
        (415, "", UnexpectedResponse),
        (418, LINK, UnexpectedResponse),
        (418, PNG, UnexpectedResponse),
        (101, "", UnexpectedResponse),
        (200, {"foo": 1}, UnexpectedResponse),
        (200, {"value": 7}, UnexpectedResponse),
        (200, {"error": "Something broke", "value": LINK}, UnexpectedResponse),
        (200, {"error": "Something broke", "value": PNG_BASE64}, UnexpectedResponse),
        (200, {"value": "x" * 3000}, UnexpectedResponse),
        (200, "[1, 2]", UnexpectedResponse),
        (200, "7", UnexpectedResponse),
        (200, '{"value": "2@abc', UnexpectedResponse),
        (200, '"2@abc', UnexpectedResponse),
        (200, "[" * 100_000, UnexpectedResponse),
        (200, b"\xff\xfe\x00", UnexpectedResponse),
    ],
)
def test_a_response_without_a_code_is_an_error_with_a_meaning(
    status: int, body: Body, error: type[ResponseError]
) -> None:
    """Each row of the family's responses without a code."""
    found = read(status, body)
    assert type(found) is error
    assert isinstance(found, ResponseError)
    assert found.status_code == status


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (199, UnexpectedResponse),
        (200, Text),
        (299, Text),
        (300, UnexpectedRedirect),
        (399, UnexpectedRedirect),
        (400, UnexpectedResponse),
        (499, UnexpectedResponse),
        (500, ServerError),
        (999, ServerError),
    ],
)
def test_a_status_means_what_its_hundred_says(status: int, meaning: type[object]) -> None:
    """From the first to the last of each hundred, even if a code comes with it."""
    assert type(read(status, LINK)) is meaning


@pytest.mark.parametrize(
    "sentence",
    [
        "Something went wrong, try again",
        "Instance is restarting",
        "Token inválido",
        "undefined",
        "null",
        "ERROR",
        "NOT_FOUND",
        "<html>oops</html>",
        '{"error": "nested"}',
        "line\x00noise",
    ],
)
@pytest.mark.parametrize(
    "template",
    [
        {"value": "%"},
        {"qrcode": "%"},
        {"error": "%"},
        {"errors": ["%"]},
        {"error": {"message": "%"}},
        {"message": "%", "value": None},
        {"msg": "%"},
        {"reason": "%"},
        {"detail": "%"},
        {"status": "error", "message": "%"},
        "%",
    ],
)
def test_an_error_sentence_is_never_a_code(sentence: str, template: object) -> None:
    """Wherever it stands, even as the value of the code, and alone."""
    body = json.dumps(template).replace('"%"', json.dumps(sentence))
    assert isinstance(read(200, body), ResponseError)
    assert isinstance(read(200, sentence), ResponseError)


@pytest.mark.parametrize(
    "word",
    [
        *("expired", "disconnected", "loading...", "carregando", "Conectando…", "expirado!"),
        *("Unauthorized", "Forbidden.", "OK", "x", "not_found", "não", "TIMEOUT!!!", " waiting \n"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [lambda word: {"value": word}, lambda word: {"qrcode": word}, str, json.dumps],
    ids=["value", "qrcode", "bare", "quoted"],
)
def test_a_single_word_is_never_a_code(word: str, body: Any) -> None:
    """A code has digits or punctuation inside; a word is a message, which `detail` repeats."""
    found = read(200, body(word))
    assert isinstance(found, ResponseError)
    assert (found.detail or "").strip() == word.strip()


# What an error tells


@pytest.mark.parametrize(
    ("status", "body", "happened", "to_do"),
    [
        (
            200,
            {"connected": True},
            "this instance is already connected to a phone",
            "disconnect it before linking another",
        ),
        (
            200,
            {"challenge": "x"},
            "this WhatsApp account requires a passkey",
            "trying again does not help; ask PlugChat's support how to link such an account",
        ),
        (
            401,
            "",
            "the API refused the token: pass it as it stands in PlugChat's panel, without `Bearer`",
            "an account with a security token wants that too, as headers={'Client-Token': ...}",
        ),
        (
            403,
            "<html>Acesso não permitido</html>".encode("latin-1"),
            "a firewall or a proxy refused the request with an HTML page",
            "check base_url, and whether this network is allowed to reach PlugChat",
        ),
        (
            403,
            f"{XML}\n<!DOCTYPE html><html></html>",
            "a firewall or a proxy refused the request with an HTML page",
            "check base_url, and whether this network is allowed to reach PlugChat",
        ),
        (403, SVG, "the API refused the token", "as headers={'Client-Token': ...}"),
        (
            402,
            {"error": "trial over"},
            "this instance's trial is over or its subscription unpaid",
            "renew it in PlugChat's panel",
        ),
        (
            404,
            "",
            "the API knows no such instance or path",
            "check base_url, which ends in /api/whatsapp, and the token",
        ),
        (429, "", "too many requests", "wait some minutes before asking again"),
        (502, "", "the gateway is down for now (HTTP 502)", "try again later"),
        (200, {}, "the API responded, but has no code yet", "ask again in some seconds"),
        (
            200,
            PNG[:-20],
            "the API sent an image that is broken, truncated, or neither PNG, JPEG, GIF nor WebP",
            "ask again",
        ),
        (
            418,
            b"teapot",
            "the API's response is neither the expected one nor a known error",
            "(HTTP 418, 6 bytes)",
        ),
        (
            302,
            "",
            "the API redirects, which is not followed",
            "since the token would go with it or be lost; check base_url",
        ),
    ],
)
def test_a_message_says_what_happened_and_what_to_do_next(
    status: int, body: Body, happened: str, to_do: str
) -> None:
    """In words for whoever reads it, with the names as they are spelled."""
    message = str(read(status, body))
    assert message.startswith(happened)
    assert message.endswith(to_do)


def test_too_many_calls_tells_how_long_to_wait() -> None:
    """In whole seconds, beside what the API says itself."""
    found = read(429, {"error": "Slow down"}, retry_after="7")
    assert isinstance(found, RateLimited)
    assert "wait 7 s before" in str(found)
    assert found.detail == "Slow down"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("1769083200000", 1_769_083_200_000.0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 12:00:30 -0000", 30.0),
        ("Sun, 22 Nov 2026 09:01:00 -0300", 60.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("9" * 16, 1e15),
        ("9" * 5000, 1e15),
        ("0" * 20 + "7", 7.0),
        ("\u0667", None),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_seconds_or_a_date(status: int, text: str, seconds: float | None) -> None:
    """Both forms of RFC 9110, and None for anything else."""
    found = read(status, "", retry_after=text)
    assert isinstance(found, RateLimited | ServerError)
    assert found.retry_after == seconds


def test_the_meaning_of_an_error_is_found_among_the_first_sentences() -> None:
    """A long response costs no more than a short one: it would hold up everybody else."""
    looked_at: list[int] = []

    def redact(text: str) -> str:
        looked_at.append(len(text))
        return text

    for body in ({"error": "a " * 400_000}, {"errors": [f"{n}" for n in range(100_000)]}):
        assert isinstance(read_code(response(400, body), redact), UnexpectedResponse)
    assert len(looked_at) == 2
    assert max(looked_at) < 25_000


def test_no_retry_after_is_none() -> None:
    """The API need not say how long."""
    found = read(429, "")
    assert isinstance(found, RateLimited)
    assert found.retry_after is None


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://user:secret@login.example/path?token=secret", "login.example"),
        ("/relative", None),
        ("http://[broken", None),
        (None, None),
    ],
)
def test_a_redirect_tells_the_host_alone(location: str | None, host: str | None) -> None:
    """Path, query and user part may hold secrets."""
    headers = {} if location is None else {"location": location}
    found = read_code(Response(302, b"", asked_at=NOON, headers=headers), keep)
    assert isinstance(found, UnexpectedRedirect)
    assert found.location == host
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    "unprintable",
    [
        pytest.param("\x1b", id="a control character"),
        pytest.param("\x9b", id="a C1 control character"),
        pytest.param("\u202e", id="right-to-left override"),
        pytest.param("\u2066", id="a bidirectional isolate"),
        pytest.param("\u200b", id="zero-width space"),
    ],
)
def test_a_redirect_is_cleaned_as_a_detail_is(unprintable: str) -> None:
    """A terminal or a log shows the host as it is written, and nothing else."""
    location = f"https://login{unprintable}.example/"
    found = read(302, b"", location=location)
    assert isinstance(found, UnexpectedRedirect)
    assert found.location == "login .example"
    assert "to login .example, which" in str(found)
    detail = read(500, {"error": f"login{unprintable}.example"})
    assert isinstance(detail, ServerError)
    assert detail.detail == found.location


def test_a_redirect_to_a_host_that_repeats_a_secret_is_redacted() -> None:
    """Hosts are in lower case, whatever the secret is."""
    location = "https://the-token.login.example/"
    found = read_code(response(302, b"", location=location), lambda _: "[redacted]")
    assert isinstance(found, UnexpectedRedirect)
    assert found.location == "[redacted]"
    assert "the-token" not in str(found)


def test_a_response_shows_nothing_that_the_api_chose() -> None:
    """Its repr stands among the locals that an error reporter renders."""
    came = response(200, b"secret", retry_after="secret", location="secret")
    assert "secret" not in repr(came)


@pytest.mark.parametrize("code", [Text("secret"), ImageFile(b"secret", "image/png")])
def test_a_code_shows_nothing_of_itself(code: Code) -> None:
    """Whoever sees it can link a phone."""
    assert "secret" not in repr(code)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (response(200, LINK), "content"),
        (Text(LINK), "payload"),
        (ImageFile(PNG, "image/png"), "data"),
    ],
    ids=["response", "text", "image"],
)
def test_results_can_not_be_changed(value: object, name: str) -> None:
    """It is handed from hand to hand."""
    with pytest.raises(AttributeError):
        setattr(value, name, b"")


def test_the_detail_is_the_apis_text_cleaned_and_cut() -> None:
    """One line, no control characters, no secret, 200 characters."""
    found = read_code(
        response(500, {"error": "a\x1b[31m\n\tb", "message": "c " * 500}),
        lambda text: text.replace("b", "?"),
    )
    assert isinstance(found, ServerError)
    assert found.detail is not None
    assert found.detail.startswith("a [31m  ?: c c")
    assert len(found.detail) == 200


def test_a_detail_is_said_once() -> None:
    """Gateways repeat themselves under several keys."""
    found = read(500, {"error": "down", "message": "down"})
    assert isinstance(found, ServerError)
    assert found.detail == "down"


@pytest.mark.parametrize(
    "key", ["error", "errors", "message", "msg", "reason", "detail", "status", "value", "qrcode"]
)
def test_a_sentence_is_found_under_each_of_the_keys(key: str) -> None:
    """Gateways have no common name for it, and some put it where the code should stand."""
    found = read(500, {key: "out of order"})
    assert isinstance(found, ServerError)
    assert found.detail == "out of order"


@pytest.mark.parametrize("wrap", [str, lambda page: {"error": page}], ids=["alone", "error"])
def test_a_page_is_not_a_sentence(wrap: Callable[[str], Body]) -> None:
    """A proxy's page is not quoted, whatever it speaks of."""
    found = read(502, wrap("<html>You are already connected.</html>"))
    assert isinstance(found, ServerError)
    assert found.detail is None


def test_a_sentence_that_is_empty_is_passed_over() -> None:
    """Others may say more."""
    found = read(500, {"error": "", "message": "out of order", "reason": ""})
    assert isinstance(found, ServerError)
    assert found.detail == "out of order"


@pytest.mark.parametrize("torn", ['{"error": "out of order', '["out of order', '"out of order'])
def test_a_torn_answer_is_not_read(torn: str) -> None:
    """Half of a JSON text is neither a sentence nor a code."""
    found = read(400, torn)
    assert isinstance(found, UnexpectedResponse)
    assert found.detail is None


def test_a_code_is_not_a_sentence() -> None:
    """A text that may be a code is not quoted as words of the API."""
    found = read(500, {"error": "out of order", "value": LINK, "qrcode": f" {LINK} "})
    assert isinstance(found, ServerError)
    assert found.detail == "out of order"


@pytest.mark.parametrize(
    "wrap", [lambda inner: {"error": inner}, lambda inner: [inner]], ids=["object", "list"]
)
def test_sentences_are_not_looked_for_without_end(wrap: Callable[[object], object]) -> None:
    """Nested errors are followed three steps, not as deep as a body can be."""
    body: object = "too deep"
    details: list[str | None] = []
    for _ in range(5):
        body = wrap(body)
        found = read(500, json.dumps(body))
        assert isinstance(found, ServerError)
        details.append(found.detail)
    assert details == ["too deep"] * 3 + [None] * 2


def test_twenty_sentences_are_enough() -> None:
    """The first ones, in the API's order."""
    found = read(500, {"errors": [f"{number}" for number in range(100)]})
    assert isinstance(found, ServerError)
    assert found.detail == ": ".join(f"{number}" for number in range(20))


def test_a_sentence_after_twenty_others_is_not_looked_for() -> None:
    """Those without words count, too: a megabyte of them would hold the event loop for a second."""
    for fillers, detail in ((19, "told"), (20, None)):
        found = read(500, {"errors": [{}] * fillers + ["told"]})
        assert isinstance(found, ServerError)
        assert found.detail == detail


def test_a_sentence_is_read_up_to_a_thousand_characters() -> None:
    """Later characters are ignored."""
    words = "already connected"
    assert isinstance(read(400, words.rjust(1000, ".")), AlreadyConnected)
    assert isinstance(read(400, words.rjust(1001, ".")), UnexpectedResponse)


@pytest.mark.parametrize("read_result", [read_code, read_status, read_device, read_command])
def test_a_body_that_could_not_be_read_says_why(
    read_result: Callable[[Response, Redact], object],
) -> None:
    """A body that was given up leaves its reason, unless the status says more."""
    refused = read_result(Response(200, b"", asked_at=NOON, unreadable="is larger"), keep)
    assert isinstance(refused, UnexpectedResponse)
    assert "is larger" in str(refused)
    down = read_result(Response(503, b"", asked_at=NOON, unreadable="is larger"), keep)
    assert isinstance(down, ServerError)


# The state of an instance


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (
            200,
            {
                "connected": True,
                "session": True,
                "smartphoneConnected": True,
                "error": "You are already connected.",
                "created": 1,
            },
            InstanceStatus(
                connected=True,
                session=True,
                smartphone_connected=True,
                error="You are already connected.",
            ),
        ),
        (
            200,
            {"connected": False, "session": False, "error": "You are not connected."},
            InstanceStatus(connected=False, session=False, error="You are not connected."),
        ),
        (200, {"connected": "true", "session": "?"}, InstanceStatus(connected=True)),
        (200, {"connected": 0, "error": None}, InstanceStatus(connected=False)),
        (
            200,
            {"connected": True, "error": "One.", "message": "Two."},
            InstanceStatus(connected=True, error="One."),
        ),
        (
            400,
            {"error": "You are already connected."},
            InstanceStatus(connected=True, error="You are already connected."),
        ),
        (
            400,
            {"error": "You need to restore the session."},
            InstanceStatus(connected=False, error="You need to restore the session."),
        ),
    ],
)
def test_the_documented_states(status: int, body: Body, state: InstanceStatus) -> None:
    """`connected` decides; on a connected instance `error` is information."""
    assert read_status(response(status, body), keep) == state


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"error": "NOT_FOUND", "message": "…"}, InstanceNotFound),
        (200, {}, UnexpectedResponse),
        (200, LINK, UnexpectedResponse),
        (200, "<html></html>", ServerError),
        (302, "", UnexpectedRedirect),
        (199, {"connected": True}, UnexpectedResponse),
        (401, {"connected": True}, AuthenticationError),
        (404, "", InstanceNotFound),
        (500, {"error": "You are not connected."}, ServerError),
        (
            500,
            {"connected": False, "error": "This instance was already connected."},
            ServerError,
        ),
    ],
)
def test_a_response_without_the_state(status: int, body: Body, error: type[ResponseError]) -> None:
    """A response without `connected` is an error with a meaning."""
    assert type(read_status(response(status, body), keep)) is error


# The linked phone


PHONE = "5511999990000"


@pytest.mark.parametrize(
    ("body", "device"),
    [
        pytest.param(
            {
                "phone": PHONE,
                "imgUrl": "https://pps.whatsapp.net/v/t61?oe=1",
                "about": "At work",
                "name": "Ana",
                "originalDevice": "iphone",
                "isBusiness": False,
                "device": {
                    "sessionName": "Shop",
                    "wa_version": "2.21.10.16",
                    "device_manufacturer": "samsung",
                    "device_model": "SM-N975F",
                    "platform": "smba",
                },
            },
            Device(
                phone=PHONE,
                name="Ana",
                image_url="https://pps.whatsapp.net/v/t61?oe=1",
                platform="iphone",
                model="SM-N975F",
            ),
            id="the family's response",
        ),
        pytest.param(
            {"phone": PHONE, "imgUrl": None, "device": {"platform": "smba"}},
            Device(phone=PHONE, platform="smba"),
            id="the documented response",
        ),
        pytest.param(
            {
                "phone": "",
                "imgUrl": "",
                "name": " ",
                "originalDevice": "",
                "device": {"platform": "", "device_model": ""},
            },
            Device(),
            id="no phone is linked",
        ),
        pytest.param({"imgUrl": 7, "name": ["Ana"], "device": "x", "me": 1}, Device(), id="types"),
        pytest.param({}, Device(), id="nothing"),
        pytest.param({"connected": False}, Device(), id="no connection"),
        pytest.param(
            {"phone": PHONE, "error": "You are already connected."},
            Device(phone=PHONE),
            id="a sentence that is information",
        ),
        pytest.param({"error": "You are not connected."}, Device(), id="not connected"),
        pytest.param("You are not connected.", Device(), id="not connected, as text"),
    ],
)
def test_a_device_is_what_the_api_tells_of_the_phone(body: Any, device: Device) -> None:
    """Without a phone it is a Device of Nones, and unknown keys are ignored."""
    assert read_device(response(200, body), keep) == device


def test_a_refusal_that_says_not_connected_is_a_device_of_nones() -> None:
    """As `/status` is told, the sentence counts under 400 as well."""
    assert read_device(response(400, {"error": "You are not connected."}), keep) == Device()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda phone: {"phone": phone},
        lambda phone: {"phoneNumber": phone},
        lambda phone: {"connectedPhone": phone},
        lambda phone: {"phone": "", "device": {"phoneNumber": phone}},
        lambda phone: {"phone": None, "me": {"phoneNumber": phone}},
        lambda phone: {"me": {"phoneNumber": "unknown", "user": phone}},
    ],
    ids=["phone", "phoneNumber", "connectedPhone", "device.phoneNumber", "me.phoneNumber", "me"],
)
@pytest.mark.parametrize(
    "phone",
    [
        *(PHONE, int(PHONE), f"+{PHONE}", " +55 (11) 99999-0000 ", f"{PHONE}@c.us"),
        *(f"{PHONE}:12@s.whatsapp.net", f"{PHONE}:3"),
    ],
    ids=lambda phone: f"{phone!r}",
)
def test_a_phone_is_digits_under_any_of_its_keys(wrap: Any, phone: str | int) -> None:
    """The sign, blanks, and the rest of a WhatsApp id are not part of it."""
    found = read_device(response(200, wrap(phone)), keep)
    assert isinstance(found, Device)
    assert found.phone == PHONE


@pytest.mark.parametrize(
    "phone",
    ["236542104662111@lid", "120363025@g.us", "1" * 16, "+", "unknown", "١٢٣", True, 1.5, [PHONE]],
)
def test_a_text_that_is_not_a_phone_number_is_none(phone: Any) -> None:
    """A hidden id or a group has digits as well, which nobody can call."""
    assert read_device(response(200, {"phone": phone}), keep) == Device()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"value": False}, UnexpectedResponse),
        (200, {"value": False, "phone": PHONE}, UnexpectedResponse),
        (200, {"error": "You are already connected."}, UnexpectedResponse),
        (200, {"message": "The instance is restarting"}, UnexpectedResponse),
        (200, {"value": "expired"}, UnexpectedResponse),
        (200, {"connected": True}, UnexpectedResponse),
        (200, "", UnexpectedResponse),
        (200, "[]", UnexpectedResponse),
        (400, {"phone": PHONE}, UnexpectedResponse),
        (500, {"error": "You are not connected."}, ServerError),
        (200, {"challenge": "x"}, PasskeyRequired),
    ],
)
def test_a_response_without_a_device(status: int, body: Any, error: type[ResponseError]) -> None:
    """A refusal is an error with a meaning, not an instance without a phone."""
    assert type(read_device(response(status, body), keep)) is error


# Disconnecting, restoring, restarting


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, {"value": True}), (200, ""), (200, " \n"), (204, ""), (200, {"value": True, "id": 7})],
)
def test_a_command_is_done(status: int, body: Any) -> None:
    """`{"value": true}` and an empty success say so."""
    assert read_command(response(status, body), keep) is True


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"value": False}),
        (200, {"value": None}),
        (200, {}),
        (200, "true"),
        (200, '""'),
        (200, "OK"),
        (200, LINK),
        (200, PNG),
        (200, {"connected": True}),
        (200, {"connected": False}),
        (200, {"value": True, "error": "Something broke"}),
        (200, {"error": "You are already connected."}),
        (200, {"error": "You are not connected."}),
        (200, "You are already connected."),
        (400, {"error": "You are already connected."}),
        (400, {"value": True}),
        (409, {"message": "já conectado"}),
        (405, {"error": "Method Not Allowed"}),
    ],
)
def test_a_command_that_is_not_done(status: int, body: Any) -> None:
    """Anything else is unexpected; a sentence about being connected is not a success."""
    found = read_command(response(status, body), keep)
    assert type(found) is UnexpectedResponse
    assert found.status_code == status


@pytest.mark.parametrize(
    ("endpoint", "to_do"),
    [
        (DISCONNECT, "ask status() whether a phone is linked"),
        (RESTORE_SESSION, "if no phone is linked any more, link one with a code"),
        (RESTART, "try it in PlugChat's panel, or again later"),
    ],
)
def test_a_refused_command_says_what_to_do(endpoint: Endpoint, to_do: str) -> None:
    """`{"value": false}` is all that the API says."""
    found = read_done(response(200, {"value": False}), keep, endpoint=endpoint)
    assert str(found) == f"PlugChat refused {endpoint.path}: {to_do}"


@pytest.mark.parametrize("read_result", [read_device, read_command])
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"error": "NOT_FOUND"}, InstanceNotFound),
        (200, {"message": "Unauthorized"}, AuthenticationError),
        (200, {"message": "Your trial is over"}, SubscriptionRequired),
        (200, "<html></html>", ServerError),
        (200, {"status": "ERROR"}, UnexpectedResponse),
        (302, "", UnexpectedRedirect),
        (401, "", AuthenticationError),
        (403, {"error": "You are already connected."}, AuthenticationError),
        (404, "", InstanceNotFound),
        (429, "", RateLimited),
        (500, {"error": "You are already connected."}, ServerError),
    ],
)
def test_an_error_means_the_same_on_each_endpoint(
    read_result: Any, status: int, body: Any, error: type[ResponseError]
) -> None:
    """If there is no code to scan, a sentence about being connected changes nothing."""
    assert type(read_result(response(status, body), keep)) is error


# Whatever arrives


bodies = (
    st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "value",
                        "qrcode",
                        "error",
                        "errors",
                        "message",
                        "status",
                        "connected",
                        "challenge",
                        "phone",
                        "device",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)


@given(
    status=st.integers(100, 999),
    body=bodies,
    headers=st.fixed_dictionaries({}, optional={"retry-after": st.text(), "location": st.text()}),
)
@example(status=200, body=b'"\\ud800"', headers={})
@example(status=200, body=b'{"value": "\\udc00x"}', headers={})
@example(status=302, body=b"", headers={"location": "//["})
@example(status=429, body=b"", headers={"retry-after": "Mon, 99 Foo 99999 99:99:99 +9999"})
def test_whatever_arrives_is_a_value_or_an_error(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    """Nothing is raised; a code is only ever taken from a success."""
    came = Response(status, body, asked_at=NOON, headers=headers)
    code = read_code(came, keep)
    assert isinstance(code, ResponseError) or 200 <= status < 300
    assert isinstance(read_status(came, keep), InstanceStatus | ResponseError)
    assert isinstance(read_device(came, keep), Device | ResponseError)
    done = read_command(came, keep)
    assert isinstance(done, ResponseError) or 200 <= status < 300

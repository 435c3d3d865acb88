"""Every response of `wire.md` has a name, and is byte for byte as described there."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode
from typing import TYPE_CHECKING

import httpx
import pytest
from PIL import Image

import plugchat_async
from plugchat_async import (
    AsyncPlugChat,
    NetworkError,
    PlugChatError,
    RequestTimeout,
    ResponseError,
)
from plugchat_async.sandbox import ANSWERS, Sandbox
from tests.camera import read_code

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from plugchat_async.sandbox._answers import Endpoint

    Ask = Callable[..., Awaitable[httpx.Response]]

pytestmark = pytest.mark.anyio

QR_ENDPOINTS: list[Endpoint] = ["/qr-code", "/qr-code/image"]
CONNECTION_ENDPOINTS: list[Endpoint] = [*QR_ENDPOINTS, "/status"]
CHANGING_ENDPOINTS: list[Endpoint] = ["/disconnect", "/restore-session", "/restart"]
ENDPOINTS: list[Endpoint] = [*CONNECTION_ENDPOINTS, "/device", *CHANGING_ENDPOINTS]
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
PREFIX = "data:image/png;base64,"


@pytest.fixture
def anyio_backend() -> str:
    """Run on one backend: the bytes of a response do not depend on it."""
    return "asyncio"


def value(response: httpx.Response, key: str = "value") -> str:
    """Return the one value of a JSON object."""
    assert list(response.json()) == [key]
    content = response.json()[key]
    assert isinstance(content, str)
    return content


def read(data: bytes, kind: str = "PNG") -> str:
    """Read an image's code with a real reader."""
    image = Image.open(io.BytesIO(data))
    assert image.format == kind
    return read_code(image)


def after(prefix: str, text: str) -> bytes:
    """Return the bytes in base64 after exactly `prefix`."""
    assert text.startswith(prefix)
    return b64decode(text.removeprefix(prefix), validate=True)


CODES: dict[str, tuple[str, Callable[[httpx.Response], str]]] = {
    "code_as_image": (JSON, lambda response: read(after(PREFIX, value(response)))),
    "code_as_text": (JSON, value),
    "code_json_string": (JSON, lambda response: json.loads(response.content)),
    "code_labelled_html": ("text/html", value),
    "code_labelled_text": ("text/plain", value),
    "code_text_plain": (TEXT, lambda response: response.text),
    "image_bare_base64": (JSON, lambda response: read(after("", value(response)))),
    "image_bare_string": (TEXT, lambda response: read(after("", response.text))),
    "image_binary": ("image/png", lambda response: read(response.content)),
    "image_jpeg": (
        JSON,
        lambda response: read(after("data:image/jpeg;base64,", value(response)), "JPEG"),
    ),
    "image_json_string": (JSON, lambda response: read(after(PREFIX, json.loads(response.content)))),
    "image_line_break": (
        JSON,
        lambda response: read(after(PREFIX, "".join(value(response).split("\n")))),
    ),
    "image_octet_stream": ("application/octet-stream", lambda response: read(response.content)),
    "image_prefix_doubled": (JSON, lambda response: read(after(PREFIX + PREFIX, value(response)))),
    "image_under_qrcode": (JSON, lambda response: read(after(PREFIX, value(response, "qrcode")))),
    "image_upper_case_prefix": (
        JSON,
        lambda response: read(after(PREFIX.upper(), value(response))),
    ),
}

OBJECTS: dict[str, tuple[int, object]] = {
    "already_connected": (200, {"connected": True}),
    "already_connected_400": (400, {"error": "You are already connected."}),
    "already_connected_409": (409, {"message": "You are already connected."}),
    "already_connected_portuguese": (400, {"message": "O aparelho já está conectado."}),
    "already_connected_portuguese_short": (400, {"error": "Aparelho já conectado"}),
    "already_connected_string": (200, {"connected": "true"}),
    "client_token_missing": (400, {"error": "your client-token is not configured"}),
    "empty_object": (200, {}),
    "entity_not_found": (404, {"reason": "entity not found"}),
    "error_in_errors": (200, {"errors": ["Something went wrong while reading the QR code."]}),
    "error_under_detail": (200, {"detail": "Something went wrong while reading the QR code."}),
    "error_under_error": (200, {"error": "Something went wrong while reading the QR code."}),
    "error_under_message": (200, {"message": "Something went wrong while reading the QR code."}),
    "error_under_msg": (200, {"msg": "Something went wrong while reading the QR code."}),
    "error_under_reason": (200, {"reason": "Something went wrong while reading the QR code."}),
    "forbidden": (403, {"error": "Client-Token token-a not allowed"}),
    "method_not_allowed": (405, {"error": "Method Not Allowed"}),
    "not_connected": (200, {"connected": False, "error": "You are not connected."}),
    "not_found": (
        200,
        {"error": "NOT_FOUND", "message": "Unable to find matching target resource method"},
    ),
    "passkey": (200, {"challenge": "c2FuZGJveCBjaGFsbGVuZ2U"}),
    "rate_limited": (429, {"error": "Too Many Requests"}),
    "server_error": (500, {"error": "Internal Server Error", "status": 500}),
    "status_error": (200, {"status": "ERROR"}),
    "subscription_required": (
        400,
        {"error": "To continue sending a message, you must subscribe to this instance again"},
    ),
    "unauthorized": (401, {"error": "Unauthorized"}),
    "unsupported_media_type": (415, {"error": "Unsupported Media Type"}),
    "value_empty": (200, {"value": ""}),
    "value_false": (200, {"value": False}),
    "value_null": (200, {"value": None}),
}

NOTHINGS: dict[str, tuple[int, dict[str, str]]] = {
    "bad_request": (400, {}),
    "conflict": (409, {}),
    "empty_body": (200, {}),
    "rate_limited_retry_after": (429, {"retry-after": "1"}),
    "redirect": (302, {"location": "https://login.plugchat.example/"}),
    "server_error_empty": (503, {}),
}

PAGES: dict[str, tuple[int, str]] = {
    "html_page": (200, HTML),
    "html_page_labelled_json": (200, JSON),
    "server_error_html": (502, HTML),
}

ABOUT_CONNECTIONS = {
    *(name for name in OBJECTS if name.startswith("already_connected")),
    "not_connected",
    "passkey",
}

# Each error code, and the response that it is another name for.
ERROR_CODES = {
    "already_connected": "already_connected",
    "authentication_error": "unauthorized",
    "instance_not_found": "instance_not_found",
    "passkey_required": "passkey",
    "qr_not_ready": "value_null",
    "rate_limited": "rate_limited",
    "server_error": "server_error",
    "subscription_required": "subscription_required",
    "unexpected_redirect": "redirect",
    "unexpected_response": "status_error",
}

# The responses that only some endpoints give.
FITTING: dict[str, list[Endpoint]] = {
    **dict.fromkeys([*CODES, "code", "passkey_required", "qr_not_ready"], QR_ENDPOINTS),
    **dict.fromkeys([*ABOUT_CONNECTIONS, "already_connected_labelled_html"], CONNECTION_ENDPOINTS),
    "device": ["/device"],
    "disconnect": ["/disconnect"],
    "restart": ["/restart"],
    "restore_session": ["/restore-session"],
    "session_lost": ["/status"],
    "status": ["/status"],
}

ELSEWHERE = {
    "already_connected_labelled_html",
    "code",
    "device",
    "disconnect",
    "instance_not_found",
    "restart",
    "restore_session",
    "session_lost",
    "status",
}


def test_every_response_is_described_and_tested_here() -> None:
    """The names are sorted, each has one line about it, and none is missing below."""
    assert list(ANSWERS) == sorted(ANSWERS)
    assert set(ANSWERS) == {
        *CODES,
        *OBJECTS,
        *NOTHINGS,
        *PAGES,
        *ERROR_CODES,
        *ELSEWHERE,
    }
    assert all(line.endswith(".") and "\n" not in line for line in ANSWERS.values())
    assert len(set(ANSWERS.values())) == len(ANSWERS)


@pytest.mark.parametrize("name", CODES)
async def test_a_code_in_any_wrapping_can_be_scanned(sandbox: Sandbox, ask: Ask, name: str) -> None:
    """Unwrapped, each is the instance's current code, on both QR endpoints."""
    label, unwrap = CODES[name]
    sandbox.answer_next(name, times=2)
    for endpoint in QR_ENDPOINTS:
        response = await ask(endpoint)
        assert response.status_code == 200
        assert response.headers["content-type"] == label
        assert sandbox.scan(unwrap(response))
        sandbox.disconnect("token-a")


async def test_a_line_break_stands_inside_of_the_base64(sandbox: Sandbox, ask: Ask) -> None:
    """The response that is named for it has one."""
    sandbox.answer_next("image_line_break")
    assert "\n" in value(await ask("/qr-code/image")).strip()


async def test_the_usual_code_is_text_or_image_by_its_endpoint(sandbox: Sandbox, ask: Ask) -> None:
    """`code` is the usual response of the endpoint."""
    sandbox.answer_next("code", times=2)
    for _ in range(2):
        assert value(await ask("/qr-code")).startswith(("https://wa.me/", "2@"))
        image = after(PREFIX, value(await ask("/qr-code/image")))
        assert sandbox.scan(read(image))
        sandbox.disconnect("token-a")


@pytest.mark.parametrize("name", OBJECTS)
async def test_an_object_comes_with_its_status(sandbox: Sandbox, ask: Ask, name: str) -> None:
    """Each response in JSON has the status and keys of the wire, on each endpoint that gives it."""
    status, content = OBJECTS[name]
    endpoints = FITTING.get(name, ENDPOINTS)
    sandbox.answer_next(name, times=len(endpoints))
    for endpoint in endpoints:
        response = await ask(endpoint)
        assert response.status_code == status
        assert response.headers["content-type"] == JSON
        assert response.json() == content


@pytest.mark.parametrize("name", NOTHINGS)
async def test_a_response_without_a_body_is_all_headers(
    sandbox: Sandbox, ask: Ask, name: str
) -> None:
    """If the wire has nothing, there is no byte and no label."""
    status, headers = NOTHINGS[name]
    sandbox.answer_next(name)
    response = await ask("/qr-code")
    assert response.status_code == status
    assert response.content == b""
    assert "content-type" not in response.headers
    assert response.headers.items() >= headers.items()


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_comes_from_a_proxy(sandbox: Sandbox, ask: Ask, name: str) -> None:
    """A proxy's page is HTML, whatever it is labelled."""
    status, label = PAGES[name]
    sandbox.answer_next(name)
    response = await ask("/qr-code")
    assert response.status_code == status
    assert response.headers["content-type"] == label
    assert response.content.startswith(b"<!DOCTYPE html>")


async def test_an_instance_may_be_missing_in_plain_words(sandbox: Sandbox, ask: Ask) -> None:
    """The sentence stands alone, as text."""
    sandbox.answer_next("instance_not_found")
    response = await ask("/qr-code")
    assert (response.status_code, response.text) == (404, "Instance not found")
    assert response.headers["content-type"] == TEXT


async def test_already_connected_may_be_labelled_as_html(sandbox: Sandbox, ask: Ask) -> None:
    """The object is the usual one, the label lies."""
    sandbox.answer_next("already_connected_labelled_html")
    response = await ask("/qr-code")
    assert (response.status_code, response.json()) == (200, {"connected": True})
    assert response.headers["content-type"] == "text/html"


async def test_a_session_may_have_to_be_restored(sandbox: Sandbox, ask: Ask) -> None:
    """The status has the third documented sentence on demand."""
    sandbox.answer_next("session_lost")
    assert (await ask("/status")).json() == {
        "connected": False,
        "session": False,
        "smartphoneConnected": False,
        "error": "You need to restore the session.",
    }


@pytest.mark.parametrize("name", ANSWERS)
def test_a_response_never_goes_to_an_endpoint_that_does_not_give_it(
    sandbox: Sandbox, name: str
) -> None:
    """A phone's data is not a code, and a code is not a status."""
    fitting = FITTING.get(name, ENDPOINTS)
    for endpoint in fitting:
        sandbox.answer_next(name, endpoint=endpoint)
    for endpoint in set(ENDPOINTS) - set(fitting):
        with pytest.raises(ValueError, match=f"{endpoint} never returns '{name}'"):
            sandbox.answer_next(name, endpoint=endpoint)


def test_every_error_code_of_a_response_is_a_name() -> None:
    """The SDK's list is the one that counts."""
    kinds = [getattr(plugchat_async, name) for name in plugchat_async.__all__]
    errors = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, ResponseError)]
    assert {error.code for error in errors} - {ResponseError.code} == set(ERROR_CODES)


@pytest.mark.parametrize("code", ERROR_CODES)
async def test_an_error_code_is_the_response_that_the_sdk_reads_it_from(
    sandbox: Sandbox, ask: Ask, code: str
) -> None:
    """The SDK raises that very error, and the bytes are those of the response that causes it."""
    sandbox.answer_next(code)
    with pytest.raises(PlugChatError) as caught:
        await sandbox.client(retries=0).qr_code()
    assert caught.value.code == code
    assert sandbox.calls[-1].answer == code
    sandbox.answer_next(code)
    sandbox.answer_next(ERROR_CODES[code])
    one, other = await ask("/qr-code"), await ask("/qr-code")
    assert (one.status_code, one.headers, one.content) == (
        other.status_code,
        other.headers,
        other.content,
    )


@pytest.mark.parametrize("error", [NetworkError, RequestTimeout])
async def test_an_error_without_a_response_is_refused_with_what_to_use_instead(
    sandbox: Sandbox, error: type[PlugChatError]
) -> None:
    """The advice of the message raises that very error."""
    with pytest.raises(ValueError, match=f"'{error.code}' is not a response") as refused:
        sandbox.answer_next(error.code)
    advised = re.search(r"raises httpx\.(\w+)$", str(refused.value))
    assert advised

    def handler(_request: httpx.Request) -> httpx.Response:
        raise getattr(httpx, advised[1])("no response")

    http_client = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    client = AsyncPlugChat("token-a", http_client=http_client, retries=0)
    with pytest.raises(error) as caught:
        await client.qr_code()
    assert caught.value.code == error.code

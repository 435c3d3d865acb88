"""Bad arguments are refused immediately, by the constructor or the call, without secrets."""

from __future__ import annotations

import traceback
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import httpx
import pytest
from pydantic import SecretStr

from plugchat_async import AsyncPlugChat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOKEN = "s3cr3t-T0ken/with+signs=AbCdEf"
DOCUMENTED = "https://app.plugchat.com.br/api/whatsapp"


class MakeClient(Protocol):
    """Function that makes a client for a token."""

    def __call__(
        self, token: str | SecretStr | None, *, http_client: httpx.AsyncClient | None = None
    ) -> AsyncPlugChat: ...


def headers_sent_by(make: Callable[[httpx.AsyncClient], AsyncPlugChat]) -> httpx.Headers:
    """Return the headers of a client's call."""
    sent: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"connected": True})

    async def call() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http_client:
            await make(http_client).status()

    anyio.run(call)
    return sent[0].headers


def token_sent(make: MakeClient, token: str | SecretStr | None) -> str:
    """Return the token that a client sends."""
    headers = headers_sent_by(lambda http_client: make(token, http_client=http_client))
    return headers["Authorization"]


def headers_added(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what a client sends more if it is given extra headers."""

    def sent(extra: Mapping[str, str]) -> set[tuple[str, str]]:
        return set(
            headers_sent_by(
                lambda http_client: AsyncPlugChat(TOKEN, headers=extra, http_client=http_client)
            ).multi_items()
        )

    return dict(sent(headers) - sent({}))


def base_url_of(client: AsyncPlugChat) -> str:
    """Return the base URL that a client shows."""
    return repr(client).removeprefix("AsyncPlugChat(base_url='").removesuffix("')")


# The token

make_client = pytest.mark.parametrize(
    "make",
    [
        pytest.param(AsyncPlugChat, id="constructor"),
        pytest.param(
            lambda token, **options: AsyncPlugChat("another", **options).for_token(token),
            id="for_token",
        ),
    ],
)


@make_client
@pytest.mark.parametrize("wrap", [str, SecretStr])
@pytest.mark.parametrize("given", [TOKEN, f" {TOKEN}", f"{TOKEN}\n", f"\t\u00a0{TOKEN} \r\n"])
def test_a_token_is_stripped(make: MakeClient, wrap: type[str | SecretStr], given: str) -> None:
    """White space that was copied with it from a web page or a file is dropped."""
    assert token_sent(make, wrap(given)) == TOKEN


@make_client
@pytest.mark.parametrize("given", ["Bearer x", "t", "a  b", "!~"])
def test_a_token_is_kept_unchanged(make: MakeClient, given: str) -> None:
    """A scheme, blanks inside and signs belong to it."""
    assert token_sent(make, given) == given


@make_client
@pytest.mark.parametrize("wrap", [str, SecretStr])
@pytest.mark.parametrize("given", ["", " ", "\r\n\t"])
def test_an_empty_token_is_refused(
    make: MakeClient,
    wrap: type[str | SecretStr],
    given: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An empty argument is a mistake, not a wish for the environment's token."""
    monkeypatch.setenv("PLUGCHAT_TOKEN", TOKEN)
    with pytest.raises(ValueError, match="token is empty"):
        make(wrap(given))


@make_client
@pytest.mark.parametrize("wrap", [str, SecretStr])
@pytest.mark.parametrize("inside", ["\n", "\r\nX-Evil: 1", "\x00", "\t", "\x7f", "é", "\u2028"])
def test_a_token_that_no_header_can_carry_is_refused(
    make: MakeClient, wrap: type[str | SecretStr], inside: str
) -> None:
    """Control characters would smuggle headers, and others have no agreed spelling."""
    with pytest.raises(ValueError, match="control characters or characters outside ASCII"):
        make(wrap(f"{TOKEN}{inside}x"))


quotation_marks = pytest.mark.parametrize("marks", ['""', "''", "“”", "„“", "\u2018\u2019", "«»"])


@make_client
@quotation_marks
@pytest.mark.parametrize("wrap", [str, SecretStr])
def test_a_token_in_quotation_marks_is_refused_with_that_reason(
    make: MakeClient, marks: str, wrap: type[str | SecretStr]
) -> None:
    """They are those of a file that `docker --env-file` has read, and no part of the token."""
    with pytest.raises(ValueError, match=r"^token is in quotation marks.*remove") as caught:
        make(wrap(f" {marks[0]}{TOKEN}{marks[1]}\n"))
    assert TOKEN not in str(caught.value)


@make_client
@pytest.mark.parametrize("given", ["it's", "'tis", "the tenants'", '"', "'", "'mixed\""])
def test_a_quotation_mark_of_a_token_is_kept(make: MakeClient, given: str) -> None:
    """Only a pair around the whole token is a mistake."""
    assert token_sent(make, given) == given


@make_client
def test_a_token_is_no_longer_than_a_header_can_be(make: MakeClient) -> None:
    """Somebody gave a file of another kind, and redacting it would take seconds."""
    make("t" * 4096)
    with pytest.raises(ValueError, match="token has more than 4,096 characters"):
        make("t" * 4097)


@make_client
@pytest.mark.parametrize("given", [TOKEN.encode(), 5, ["t"], SecretStr(5)])  # type: ignore[arg-type]
def test_a_token_of_another_type_is_refused(make: MakeClient, given: object) -> None:
    """Bytes are not decoded by guess."""
    with pytest.raises(TypeError, match=r"token must be .*, not (bytes|int|list)"):
        make(given)  # type: ignore[arg-type]  # on purpose


# The base URL


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.example/api/whatsapp", "https://api.example/api/whatsapp"),
        ("https://api.example/api/whatsapp/", "https://api.example/api/whatsapp"),
        ("https://api.example/api/whatsapp//", "https://api.example/api/whatsapp"),
        (" https://api.example\n", "https://api.example"),
        ("HTTPS://API.Example/Api/", "https://api.example/Api"),
        ("https://api.example:8443/v2", "https://api.example:8443/v2"),
        ("https://api.example:65535", "https://api.example:65535"),
        ("https://api.example/u@home", "https://api.example/u@home"),
        ("https://10.0.0.7/api", "https://10.0.0.7/api"),
        ("https://[2001:db8::1]/api", "https://[2001:db8::1]/api"),
        (f"https://{'a' * 63}.example", f"https://{'a' * 63}.example"),
        ("https://ação.example", "https://xn--ao-siap.example"),
    ],
)
def test_a_base_url_is_kept_without_its_last_slash(given: str, kept: str) -> None:
    """The part up to and including `/api/whatsapp` is given in either way."""
    assert base_url_of(AsyncPlugChat(TOKEN, base_url=given)) == kept


def test_without_a_base_url_the_documented_host_is_shown() -> None:
    """The default is what PlugChat documents."""
    assert base_url_of(AsyncPlugChat(TOKEN)) == DOCUMENTED


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "begin with https"),
        ("   ", "begin with https"),
        ("api.example/api/whatsapp", "begin with https"),
        ("//api.example/api/whatsapp", "begin with https"),
        ("/api/whatsapp", "begin with https"),
        ("https:", "begin with https"),
        ("https://", "begin with https"),
        ("https:///api/whatsapp", "begin with https"),
        ("https:api.example", "begin with https"),
        ("ftp://api.example", "begin with https"),
        ("file:///etc/passwd", "begin with https"),
        ("wss://api.example", "begin with https"),
        ("https://api.example:port", "not a URL"),
        ("https://api example/api/whatsapp", "and a host"),
        ("https://api%00/api/whatsapp", "and a host"),
        ("https://[::1", "not a URL"),
        ("https://api.example/\x00", "not a URL"),
        ("https://api.example/a\nb", "not a URL"),
        ("https://api..example", "not a URL"),
        (f"https://{'a' * 64}.example", "not a URL"),
        (f"https://api.example/{'a' * 70_000}", "not a URL"),
        ("https://api.example:65536", "port"),
        ("https://api.example:0", "port"),
        ("https://api.example:-1", "port"),
        ("https://me@api.example", "user part"),
        ("https://me:pass@api.example", "user part"),
        ("https://:@api.example", "user part"),
        ("https://@api.example", "user part"),
        ("http://127.0.0.1@api.example", "user part"),
        ("https://api.example/api/whatsapp?instance=1", "query"),
        ("https://api.example/api/whatsapp?", "query"),
        ("https://api.example?", "query"),
        ("https://api.example/api/whatsapp#top", "fragment"),
        ("https://api.example/api/whatsapp#", "fragment"),
    ],
)
def test_a_bad_base_url_is_refused(given: str, reason: str) -> None:
    """A wrong address is found before a token is sent to it."""
    with pytest.raises(ValueError, match=reason):
        AsyncPlugChat(TOKEN, base_url=given)


@quotation_marks
def test_a_base_url_in_quotation_marks_is_refused_with_that_reason(marks: str) -> None:
    """The reason is not that it fails to begin with https."""
    with pytest.raises(ValueError, match=r"^base_url is in quotation marks.*remove") as caught:
        AsyncPlugChat(TOKEN, base_url=f" {marks[0]}https://api.example/api/whatsapp{marks[1]}\n")
    assert "api.example" not in str(caught.value)


def test_an_apostrophe_of_a_base_url_is_kept() -> None:
    """RFC 3986 allows it in a path."""
    given = "https://api.example/o'brien's"
    assert given in repr(AsyncPlugChat(TOKEN, base_url=given))


@pytest.mark.parametrize("given", [b"https://api.example", httpx.URL("https://api.example"), 443])
def test_a_base_url_of_another_type_is_refused(given: object) -> None:
    """A str is wanted."""
    with pytest.raises(TypeError, match="base_url must be a str"):
        AsyncPlugChat(TOKEN, base_url=given)  # type: ignore[arg-type]  # on purpose


LOOPBACK = [
    "http://localhost",
    "http://LOCALHOST:8000/api/whatsapp",
    "http://plugchat.localhost:8000",
    "http://127.0.0.1:8000",
    "http://127.8.9.10",
    "http://[::1]:8000/api/whatsapp",
]
ELSEWHERE = [
    "http://api.example",
    "http://localhost.example",
    "http://notlocalhost",
    "http://127.0.0.1.example",
    "http://10.0.0.7",
    "http://0.0.0.0:8000",
    "http://[2001:db8::1]",
    "HTTP://api.example:443",
]


@pytest.mark.parametrize("given", LOOPBACK)
def test_plain_http_is_fine_on_this_machine(given: str) -> None:
    """A sandbox needs no certificate."""
    assert base_url_of(AsyncPlugChat(TOKEN, base_url=given)) == given.lower()


@pytest.mark.parametrize("given", ELSEWHERE)
def test_plain_http_to_another_machine_has_to_be_allowed(given: str) -> None:
    """The token would travel in the clear."""
    with pytest.raises(ValueError, match="allow_insecure_http=True"):
        AsyncPlugChat(TOKEN, base_url=given)
    allowed = AsyncPlugChat(TOKEN, base_url=given, allow_insecure_http=True)
    assert base_url_of(allowed) == given.lower()


# Extra headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Client-Token": "abc"},
        {"X-Empty": ""},
        {"x_y.z!": 'a b; c="d"'},
        httpx.Headers({"accept-language": "pt-BR"}),
        {},
    ],
)
def test_extra_headers_are_kept(headers: Mapping[str, str]) -> None:
    """Any mapping of what HTTP allows will do."""
    assert headers_added(headers) == {name.lower(): value for name, value in headers.items()}


def test_blanks_around_a_header_s_value_are_dropped() -> None:
    """HTTP allows none, and would refuse them at the first call."""
    assert headers_added({"Client-Token": " abc "}) == {"client-token": "abc"}


def test_headers_can_not_ask_for_a_compressed_response() -> None:
    """It is asked for uncompressed, since a body that inflates can't be bounded before."""
    assert headers_added({"accept-encoding": "gzip"}) == {}


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"": "x"}, "a name"),
        ({"Client Token": "x"}, "a name"),
        ({"Client-Token:": "x"}, "a name"),
        ({"Client-Token\n": "x"}, "a name"),
        ({"Ação": "x"}, "a name"),
        ({"Client-Token": "two\nlines"}, "the value of Client-Token"),
        ({"Client-Token": "x\r\n"}, "the value of Client-Token"),
        ({"Client-Token": "\x00"}, "the value of Client-Token"),
        ({"Client-Token": "\x7f"}, "the value of Client-Token"),
        ({"Client-Token": "ação"}, "the value of Client-Token"),
        ({"Client-Token": "x" * 4097}, "Client-Token has more than 4,096 characters"),
        ({"Content-Length": "5"}, "Content-Length describes a body"),
        ({"transfer-encoding": "chunked"}, "transfer-encoding describes a body"),
        ({"Authorization": "x"}, "pass it as token"),
        ({"aUTHORIZATION": "x"}, "pass it as token"),
    ],
)
def test_headers_that_can_t_be_sent_are_refused(headers: dict[str, str], reason: str) -> None:
    """Nothing is smuggled in, and there is one way to give the token."""
    with pytest.raises(ValueError, match=f"headers: .*{reason}"):
        AsyncPlugChat(TOKEN, headers=headers)


@pytest.mark.parametrize(
    "headers", [{"X": b"x"}, {b"X": "x"}, {"X": None}, {1: "x"}, [("X", "x")], [], "X: x", 0]
)
def test_headers_of_another_type_are_refused(headers: object) -> None:
    """A mapping of str to str is wanted, and an empty list is none."""
    with pytest.raises(TypeError, match="headers must map str to str"):
        AsyncPlugChat(TOKEN, headers=headers)  # type: ignore[arg-type]  # on purpose


# Numbers


def ask_in_turns(**arguments: object) -> object:
    """Call the stream, which checks its arguments like a constructor."""
    return AsyncPlugChat(TOKEN).qr_stream(**arguments)  # type: ignore[arg-type]  # on purpose


def construct(**arguments: object) -> object:
    """Make a client with the one argument."""
    return AsyncPlugChat(TOKEN, **arguments)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("call", "name", "value"),
    [
        (construct, "timeout", 0.001),
        (construct, "timeout", 3600),
        (construct, "retries", 0),
        (construct, "retries", 10),
        (construct, "max_connections", 1),
        (construct, "max_connections", 10_000),
        (ask_in_turns, "interval", 0.001),
        (ask_in_turns, "interval", 20),
        (ask_in_turns, "interval", 20.0),
        (ask_in_turns, "max_rounds", 1),
        (ask_in_turns, "max_rounds", 100),
    ],
)
def test_a_number_within_its_limits_is_taken(
    call: Callable[..., object], name: str, value: float
) -> None:
    """The limits themselves are within."""
    assert call(**{name: value})


@pytest.mark.parametrize(
    ("call", "name", "value"),
    [
        (construct, "timeout", 0),
        (construct, "timeout", -0.1),
        (construct, "timeout", float("nan")),
        (construct, "timeout", float("inf")),
        (construct, "timeout", float("-inf")),
        pytest.param(construct, "timeout", 10**400, id="beyond all floats"),
        (construct, "retries", -1),
        (construct, "max_connections", 0),
        (construct, "max_connections", -1),
        (ask_in_turns, "interval", 0),
        (ask_in_turns, "interval", -1),
        (ask_in_turns, "interval", 20.001),
        (ask_in_turns, "interval", float("nan")),
        (ask_in_turns, "interval", float("inf")),
        (ask_in_turns, "max_rounds", 0),
        (ask_in_turns, "max_rounds", -1),
    ],
)
def test_a_number_outside_its_limits_is_refused(
    call: Callable[..., object], name: str, value: float
) -> None:
    """The message names the argument."""
    with pytest.raises(ValueError, match=f"^{name} must be "):
        call(**{name: value})


@pytest.mark.parametrize("value", [True, "10", None, Decimal(10), 2j, [1]])
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (construct, "timeout"),
        (construct, "retries"),
        (construct, "max_connections"),
        (ask_in_turns, "interval"),
        (ask_in_turns, "max_rounds"),
    ],
)
def test_a_number_of_another_type_is_refused(
    call: Callable[..., object], name: str, value: object
) -> None:
    """Nothing is converted by guess, and a bool is not a number."""
    with pytest.raises(TypeError, match=f"^{name} must be an? "):
        call(**{name: value})


@pytest.mark.parametrize(
    ("call", "name"),
    [(construct, "retries"), (construct, "max_connections"), (ask_in_turns, "max_rounds")],
)
@pytest.mark.parametrize("value", [2.0, 2.5, float("nan")])
def test_a_count_is_a_whole_number(call: Callable[..., object], name: str, value: float) -> None:
    """Half a retry is a mistake."""
    with pytest.raises(TypeError, match=f"^{name} must be an int, not float"):
        call(**{name: value})


# Discretion


def rendered_below_the_caller(error: BaseException) -> str:
    """Write a traceback with all locals, as crash reporters do, but for the caller's own frame."""
    assert error.__traceback__
    below = error.__traceback__.tb_next
    return "".join(
        traceback.TracebackException(type(error), error, below, capture_locals=True).format()
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"token": f"{TOKEN}\n!"},
        {"token": SecretStr(f"{TOKEN}é")},
        {"token": TOKEN.encode()},
        {"token": [TOKEN]},
        {"token": f'"{TOKEN}"'},
        {"token": TOKEN, "base_url": "https://api.example?"},
        {"token": TOKEN, "base_url": "http://api.example"},
        {"token": TOKEN, "base_url": "https://api.example:x"},
        {"token": TOKEN, "base_url": 5},
        {"token": TOKEN, "headers": {"X": "\n"}},
        {"token": TOKEN, "headers": 5},
        {"token": TOKEN, "timeout": -1},
        {"token": TOKEN, "timeout": None},
        {"token": TOKEN, "retries": -1},
        {"token": TOKEN, "max_connections": 0},
        {"token": TOKEN, "http_client": 5},
    ],
)
def test_no_refusal_repeats_the_token(arguments: dict[str, Any]) -> None:
    """Neither the message nor a traceback that renders locals has it."""
    with pytest.raises((TypeError, ValueError)) as caught:
        AsyncPlugChat(**arguments)
    assert TOKEN not in str(caught.value)
    assert "in __init__" in rendered_below_the_caller(caught.value)
    assert TOKEN not in rendered_below_the_caller(caught.value)


@pytest.mark.parametrize(
    "given", [f"{TOKEN}\n!", SecretStr(f"{TOKEN}\x00x"), TOKEN.encode(), f"'{TOKEN}'"]
)
def test_no_refusal_of_another_token_repeats_it(given: object) -> None:
    """Nor does it repeat the token of the client that was asked."""
    client = AsyncPlugChat(TOKEN)
    with pytest.raises((TypeError, ValueError)) as caught:
        client.for_token(given)  # type: ignore[arg-type]  # on purpose
    assert "in for_token" in rendered_below_the_caller(caught.value)
    assert TOKEN not in rendered_below_the_caller(caught.value)


def test_no_refusal_of_the_environment_s_token_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tokens come from the environment."""
    monkeypatch.setenv("PLUGCHAT_TOKEN", f"{TOKEN}\n!")
    with pytest.raises(ValueError, match="control characters") as caught:
        AsyncPlugChat()
    assert TOKEN not in rendered_below_the_caller(caught.value)


@pytest.mark.parametrize(
    "base_url",
    [
        f"https://{TOKEN[:6]}@api.example",
        f"https://api.example?token={TOKEN}",
        f"https://api.example:{TOKEN}",
        f"'https://api.example/{TOKEN}'",
        TOKEN,
    ],
)
def test_no_refusal_repeats_a_base_url(base_url: str) -> None:
    """A token in the wrong place is a token."""
    with pytest.raises(ValueError, match="base_url") as caught:
        AsyncPlugChat("another", base_url=base_url)
    assert TOKEN[:6] not in str(caught.value)
    assert TOKEN[:6] not in rendered_below_the_caller(caught.value)
    assert caught.value.__context__ is None


def test_no_refusal_repeats_a_base_url_of_another_type() -> None:
    """Nor one of the environment."""
    with pytest.raises(TypeError, match="base_url") as caught:
        AsyncPlugChat("another", base_url=f"https://{TOKEN}@api.example".encode())  # type: ignore[arg-type]  # on purpose
    assert TOKEN not in rendered_below_the_caller(caught.value)


def test_no_refusal_of_the_environment_s_base_url_repeats_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may have been written like that of a proxy."""
    monkeypatch.setenv("PLUGCHAT_BASE_URL", f"https://{TOKEN[:6]}@api.example")
    with pytest.raises(ValueError, match="user part") as caught:
        AsyncPlugChat("another")
    assert TOKEN[:6] not in rendered_below_the_caller(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"headers": {"Client-Token": f"{TOKEN}\n"}},
        {"headers": {"Client Token": TOKEN}},
        {"headers": {"Client-Token": TOKEN.encode()}},
        {"headers": [("Client-Token", TOKEN)]},
        {"headers": {"Client-Token": TOKEN}, "token": ""},
        {"headers": {"Client-Token": TOKEN}, "timeout": -1},
    ],
)
def test_no_refusal_repeats_a_header_s_value(arguments: dict[str, Any]) -> None:
    """Extra headers carry security tokens."""
    with pytest.raises((TypeError, ValueError)) as caught:
        AsyncPlugChat(**{"token": "another", **arguments})
    assert TOKEN not in str(caught.value)
    assert TOKEN not in rendered_below_the_caller(caught.value)


@pytest.mark.parametrize(
    "name", ["acme\nGET /status", "a\x1b[31m", "\x00", "a\x85b", "a\u2028b", "a\ud83d"]
)
def test_a_name_that_garbles_a_log_is_refused(name: str) -> None:
    """A line break would forge a line, and an escape sequence reach the terminal."""
    with pytest.raises(ValueError, match="name has control characters"):
        AsyncPlugChat(TOKEN, name=name)
    with pytest.raises(ValueError, match="name has control characters"):
        AsyncPlugChat(TOKEN).for_token(TOKEN, name=name)


def test_a_name_is_any_other_text() -> None:
    """Tenants have names of all languages."""
    name = "Açaí\u00a0& Cia 👩\u200d👩\u200d👧 中"
    assert AsyncPlugChat(TOKEN, name=name).name == name


def test_a_client_shows_its_base_url_and_no_token() -> None:
    """The repr can go into any log."""
    client = AsyncPlugChat(TOKEN, base_url="https://api.example/api/whatsapp/")
    assert repr(client) == "AsyncPlugChat(base_url='https://api.example/api/whatsapp')"
    assert str(client) == f"{client}" == repr(client)


@pytest.mark.parametrize("word", ["no", 1, None])
def test_allowing_insecure_http_is_said_by_a_bool(word: object) -> None:
    """A word that means no must not count as yes."""
    with pytest.raises(TypeError, match="allow_insecure_http"):
        AsyncPlugChat("token", base_url="http://api.example", allow_insecure_http=word)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match="allow_insecure_http"):
        AsyncPlugChat("token", allow_insecure_http=word)  # type: ignore[arg-type]  # on purpose

"""Secrets go into a request's headers, and out of every sentence that the API sends back."""

from __future__ import annotations

import copy
import pickle
import traceback
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from plugchat_async import AsyncPlugChat
from plugchat_async._http.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "8Fq3-XzT0/kL+w91=RmVbn7&YtQe"
CLIENT_TOKEN = "Fa1c7Be9D-secondary"


def credentials(token: str = TOKEN, **headers: str) -> Credentials:
    """Make credentials out of a token and extra headers, given as `Client_Token="..."`."""
    extra = {name.replace("_", "-"): SecretStr(value) for name, value in headers.items()}
    return Credentials(SecretStr(token), extra)


# What is sent


@pytest.mark.parametrize("token", [TOKEN, f"Bearer {TOKEN}", "t"])
def test_the_token_is_sent_unchanged(token: str) -> None:
    """No scheme is put in front, and one that is there is kept, once."""
    assert credentials(token).headers() == {"Authorization": token}


def test_extra_headers_are_sent_with_the_token() -> None:
    """Each request has them all."""
    assert credentials(Client_Token=CLIENT_TOKEN, Accept_Language="pt-BR").headers() == {
        "Client-Token": CLIENT_TOKEN,
        "Accept-Language": "pt-BR",
        "Authorization": TOKEN,
    }


def test_another_token_keeps_the_extra_headers() -> None:
    """Another instance of the same account is one token away, and the first is as before."""
    first = credentials(Client_Token=CLIENT_TOKEN)
    second = first.with_token(SecretStr("another"))
    assert second.headers() == {"Client-Token": CLIENT_TOKEN, "Authorization": "another"}
    assert first.headers()["Authorization"] == TOKEN


def test_no_repr_shows_a_secret() -> None:
    """Neither the credentials nor a client with all it holds shows token or headers."""
    client = AsyncPlugChat(TOKEN, headers={"Client-Token": CLIENT_TOKEN})
    for text in (repr(credentials(Client_Token=CLIENT_TOKEN)), f"{client}", repr(vars(client))):
        assert TOKEN not in text
        assert CLIENT_TOKEN not in text


@pytest.mark.parametrize("copy_deeply", [pickle.dumps, copy.deepcopy])
def test_a_client_is_not_pickled(copy_deeply: Callable[[AsyncPlugChat], object]) -> None:
    """The token would stand in clear in a file or a queue."""
    with pytest.raises(TypeError, match="a client has a token: make a new one"):
        copy_deeply(AsyncPlugChat(TOKEN))


# How instances are told apart


def test_the_digest_of_an_instance_is_that_of_its_token_and_base_url() -> None:
    """Two clients of one instance are known as one; another token or host is another instance."""
    digest = credentials().digest("https://api.example")
    assert credentials(Accept_Language="pt-BR").digest("https://api.example") == digest
    others = [
        credentials("another").digest("https://api.example"),
        credentials().digest("https://another.example"),
    ]
    assert len({digest, *others}) == 3


def test_a_digest_does_not_tell_the_token() -> None:
    """It has one length, whatever it was made of."""
    assert {len(credentials(token).digest("https://api.example")) for token in ("t", TOKEN)} == {32}
    assert TOKEN.encode() not in credentials().digest("https://api.example")


# What is redacted


@pytest.mark.parametrize(
    ("sentence", "redacted"),
    [
        (f"Client-Token {TOKEN} not allowed", "Client-Token [redacted] not allowed"),
        (f"bad token '{TOKEN}'.", "bad token [redacted]"),
        (f"token={TOKEN}, status=403", "[redacted] status=403"),
        (TOKEN, "[redacted]"),
        (f"{TOKEN} and again {TOKEN}", "[redacted] and again [redacted]"),
    ],
)
def test_a_word_that_holds_the_token_is_replaced(sentence: str, redacted: str) -> None:
    """The words around it stay."""
    assert credentials().redact(sentence) == redacted


@pytest.mark.parametrize("start", range(len(TOKEN) - 7))
def test_eight_characters_of_the_token_in_a_row_are_a_secret(start: int) -> None:
    """A token that was cut or masked in part is hidden too."""
    piece = TOKEN[start : start + 8]
    assert credentials().redact(f"token {piece}*** refused") == "token [redacted] refused"


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(quote(TOKEN, safe=""), id="url-quoted"),
        pytest.param(quote(TOKEN, safe="").lower(), id="url-quoted, in lower case"),
        pytest.param(quote(TOKEN, safe="")[9:21], id="a piece, url-quoted"),
        pytest.param(TOKEN.encode().hex(), id="hex"),
        pytest.param(b64encode(TOKEN.encode()).decode()[:30], id="base64"),
        pytest.param(b64encode(f"a:{TOKEN}".encode()).decode()[:30], id="base64 of a pair"),
        pytest.param(b64encode(f":{TOKEN}".encode()).decode()[3:20], id="a piece of base64"),
        pytest.param(TOKEN.upper(), id="upper case"),
        pytest.param(TOKEN.lower(), id="lower case"),
        pytest.param(TOKEN.swapcase(), id="the other case"),
    ],
)
def test_another_spelling_of_the_token_is_the_token(spelling: str) -> None:
    """URLs and logs of a gateway spell it in their own way."""
    assert credentials().redact(f"no route to {spelling}") == "no route to [redacted]"


@pytest.mark.parametrize("sentence", [f"got Bearer {TOKEN} here", f"got 'bearer' {TOKEN[4:]} here"])
def test_each_word_of_a_token_with_a_scheme_is_a_secret(sentence: str) -> None:
    """The part after `Bearer` is hidden even if it stands alone."""
    assert credentials(f"Bearer {TOKEN}").redact(sentence) == "got [redacted] [redacted] here"
    assert credentials(f"Bearer {TOKEN}").redact(f"got {TOKEN} here") == "got [redacted] here"


@pytest.mark.parametrize(
    "spelling", ["&lt;&amp;&#x27;&lt;&amp;&#x27;&lt;&amp;", "PCYnPCYnPCYn", r"\u00e7\u00e7"]
)
def test_a_token_of_signs_is_hidden_however_a_gateway_writes_them(spelling: str) -> None:
    """HTML, JSON and base64, also that of URLs, have other signs for them."""
    found = credentials("<&'<&'<&", X_Key="ççç???>>>çççç").redact(f"bad {spelling}")
    assert found == "bad [redacted]"


def test_base64_of_urls_is_known() -> None:
    """Two of its digits differ from those of plain base64."""
    token = "?>?>?>?>?>"
    written = urlsafe_b64encode(token.encode()).decode()
    assert "_" in written
    assert credentials(token).redact(f"bad {written}") == "bad [redacted]"


@pytest.mark.parametrize("token", ["abc", "k7", "Zq9w-1x"])
def test_a_short_token_is_hidden_whole(token: str) -> None:
    """A token of fewer than eight characters is one piece."""
    assert credentials(token).redact(f"no such token: {token}!") == "no such token: [redacted]"


@pytest.mark.parametrize("word", [CLIENT_TOKEN, CLIENT_TOKEN[5:13], CLIENT_TOKEN.upper()])
def test_an_extra_header_s_value_is_a_secret(word: str) -> None:
    """A second security token is hidden like the first."""
    hidden = credentials(Client_Token=CLIENT_TOKEN).redact(f"Client-Token {word} not allowed")
    assert hidden == "Client-Token [redacted] not allowed"


def test_a_short_extra_header_hides_no_honest_word() -> None:
    """A language or a version is not a secret."""
    kept = credentials(Accept_Language="pt", X_Version="in 1").redact("Instance not in pt, in en")
    assert kept == "Instance not in pt, in en"


@pytest.mark.parametrize(("length", "word"), [(40, "x" * 40), (41, "[redacted]")])
def test_a_long_unbroken_word_is_taken_for_a_secret(length: int, word: str) -> None:
    """Codes and other people's tokens are hidden without being known."""
    assert credentials().redact(f"value {'x' * length} refused") == f"value {word} refused"


@pytest.mark.parametrize(
    "sentence",
    [
        "You are already connected.",
        "You need to restore the session.",
        "Unable to find matching target resource method",
        "your client-token is not configured",
        "To continue sending a message, you must subscribe to this instance again",
        "Instância não encontrada: já está conectado",
        "",
    ],
)
def test_honest_sentences_stay_unchanged(sentence: str) -> None:
    """A sentence of the API reaches the reader unchanged."""
    assert credentials(Client_Token=CLIENT_TOKEN).redact(sentence) == sentence


# Letters that make no word of the sentence around the token, nor of what replaces it.
tokens = st.text(alphabet="QXZqxz0123456789-._~+/=&%@!", min_size=8, max_size=60)


@settings(max_examples=50)
@given(token=tokens, before=st.sampled_from(["", "'", "token="]), after=st.sampled_from(["", "'."]))
def test_whatever_the_token_no_piece_of_it_is_left(token: str, before: str, after: str) -> None:
    """Unchanged or URL-quoted, a token leaves no trace in the sentence."""
    for spelling in (token, quote(token, safe="")):
        hidden = credentials(token).redact(f"Client-Token {before}{spelling}{after} not allowed")
        assert hidden == "Client-Token [redacted] not allowed"


# What is removed from exceptions


def test_every_exception_behind_one_is_cleaned() -> None:
    """Those of a group, and the text that could not be encoded."""
    encoding = UnicodeEncodeError("ascii", f"ä {TOKEN}", 0, 1, "not in ASCII")
    group = BaseExceptionGroup("", [OSError(TOKEN), encoding])
    error = ValueError(TOKEN)
    error.__context__ = group
    credentials().clean(error, but=None)
    assert encoding.object == "ä [redacted]"
    assert TOKEN not in "".join(traceback.format_exception(error))


def test_an_exception_that_was_handled_before_stays_unchanged() -> None:
    """It is the caller's."""
    handled, error = KeyError(TOKEN), ValueError(TOKEN)
    error.__context__ = handled
    credentials().clean(error, but=handled)
    assert (handled.args, error.args) == ((TOKEN,), ("[redacted]",))

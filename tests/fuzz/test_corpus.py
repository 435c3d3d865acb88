"""The fuzzer's corpus in the normal run: each input that showed the decoder something new."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

import pytest
from pydantic import SecretStr

from plugchat_async import ResponseError
from plugchat_async._http.credentials import Credentials
from plugchat_async._wire import Text

from . import decoder

CORPUS = sorted(Path(__file__).with_name("corpus").iterdir())

ECHO = f"403\n\n\n\nClient-Token {decoder.TOKEN} not allowed".encode()
CODE = b'200\n\n\n\n{"value": "2@code"}'


@pytest.mark.parametrize("path", CORPUS, ids=[path.name for path in CORPUS])
def test_an_input_that_was_kept_breaks_no_promise(path: Path) -> None:
    """It is named by its content, as libFuzzer names it."""
    data = path.read_bytes()
    decoder.check(data)
    assert sha1(data).hexdigest() == path.name


def test_the_corpus_is_small() -> None:
    """It is there, and nobody minds having it in a checkout."""
    assert 50 < len(CORPUS) <= 300
    assert sum(path.stat().st_size for path in CORPUS) <= 200 * 1024


@pytest.mark.parametrize("data", [b"", b"999\n", b"\xff\xff\n\n\n\n", ECHO, CODE])
def test_any_input_is_a_response(data: bytes) -> None:
    """The fuzzer need not learn a format."""
    decoder.check(data)


def test_a_secret_that_is_left_breaks_a_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check is one that can fail."""
    monkeypatch.setattr(decoder, "_CREDENTIALS", Credentials(SecretStr("another"), {}))
    with pytest.raises(AssertionError):
        decoder.check(ECHO)


@pytest.mark.parametrize("wrong", [Text(""), Text("x" * 3000), "2@code", ResponseError])
def test_a_result_that_is_not_an_outcome_breaks_a_promise(
    wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty code, one that no symbol holds, and what is neither a value nor an error."""
    monkeypatch.setattr(decoder, "read_code", lambda response, redact: wrong)
    with pytest.raises(AssertionError):
        decoder.check(CODE)

"""The options that all commands share become a client, or a sentence."""

from __future__ import annotations

import pytest

from plugchat_async.cli._access.client import Access
from plugchat_async.cli._output.failures import Failure


def access(base_url: str | None = None, *, allow_insecure_http: bool = False) -> Access:
    """Return the options."""
    return Access(None, base_url, allow_insecure_http, 10.0)


@pytest.fixture(autouse=True)
def _token_in_the_environment(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("PLUGCHAT_TOKEN", token)


@pytest.mark.parametrize("base_url", ["https://chat.example/api/whatsapp", "http://[::1]:8080/api"])
def test_a_base_url(base_url: str) -> None:
    """The client talks to it."""
    assert repr(access(base_url).client()) == f"AsyncPlugChat(base_url={base_url!r})"


def test_no_base_url() -> None:
    """The documented hosts are asked."""
    assert "app.plugchat.com.br" in repr(access().client())


@pytest.mark.parametrize("base_url", ["chat.example", "https://u:p@chat.example", "ftp://a", "a b"])
def test_a_base_url_that_is_none(base_url: str) -> None:
    """Exit code 2; the address, which may hold a secret, is not repeated."""
    with pytest.raises(Failure, match="base URL is not valid") as caught:
        access(base_url)
    assert caught.value.exit_code == 2
    assert base_url not in f"{caught.value.happened} {caught.value.to_do}"


@pytest.mark.parametrize("mark", ['"', "'"])
@pytest.mark.parametrize(
    ("language", "reason"), [("en_US", "in quotation marks"), ("pt_BR", "entre aspas")]
)
def test_a_base_url_in_quotation_marks_is_refused_with_that_reason(
    monkeypatch: pytest.MonkeyPatch, mark: str, language: str, reason: str
) -> None:
    """Exit code 2, in the user's language."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    with pytest.raises(Failure, match=reason) as caught:
        access(f"{mark}https://chat.example/api/whatsapp{mark}")
    assert caught.value.exit_code == 2
    assert "chat.example" not in f"{caught.value.happened} {caught.value.to_do}"


def test_plain_http_to_another_machine_has_to_be_allowed() -> None:
    """The sentence names the option."""
    with pytest.raises(Failure, match="sent unencrypted") as caught:
        access("http://chat.example/api")
    assert caught.value.exit_code == 2
    assert "--allow-insecure-http" in caught.value.to_do
    client = access("http://chat.example/api", allow_insecure_http=True).client()
    assert "http://chat.example/api" in repr(client)


def test_the_base_url_is_looked_at_before_the_token_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody types a token in vain."""
    monkeypatch.delenv("PLUGCHAT_TOKEN")
    with pytest.raises(Failure, match="base URL is not valid"):
        access("chat.example")

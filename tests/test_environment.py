"""The environment variables that are read for arguments left out."""

from __future__ import annotations

import pytest

from plugchat_async import AsyncPlugChat

TOKEN = "s3cr3t-T0ken/with+signs=AbCdEf"


def is_same_instance(one: AsyncPlugChat, other: AsyncPlugChat) -> bool:
    """Compare tokens and base URLs."""
    return one.instance_key == other.instance_key


def test_the_token_is_taken_if_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A given token goes first."""
    monkeypatch.setenv("PLUGCHAT_TOKEN", f" {TOKEN}\n")
    assert is_same_instance(AsyncPlugChat(), AsyncPlugChat(TOKEN))
    assert not is_same_instance(AsyncPlugChat("given"), AsyncPlugChat(TOKEN))


@pytest.mark.parametrize("environment", [{}, {"PLUGCHAT_TOKEN": ""}, {"PLUGCHAT_TOKEN": " \n"}])
def test_no_token_anywhere_names_the_variable(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says where a token could come from."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="PLUGCHAT_TOKEN"):
        AsyncPlugChat()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (f"{TOKEN}\n!", "token has control characters"),
        (f'"{TOKEN}"', "token is in quotation marks"),
        (f" '{TOKEN}'\n", "token is in quotation marks"),
        ('""', "token is in quotation marks"),
    ],
)
def test_the_token_is_checked_like_any_other(
    value: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message does not repeat it."""
    monkeypatch.setenv("PLUGCHAT_TOKEN", value)
    with pytest.raises(ValueError, match=reason) as caught:
        AsyncPlugChat()
    assert TOKEN not in str(caught.value)


def test_the_base_url_is_taken_if_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A given one goes first; an empty variable counts as unset."""
    monkeypatch.setenv("PLUGCHAT_BASE_URL", " https://sibling.example/api/whatsapp/ ")
    assert "'https://sibling.example/api/whatsapp'" in repr(AsyncPlugChat(TOKEN))
    assert "'https://x.example'" in repr(AsyncPlugChat(TOKEN, base_url="https://x.example"))
    monkeypatch.setenv("PLUGCHAT_BASE_URL", " ")
    assert "'https://app.plugchat.com.br/api/whatsapp'" in repr(AsyncPlugChat(TOKEN))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("http://sibling.example/api/whatsapp", "base_url is plain http"),
        ('"https://sibling.example/api/whatsapp"', "base_url is in quotation marks"),
        (" 'https://sibling.example/api/whatsapp'\n", "base_url is in quotation marks"),
    ],
)
def test_the_base_url_is_checked_like_any_other(
    value: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token is not sent unencrypted because of a variable; the message does not repeat it."""
    monkeypatch.setenv("PLUGCHAT_BASE_URL", value)
    with pytest.raises(ValueError, match=reason) as caught:
        AsyncPlugChat(TOKEN)
    assert "sibling.example" not in str(caught.value)

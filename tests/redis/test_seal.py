"""Secrecy of token and state towards the store."""

from __future__ import annotations

import traceback
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import UserList

import pytest
from pydantic import SecretStr

from plugchat_async.redis._seal import Keyring, Seal

SECRET, OTHER = "s" * 32, "o" * 32
URL = "https://app.plugchat.com.br/api/whatsapp"
TOKEN = SecretStr("token-of-the-instance")


def seal_of(secret: str = SECRET, url: str = URL, token: SecretStr = TOKEN) -> Seal:
    """Return the seal of an instance under one secret."""
    (seal,) = Keyring(secret).seals(url, token)
    return seal


def test_a_sealed_state_can_be_opened() -> None:
    """By each process with the same secret."""
    sealed = seal_of().seal(b"state", session="1", field="state")
    assert seal_of().open(sealed, session="1", field="state") == b"state"


def test_a_name_and_a_seal_show_nothing() -> None:
    """A name has 32 hexadecimal digits; nothing of token and content is legible."""
    seal = seal_of()
    sealed = seal.seal(b"2@payload", session="1", field="state")
    assert len(seal.name) == 32
    assert int(seal.name, 16)
    raw = urlsafe_b64decode(sealed)
    assert b"payload" not in raw
    assert TOKEN.get_secret_value() not in f"{seal.name}{sealed}{seal!r}"


def test_the_same_content_is_never_sealed_to_the_same_text() -> None:
    """A reader can't tell that a state came back, and a text identifies one state."""
    seal = seal_of()
    assert seal.seal(b"state", session="1", field="state") != seal.seal(
        b"state", session="1", field="state"
    )


@pytest.mark.parametrize(
    "other",
    [
        seal_of(secret=OTHER),
        seal_of(url="https://elsewhere.example/api/whatsapp"),
        seal_of(token=SecretStr("token-of-another")),
    ],
    ids=["secret", "base URL", "token"],
)
def test_each_instance_and_secret_has_a_separate_name_and_key(other: Seal) -> None:
    """Nobody else's state is accepted."""
    sealed = seal_of().seal(b"state", session="1", field="state")
    assert other.name != seal_of().name
    assert other.open(sealed, session="1", field="state") is None


def test_a_state_is_accepted_only_in_its_place() -> None:
    """Neither in another session, nor as what the hook is told."""
    seal = seal_of()
    sealed = seal.seal(b"state", session="1", field="state")
    assert seal.open(sealed, session="2", field="state") is None
    assert seal.open(sealed, session="1", field="ending") is None


@pytest.mark.parametrize(
    "forged",
    ["", "x", "not base64 at all", "é", urlsafe_b64encode(b"short").decode()],
)
def test_an_unsealed_state_is_not_opened(forged: str) -> None:
    """Whoever writes to the store shows nothing."""
    assert seal_of().open(forged, session="1", field="state") is None


def test_a_changed_byte_is_noticed() -> None:
    """Wherever it is."""
    seal = seal_of()
    raw = bytearray(urlsafe_b64decode(seal.seal(b"state", session="1", field="state")))
    for position in range(len(raw)):
        raw[position] ^= 1
        forged = urlsafe_b64encode(raw).decode()
        assert seal.open(forged, session="1", field="state") is None
        raw[position] ^= 1


def test_names_never_change() -> None:
    """Processes of two releases that run side by side find the same record."""
    assert seal_of().name == "5bb270a289568f7a823fad44e813d05b"
    assert Keyring(SECRET).fingerprints == ["95714a1b61f87a1072be1d95a54e910b"]


def test_each_of_several_secrets_has_a_seal() -> None:
    """In their order: the first one is for new sessions."""
    seals = Keyring([OTHER, SecretStr(SECRET)]).seals(URL, TOKEN)
    assert [seal.name for seal in seals] == [seal_of(secret=OTHER).name, seal_of().name]
    assert Keyring(UserList([OTHER, SECRET])).fingerprints == [
        *Keyring(OTHER).fingerprints,
        *Keyring(SECRET).fingerprints,
    ]


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ("s" * 31, "at least 32 characters, not 31"),
        ("", "at least 32 characters, not 0"),
        ([], "secret is empty"),
        ([SECRET, "sssss"], "at least 32 characters, not 5"),
        (SecretStr("sssss"), "at least 32 characters, not 5"),
        ([SECRET, " " * 40], "secret is blank: make one"),
        pytest.param("\ud800" * 40, "surrogate pair.*: make one", id="half characters"),
    ],
)
def test_a_secret_that_is_too_short_is_refused(
    secrets: str | list[str | SecretStr], message: str
) -> None:
    """With how to make one, and without repeating it."""
    with pytest.raises(ValueError, match=message) as refused:
        Keyring(secrets)
    assert "sss" not in rendered_locals(refused.value)


@pytest.mark.parametrize("secrets", [None, 5, [None], [b"s" * 32], b"s" * 32, {SECRET}])
def test_a_secret_of_another_type_is_refused(secrets: object) -> None:
    """Immediately, and without repeating it."""
    with pytest.raises(TypeError, match="secret must be a str") as refused:
        Keyring(secrets)  # type: ignore[arg-type] # that is what is tested
    assert "sss" not in f"{refused.value}{rendered_locals(refused.value)}"


def rendered_locals(error: BaseException) -> str:
    """Render the locals of the package's part of a traceback."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    return "".join(str(each.locals) for each in frames if "plugchat_async" in each.filename)

"""Links that open the page without a login."""

from __future__ import annotations

import base64
import json
import re
from collections import UserList
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import HTTPException
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from plugchat_async.fastapi import PairingLinks, PairingTicket

SECRET = "a secret of more than 32 characters"
OTHER = "another secret of more than 32 characters"


def status_of(links: PairingLinks, ticket: str) -> int:
    """Return the status with which a ticket is refused."""
    with pytest.raises(HTTPException) as refused:
        links(ticket)
    assert refused.value.detail in {"this link is not valid", "this link has expired"}
    assert refused.value.headers is not None
    assert refused.value.headers["Cache-Control"] == "no-store"
    return refused.value.status_code


def test_a_ticket_says_what_it_was_made_with() -> None:
    """Subject, return URL and the time of its end."""
    links = PairingLinks(SECRET)
    before = datetime.now(UTC)
    ticket = links(links.create("tenant-a", return_url="/next"))
    assert (ticket.subject, ticket.return_url) == ("tenant-a", "/next")
    day = timedelta(hours=24)
    assert before + day <= ticket.expires_at <= datetime.now(UTC) + day
    assert links(links.create("tenant-a")).return_url is None


def test_a_ticket_fits_into_the_path_of_a_url() -> None:
    """Whatever it is about, and not as a hidden file, which proxies may refuse."""
    links = PairingLinks(SECRET)
    subject, return_url = "loja/ç ü?#" * 20, "https://app.example/" + "\U0001f6cd" * 2028
    ticket = links.create(subject, return_url)
    assert re.fullmatch(r"[a-zA-Z0-9][\w.-]+", ticket, re.ASCII)
    assert (links(ticket).subject, links(ticket).return_url) == (subject, return_url)


def test_a_ticket_expires() -> None:
    """By its own lifetime before that of all."""
    links, brief = PairingLinks(SECRET), PairingLinks(SECRET, lifetime=timedelta(microseconds=1))
    assert status_of(brief, brief.create("a")) == 410
    assert status_of(links, links.create("a", lifetime=timedelta(microseconds=1))) == 410
    assert links(brief.create("a", lifetime=timedelta(hours=1))).subject == "a"


def test_secrets_are_changed_one_after_the_other() -> None:
    """The first signs; a link of an older secret is valid as long as that is in the list."""
    old, both, new = PairingLinks(OTHER), PairingLinks([SECRET, OTHER]), PairingLinks([SECRET])
    assert both(old.create("a")).subject == "a"
    assert new(both.create("a")).subject == "a"
    assert status_of(old, both.create("a")) == status_of(new, old.create("a")) == 404


def forged(ticket: str) -> str:
    """Change the subject of a ticket, and keep its signature."""
    _, _, signature = ticket.partition(".")
    said = {"subject": "b", "expires_at": "2099-01-01T00:00:00Z"}
    return (
        base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=") + f".{signature}"
    )


@pytest.mark.parametrize(
    "spoil",
    [
        forged,
        lambda ticket: ticket[:-1],
        lambda ticket: ticket[1:],
        lambda ticket: ticket.rpartition(".")[0],
        lambda ticket: ticket + "A",
        lambda ticket: ticket.swapcase(),
        lambda _: "",
        lambda _: ".",
        lambda _: "ticket",
        lambda _: "a" * 2**20,
        lambda ticket: ticket + "." * 2**20,
        lambda _: "ç\ud800\x00",
    ],
    ids=[
        "forged",
        "cut at its end",
        "cut at its start",
        "without a signature",
        "longer",
        "in other letters",
        "empty",
        "a dot",
        "a word",
        "a megabyte",
        "a megabyte of dots",
        "not ASCII",
    ],
)
def test_a_spoilt_ticket_is_not_found(spoil: Any) -> None:
    """A reader learns no more from the refusal."""
    links = PairingLinks(SECRET)
    assert status_of(links, spoil(links.create("a"))) == 404


@given(st.text(max_size=300))
def test_no_text_is_a_ticket_by_accident(text: str) -> None:
    """Nor does any raise another error."""
    assert status_of(PairingLinks(SECRET), text + "\n") == 404


def test_a_signature_for_something_else_makes_no_ticket() -> None:
    """An app may sign other things with its secret."""
    from itsdangerous import URLSafeSerializer

    said = {"subject": "a", "expires_at": "2099-01-01T00:00:00Z"}
    assert status_of(PairingLinks(SECRET), str(URLSafeSerializer(SECRET).dumps(said))) == 404


def test_a_ticket_of_an_older_version_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a ticket is signed, but says something else, it is refused, and raises nothing."""
    links = PairingLinks(SECRET)
    monkeypatch.setattr(PairingTicket, "model_dump_json", lambda *_, **__: '{"subject": "a"}')
    assert status_of(links, links.create("a")) == 404


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By `hmac.compare_digest`, and over the whole of the signature."""
    compared: list[int] = []

    def compare(first: bytes, second: bytes) -> bool:
        compared.append(len(second))
        return first == second

    monkeypatch.setattr("hmac.compare_digest", compare)
    links = PairingLinks(SECRET)
    assert status_of(links, forged(links.create("a"))) == 404
    assert compared == [32]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"secret": "a" * 31}, "at least 32 characters, not 31.*token_urlsafe"),
        ({"secret": ""}, "at least 32"),
        ({"secret": [SECRET, "short"]}, "at least 32"),
        ({"secret": []}, "secret is empty"),
        ({"secret": " " * 40}, "secret is blank"),
        ({"secret": "short" * 7 + "\udcff"}, "secret has half of a surrogate pair"),
        ({"secret": SECRET, "lifetime": timedelta()}, "more than nothing"),
        ({"secret": SECRET, "lifetime": timedelta(days=400)}, "a year at most"),
    ],
)
def test_links_that_are_not_safe_are_refused(arguments: dict[str, Any], message: str) -> None:
    """At the start; no message holds a secret."""
    with pytest.raises(ValueError, match=message) as refused:
        PairingLinks(**arguments)
    assert "short" not in str(refused.value)


def test_secrets_may_be_any_sequence() -> None:
    """As what reads an app's settings may return one that is neither a list nor a tuple."""
    links = PairingLinks(UserList([SECRET, OTHER]))
    assert links(PairingLinks((OTHER,)).create("a")).subject == "a"


@pytest.mark.parametrize(
    "arguments",
    [
        {"secret": None},
        {"secret": SECRET.encode()},
        {"secret": [SECRET, None]},
        {"secret": {SECRET}},
        {"secret": SECRET, "lifetime": 3600},
    ],
)
def test_links_of_another_type_are_refused(arguments: dict[str, Any]) -> None:
    """As from an environment variable that is not set."""
    with pytest.raises(TypeError, match="must be a"):
        PairingLinks(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"subject": ""}, ValueError),
        ({"subject": "a" * 257}, ValueError),
        ({"subject": "\ud800"}, ValueError),
        ({"subject": 1}, TypeError),
        ({"subject": "a", "return_url": "//elsewhere.example"}, ValueError),
        ({"subject": "a", "return_url": "/\ud800"}, ValueError),
        ({"subject": "a", "return_url": 1}, TypeError),
        ({"subject": "a", "lifetime": timedelta(seconds=-1)}, ValueError),
        ({"subject": "a", "lifetime": 60}, TypeError),
    ],
)
def test_a_ticket_that_makes_no_sense_is_refused(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    """When it is made, not when somebody opens it."""
    with pytest.raises(error, match=r"subject|return_url|lifetime"):
        PairingLinks(SECRET).create(**arguments)


def test_no_secret_is_shown() -> None:
    """Neither by the links nor by what they are made of."""
    links = PairingLinks([SecretStr(SECRET), OTHER])
    assert SECRET not in f"{links!r} {links.create('a')}"

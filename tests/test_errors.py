"""The errors: the contract's tree, word by word, and what an error carries on its travels."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest

import plugchat_async
from plugchat_async import (
    AlreadyConnected,
    AuthenticationError,
    InstanceNotFound,
    NetworkError,
    PasskeyRequired,
    PlugChatError,
    QRNotReady,
    RateLimited,
    RequestTimeout,
    ResponseError,
    ServerError,
    SubscriptionRequired,
    UnexpectedRedirect,
    UnexpectedResponse,
)
from plugchat_async._errors import TRANSIENT

if TYPE_CHECKING:
    from collections.abc import Callable

TREE: list[tuple[type[PlugChatError], type[Exception], str]] = [
    (PlugChatError, Exception, "plugchat_error"),
    (NetworkError, PlugChatError, "network_error"),
    (RequestTimeout, NetworkError, "request_timeout"),
    (ResponseError, PlugChatError, "response_error"),
    (AlreadyConnected, ResponseError, "already_connected"),
    (PasskeyRequired, ResponseError, "passkey_required"),
    (AuthenticationError, ResponseError, "authentication_error"),
    (SubscriptionRequired, ResponseError, "subscription_required"),
    (InstanceNotFound, ResponseError, "instance_not_found"),
    (RateLimited, ResponseError, "rate_limited"),
    (ServerError, ResponseError, "server_error"),
    (QRNotReady, ResponseError, "qr_not_ready"),
    (UnexpectedRedirect, ResponseError, "unexpected_redirect"),
    (UnexpectedResponse, ResponseError, "unexpected_response"),
]

RESPONSE = {"status_code": 418, "detail": "I'm a teapot"}

# One error of each class, with a value for everything that it can carry.
LADEN: list[tuple[PlugChatError, dict[str, object]]] = [
    (PlugChatError("what happened"), {}),
    (NetworkError("what happened"), {}),
    (RequestTimeout("what happened"), {}),
    (ResponseError("what happened", status_code=418, detail="I'm a teapot"), RESPONSE),
    (
        AlreadyConnected(
            "what happened", status_code=418, detail="I'm a teapot", after_scan=True, round=3
        ),
        RESPONSE | {"after_scan": True, "round": 3},
    ),
    (PasskeyRequired("what happened", status_code=418, detail="I'm a teapot"), RESPONSE),
    (AuthenticationError("what happened", status_code=418, detail="I'm a teapot"), RESPONSE),
    (SubscriptionRequired("what happened", status_code=418, detail="I'm a teapot"), RESPONSE),
    (InstanceNotFound("what happened", status_code=418, detail="I'm a teapot"), RESPONSE),
    (
        RateLimited("what happened", status_code=418, detail="I'm a teapot", retry_after=7.5),
        RESPONSE | {"retry_after": 7.5},
    ),
    (
        ServerError("what happened", status_code=418, detail="I'm a teapot", retry_after=7.5),
        RESPONSE | {"retry_after": 7.5},
    ),
    (QRNotReady("what happened", status_code=418, detail="I'm a teapot"), RESPONSE),
    (
        UnexpectedRedirect(
            "what happened", status_code=418, detail="I'm a teapot", location="login.example"
        ),
        RESPONSE | {"location": "login.example"},
    ),
    (UnexpectedResponse("what happened", status_code=418, detail="I'm a teapot"), RESPONSE),
]

every_class = pytest.mark.parametrize(
    ("cls", "base", "code"), TREE, ids=[cls.__name__ for cls, _, _ in TREE]
)
every_error = pytest.mark.parametrize(
    ("error", "carried"), LADEN, ids=[type(error).__name__ for error, _ in LADEN]
)


def test_no_error_class_is_left_out() -> None:
    """The tables of this file name each PlugChatError that the package exports, and no other."""
    exported = {
        value
        for name in plugchat_async.__all__
        if isinstance(value := getattr(plugchat_async, name), type)
        and issubclass(value, PlugChatError)
    }
    assert exported == {cls for cls, _, _ in TREE} == {type(error) for error, _ in LADEN}


@every_class
def test_each_class_hangs_where_the_contract_puts_it(
    cls: type[PlugChatError], base: type[Exception], code: str
) -> None:
    """A class has the one base that the contract draws, and can be caught as PlugChatError."""
    assert cls.__bases__ == (base,)
    assert issubclass(cls, PlugChatError)


@every_class
def test_codes_are_stable(cls: type[PlugChatError], base: type[Exception], code: str) -> None:
    """Logs, metrics and translations may rely on the word."""
    assert cls.code == code


def test_codes_are_unique() -> None:
    """No class has inherited the word of its base."""
    assert len({cls.code for cls, _, _ in TREE}) == len(TREE)


@every_error
def test_an_error_tells_its_message_and_what_it_carries(
    error: PlugChatError, carried: dict[str, object]
) -> None:
    """Its arguments are there under the contract's names, and nothing else is."""
    assert str(error) == "what happened"
    assert vars(error) == carried


@every_error
def test_an_error_is_caught_as_a_plugchat_error(
    error: PlugChatError, carried: dict[str, object]
) -> None:
    """One `except` clause is enough."""
    with pytest.raises(PlugChatError) as caught:
        raise error
    assert caught.value is error


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@every_error
def test_an_error_survives_a_pickle(
    error: PlugChatError, carried: dict[str, object], protocol: int
) -> None:
    """An error comes back from a process pool or a task queue as what it was."""
    back = pickle.loads(pickle.dumps(error, protocol))
    assert type(back) is type(error)
    assert back.args == ("what happened",)
    assert vars(back) == carried


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
@every_error
def test_an_error_can_be_copied(
    error: PlugChatError,
    carried: dict[str, object],
    duplicate: Callable[[PlugChatError], PlugChatError],
) -> None:
    """A copy is another object that says the same."""
    back = duplicate(error)
    assert back is not error
    assert type(back) is type(error)
    assert back.args == ("what happened",)
    assert vars(back) == carried


def test_notes_travel_too() -> None:
    """A caller's note on an error is not lost."""
    error = QRNotReady("what happened", status_code=200)
    error.add_note("while linking the shop's number")
    back = pickle.loads(pickle.dumps(error))
    assert back.__notes__ == ["while linking the shop's number"]


@pytest.mark.parametrize(
    ("error", "carried"),
    [
        (AlreadyConnected("so", status_code=200), {"after_scan": False, "round": 1}),
        (RateLimited("so", status_code=429), {"retry_after": None}),
        (ServerError("so", status_code=502), {"retry_after": None}),
        (UnexpectedRedirect("so", status_code=302), {"location": None}),
    ],
)
def test_a_missing_field_has_a_quiet_default(
    error: ResponseError, carried: dict[str, object]
) -> None:
    """Only the message and the status have to be known."""
    assert vars(error) == {"status_code": error.status_code, "detail": None, **carried}


def test_the_transient_ones_are_the_contract_s() -> None:
    """These five are worth another attempt, and no other is."""
    transient = {cls for cls, _, _ in TREE if issubclass(cls, TRANSIENT)}
    assert transient == {NetworkError, RequestTimeout, RateLimited, ServerError, QRNotReady}

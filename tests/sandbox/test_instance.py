"""An instance's codes are valid as long as WhatsApp's, and a valid one links a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugchat_async.sandbox._instance import Instance

if TYPE_CHECKING:
    from collections.abc import Callable
    from unittest.mock import Mock

    Scan = Callable[[str], bool]


@pytest.fixture
def instance(clock: Mock) -> Instance:
    """Return an instance on the time of `clock`."""
    return Instance("token-a", 1, clock)


@pytest.fixture
def scan(instance: Instance, clock: Mock) -> Scan:
    """Scan a payload now."""
    return lambda payload: instance.scan(payload, "5511999990000", clock())


def test_a_code_links_the_phone_while_it_is_valid(
    instance: Instance, scan: Scan, clock: Mock
) -> None:
    """A scan just before the 20th second still counts."""
    payload = instance.issue()
    clock.return_value += 19.99
    assert scan(payload)
    assert instance.connected


def test_a_code_expires_20_seconds_after_it_was_issued(
    instance: Instance, scan: Scan, clock: Mock
) -> None:
    """A scan at the 20th second comes too late."""
    payload = instance.issue()
    clock.return_value += 20
    assert not scan(payload)
    assert not instance.connected


def test_a_new_code_invalidates_the_former_one(instance: Instance, scan: Scan) -> None:
    """Only the newest code can be scanned."""
    former, newest = instance.issue(), instance.issue()
    assert not scan(former)
    assert scan(newest)


def test_a_code_cannot_be_scanned_twice(instance: Instance, scan: Scan) -> None:
    """Once a phone is linked, no scan links another."""
    payload = instance.issue()
    assert scan(payload)
    assert not scan(payload)


def test_an_invented_code_links_nothing(instance: Instance, scan: Scan) -> None:
    """Before the first code there is nothing to scan."""
    assert not scan("2@invented")


@pytest.mark.parametrize(
    "invalidate", [Instance.disconnect, Instance.lose_session, Instance.restart]
)
def test_a_change_invalidates_the_current_code(
    instance: Instance, scan: Scan, invalidate: Callable[[Instance], None]
) -> None:
    """The next code can be scanned."""
    payload = instance.issue()
    invalidate(instance)
    assert not scan(payload)
    assert scan(instance.issue())


@pytest.mark.parametrize("end", [Instance.disconnect, Instance.lose_session])
def test_a_scanned_code_stays_invalid_when_the_connection_ends(
    instance: Instance, scan: Scan, end: Callable[[Instance], None]
) -> None:
    """The next code can be scanned."""
    payload = instance.issue()
    assert scan(payload)
    end(instance)
    assert not instance.connected
    assert not scan(payload)
    assert scan(instance.issue())


def test_a_restart_keeps_the_phone_linked(instance: Instance, scan: Scan) -> None:
    """No scan is needed afterwards."""
    assert scan(instance.issue())
    instance.restart()
    assert instance.connected


def test_the_two_forms_of_a_code_take_turns(instance: Instance) -> None:
    """Both forms that WhatsApp has in use come, about as long as the real ones, never twice."""
    payloads = [instance.issue() for _ in range(6)]
    assert all(
        payload.startswith("https://wa.me/settings/linked_devices#") for payload in payloads[::2]
    )
    assert all(payload.startswith("2@") for payload in payloads[1::2])
    assert all(230 <= len(payload) <= 250 for payload in payloads)
    assert len(set(payloads)) == 6


def test_an_instance_keeps_its_secrets_out_of_its_repr(instance: Instance) -> None:
    """Neither the token nor the code shows."""
    payload = instance.issue()
    assert "token-a" not in repr(instance)
    assert payload not in repr(instance)

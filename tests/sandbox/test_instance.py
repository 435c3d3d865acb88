"""An instance's codes live as WhatsApp's do, and a phone links by a living one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugchat_async.sandbox._instance import Instance

if TYPE_CHECKING:
    from unittest.mock import Mock


@pytest.fixture
def instance(clock: Mock) -> Instance:
    """Give an instance that lives by `clock`."""
    return Instance("token-a", clock)


def test_a_code_links_the_phone_while_it_lives(instance: Instance, clock: Mock) -> None:
    """A scan just before the 20th second still counts."""
    payload = instance.issue()
    clock.return_value += 19.99
    assert instance.scan(payload)
    assert instance.connected


def test_a_code_is_dead_20_seconds_after_it_was_issued(instance: Instance, clock: Mock) -> None:
    """A scan at the 20th second comes too late."""
    payload = instance.issue()
    clock.return_value += 20
    assert not instance.scan(payload)
    assert not instance.connected


def test_a_new_code_kills_the_former_one(instance: Instance) -> None:
    """Only the newest code can be scanned."""
    former, newest = instance.issue(), instance.issue()
    assert not instance.scan(former)
    assert instance.scan(newest)


def test_a_code_cannot_be_scanned_twice(instance: Instance) -> None:
    """Once a phone is linked, no scan links another."""
    payload = instance.issue()
    assert instance.scan(payload)
    assert not instance.scan(payload)


def test_what_was_never_issued_links_nothing(instance: Instance) -> None:
    """Before the first code there is nothing to scan."""
    assert not instance.scan("2@invented")


def test_a_code_from_before_a_disconnection_stays_dead(instance: Instance) -> None:
    """Unlinking the phone does not bring its code back to life."""
    payload = instance.issue()
    assert instance.scan(payload)
    instance.disconnect()
    assert not instance.connected
    assert not instance.scan(payload)
    assert instance.scan(instance.issue())


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

"""Rules of every session, read from its line in the ledger alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .ledger import Event, Session

# A ledger's moments are rounded to milliseconds.
TOLERANCE = 0.002

CONNECTED = {"connected", "already_connected"}
OUTCOMES = {*CONNECTED, "expired", "cancelled"}

ERRORS = {
    "authentication_error": {
        "authentication_error",
        "client_token_missing",
        "forbidden",
        "unauthorized",
    },
    "instance_not_found": {"entity_not_found", "instance_not_found", "not_found"},
    "passkey_required": {"passkey", "passkey_required"},
    "qr_not_ready": {
        "empty_body",
        "empty_object",
        "not_connected",
        "qr_not_ready",
        "value_empty",
        "value_false",
        "value_null",
    },
    "rate_limited": {"rate_limited", "rate_limited_retry_after"},
    "server_error": {
        "html_page",
        "html_page_labelled_json",
        "server_error",
        "server_error_empty",
        "server_error_html",
    },
    "subscription_required": {"subscription_required"},
    "unexpected_redirect": {"redirect", "unexpected_redirect"},
    "unexpected_response": {
        "bad_request",
        "conflict",
        "error_in_errors",
        "error_under_detail",
        "error_under_error",
        "error_under_message",
        "error_under_msg",
        "error_under_reason",
        "method_not_allowed",
        "status_error",
        "unexpected_response",
        "unsupported_media_type",
    },
}
TRANSIENT = {"qr_not_ready", "rate_limited", "request_timeout", "server_error"}
"""Failures that the client retries, before it gives up."""

WITHOUT_A_TIME = "rate_limited"
"""A rate limit that does not say how long it lasts: no attempt follows it."""

_ERROR_OF = {name: error for error, names in ERRORS.items() for name in names}


def violations(session: Session) -> Iterator[str]:
    """Find every rule that the session breaks, in words."""
    for rule in (
        _has_one_ending,
        _has_one_outcome,
        _asks_for_no_code_too_many,
        _agrees_with_its_phone,
        _agrees_with_its_responses,
        _asks_nothing_after_its_end,
        _shows_its_watchers_one_ending,
    ):
        for violation in rule(session):
            yield f"session {session.number} on {session.loop} {violation}"


def _has_one_ending(session: Session) -> Iterator[str]:
    endings = [event.subject for event in session.events if event.what == "ended"]
    if len(endings) != 1:
        yield f"has {len(endings)} endings"
    elif endings != [session.outcome or session.error]:
        yield f"ended as {endings[0]}, and says {session.outcome or session.error}"


def _has_one_outcome(session: Session) -> Iterator[str]:
    if (session.outcome is None) == (session.error is None):
        yield f"has the outcome {session.outcome} and the error {session.error}"
    if session.outcome_later != session.outcome:
        yield f"had the outcome {session.outcome}, and later {session.outcome_later}"
    if session.outcome is not None and session.outcome not in OUTCOMES:
        yield f"has an outcome that there is not: {session.outcome}"


def _asks_for_no_code_too_many(session: Session) -> Iterator[str]:
    codes = [event for event in session.events if _is_code(event)]
    if len(codes) > session.script.max_rounds:
        yield f"requested {len(codes)} codes, but {session.script.max_rounds} are allowed"
    rounds = [int(event.subject) for event in session.events if event.what == "shown"]
    if rounds != list(range(1, len(rounds) + 1)) or len(rounds) > session.script.max_rounds:
        yield f"showed the rounds {rounds}, but {session.script.max_rounds} are allowed"


def _agrees_with_its_phone(session: Session) -> Iterator[str]:
    """Compare what was said without being ordered with what the phone did."""
    linked = session.linked_before or (
        # Two threads write the ledger: there, the scan may be written after the response to it.
        session.sockets
        and any(event.what == "scanned" and event.detail == "linked" for event in session.events)
    )
    for event in _before_the_end(session):
        if event.what == "scanned" and event.detail == "linked":
            linked = True
        elif event.what == "answered":
            if event.detail in {"status connected", "already_connected"} and not linked:
                yield f"was told at {event.at} that it is connected, and nobody had scanned"
            if event.detail == "status not_connected" and linked and not session.sockets:
                yield f"was told at {event.at} that it is not connected, after a scan"
    told = any(_says_connected(event) for event in _before_the_end(session))
    if session.outcome in CONNECTED and not told:
        yield f"is {session.outcome}, and no response had said so"
    # Over sockets a response may arrive just when nobody waits for it any more.
    if told and session.outcome not in {*CONNECTED, "cancelled"} and not session.sockets:
        yield f"ended as {session.outcome or session.error}, after it was told that it is connected"
    if told and session.outcome == "cancelled" and not session.sockets:
        yield "was cancelled, after it was told that it is connected"


def _agrees_with_its_responses(session: Session) -> Iterator[str]:
    """Compare the ending with the conversation before it."""
    events = _before_the_end(session)
    codes = sum(map(_is_code, events))
    stopped = any(event.what == "stopped" for event in events)
    if session.outcome == "connected" and codes == 0:
        yield "is connected, and no code of it could be scanned"
    if session.outcome == "already_connected" and codes > 0:
        yield "was connected already, and had a code all the same"
    if session.outcome == "expired":
        if codes != session.script.max_rounds:
            yield f"expired after {codes} of {session.script.max_rounds} codes"
        # Over sockets a machine that stalls may give the look up before its server has noted it.
        looks = session.script.status_interval is not None and not session.sockets
        if looks and not _looked_after_the_last_code(session):
            yield "expired without a last look at the status"
    if session.outcome == "cancelled" and session.script.way == "pairing" and not stopped:
        yield "was cancelled, and nobody had left it"
    if session.error is not None:
        responses = _last_responses(events)
        attempts = [_ERROR_OF.get(response, response) for response in responses]
        allowed = 1 + session.script.retries if session.error in TRANSIENT else 1
        is_final = responses[-1:] == [WITHOUT_A_TIME]
        if not attempts or attempts[-1] != session.error:
            yield f"failed by {session.error}, after the responses {attempts}"
        elif session.error in TRANSIENT and len(attempts) != allowed and not is_final:
            yield f"failed by {session.error} after {len(attempts)} attempts, not {allowed}"
        if WITHOUT_A_TIME in responses[:-1]:
            yield "made an attempt after a rate limit without a time"


# Seconds from a call's begin to its last attempt at most, with two time-outs and two pauses before
# it, and those from a code's request to the last status of a session that nobody watches.
_RETRIES = 25
_GRACE = 20 + 10 + _RETRIES


def _asks_nothing_after_its_end(session: Session) -> Iterator[str]:
    """Let no call begin after the end: with a hub, after its linger, counted from the last leave.

    Then it requests no code, but for retries, and the status until the code has expired and 10 s
    more, and a last time.

    Over sockets one call may be in flight when a session is left, and arrive after its end.
    """
    in_flight = 0
    if session.sockets:
        in_flight = sum(event.what in {"stopped", "left", "pressed"} for event in session.events)
    watchers = 0
    left_at = float("inf")
    is_over = False
    for event in session.events:
        match event.what:
            case "joined" | "stayed":
                watchers += 1
                left_at = float("inf")
            case "left":
                watchers -= 1
                if watchers == 0:
                    left_at = event.at
            case "ended":
                is_over = True
            case "answered" if _says_connected(event) and not session.sockets:
                is_over = True
            case "asked":
                more = _RETRIES if event.subject == "/qr-code" else _GRACE
                until = left_at + session.script.linger + more + TOLERANCE
                lingers = session.sockets or event.at <= until
                if (is_over or not lingers) and in_flight == 0:
                    yield f"asked {event.subject} at {event.at}, after its end"
                elif is_over:
                    in_flight -= 1
            case _:
                pass


def _shows_its_watchers_one_ending(session: Session) -> Iterator[str]:
    last: dict[str, str] = {}
    for event in session.events:
        if event.what != "saw":
            continue
        before = last.get(event.subject, "starting")
        is_older = before.startswith("code") and "code" in event.detail and event.detail <= before
        if _is_ending(before) or is_older:
            yield f"showed {event.detail} to {event.subject}, after {before}"
        last[event.subject] = event.detail
    seen = {state for state in last.values() if _is_ending(state)}
    if seen - {session.outcome or session.error}:
        yield f"showed {sorted(seen)}, and ended as {session.outcome or session.error}"


def _is_ending(state: str) -> bool:
    return state != "starting" and not state.startswith("code")


def _before_the_end(session: Session) -> list[Event]:
    whats = [event.what for event in session.events]
    return session.events[: whats.index("ended")] if "ended" in whats else session.events


def _is_code(event: Event) -> bool:
    return event.what == "answered" and event.detail.startswith(("code", "image_"))


def _says_connected(event: Event) -> bool:
    return event.what == "answered" and (
        event.detail == "status connected" or event.detail.startswith("already_connected")
    )


def _looked_after_the_last_code(session: Session) -> bool:
    """Check that the last call asked for the status, when the last code's time was over."""
    asked = [event for event in _before_the_end(session) if event.what == "asked"]
    codes = [event.at for event in asked if event.subject == "/qr-code"]
    if not codes or asked[-1].subject != "/status":
        return False
    return asked[-1].at >= codes[-1] + session.script.interval - TOLERANCE


def _last_responses(events: list[Event]) -> list[str]:
    """Return the responses to the calls for the last code, one for each attempt."""
    responses: list[str] = []
    for event in events:
        if _is_code(event):
            responses = []
        elif event.subject == "/qr-code" and event.what == "answered":
            responses.append(event.detail)
        elif event.subject == "/qr-code" and event.what == "unanswered":
            responses.append("request_timeout")
    return responses

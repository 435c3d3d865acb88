"""Control of the sandbox over HTTP, by programs in any language, below `/sandbox/`."""

from __future__ import annotations

import inspect
import math
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from ._answers import Endpoint
    from ._record import Call, Scan

    Result = dict[str, object]
    Note = Callable[[str, int, str, str | None], None]

T = TypeVar("T", int, float)

# Seconds after which clients usually request the next code, which replaces the one before.
_USUAL_INTERVAL = 15.0

_SECRET = {"payload", "token"}


class Controlled(Protocol):
    """Actions of a `Sandbox`."""

    @property
    def calls(self) -> tuple[Call, ...]: ...
    @property
    def scans(self) -> tuple[Scan, ...]: ...
    def scan(self, payload: str) -> bool: ...
    def scan_after(self, seconds: float | None) -> None: ...
    def disconnect(self, token: str | None) -> None: ...
    def lose_session(self, token: str | None) -> None: ...
    def answer_next(
        self, name: str | None, *, times: int, endpoint: Endpoint | None, token: str | None
    ) -> None: ...


class Control:
    """Routes to a sandbox, with query parameters, which are all text.

    Without a token, each instance is meant.

    Args:
        sandbox: The sandbox.
        codes: Returns the current codes of a token's instance, or of all.
        note: Notes an action: its name, the status, a detail, and the token.
    """

    def __init__(
        self, sandbox: Controlled, codes: Callable[[str | None], list[str]], note: Note
    ) -> None:
        self._sandbox = sandbox
        self._codes = codes
        self._note = note
        self._actions: dict[str, Callable[..., Result]] = {
            "scan": self._scan,
            "scan-after": self._scan_after,
            "disconnect": self._disconnect,
            "lose-session": self._lose_session,
            "answer-next": self._answer_next,
        }

    def routes(self) -> list[BaseRoute]:
        """Return a route for each action, by POST, and one for the record, by GET."""
        return [
            *(self._route(name, act, "POST") for name, act in self._actions.items()),
            self._route("calls", self._calls, "GET"),
            Mount("/sandbox", app=self._refuse),
        ]

    def _route(self, name: str, act: Callable[..., Result], method: str) -> Route:
        known = inspect.signature(act).parameters

        async def respond(request: Request) -> Response:
            query = request.query_params
            status = 403
            try:
                _check_origin(request)
                status = 400
                if await request.body():
                    raise ValueError("parameters go into the query of the address, not into a body")
                _check(query.multi_items(), known)
                status, result = 200, act(**query)
                detail = " ".join(f"{key}={query[key]}" for key in query if key not in _SECRET)
            except (ValueError, ImportError) as error:
                result = {"error": (detail := str(error))}
            if method == "POST":
                # One line of a log, whatever was sent.
                detail = "".join(each if each.isprintable() else "?" for each in detail)
                self._note(name, status, detail, query.get("token"))
            return JSONResponse(result, status)

        return Route(f"/sandbox/{name}", respond, methods=[method])

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"].removeprefix("/sandbox/")
        methods = {**dict.fromkeys(self._actions, "POST"), "calls": "GET"}
        if method := methods.get(name):
            reason = f"/sandbox/{name} takes {method}, not {scope['method']}"
            response = JSONResponse({"error": reason}, 405, {"Allow": method})
        else:
            reason = f"there is no /sandbox/{name}; there are {', '.join(methods)}"
            response = JSONResponse({"error": reason}, 404)
        await response(scope, receive, send)

    def _scan(self, payload: str = "", token: str = "") -> Result:
        codes = [payload] if payload else self._codes(token or None)
        scanned = [self._sandbox.scan(code) for code in codes]
        return {"scanned": any(scanned)}

    def _scan_after(self, seconds: str = "") -> Result:
        after = _number("seconds", seconds, float, "a finite number") if seconds else None
        if after is not None and after < 0:
            raise ValueError(f"seconds has to be 0 or more, not {seconds!r}")
        self._sandbox.scan_after(after)
        if after is None or after < _USUAL_INTERVAL:
            return {}
        return {
            "warning": f"a client that requests a code every {_USUAL_INTERVAL:g} s, as usual,"
            " replaces each before it is scanned"
        }

    def _disconnect(self, token: str = "") -> Result:
        self._sandbox.disconnect(token or None)
        return {}

    def _lose_session(self, token: str = "") -> Result:
        self._sandbox.lose_session(token or None)
        return {}

    def _answer_next(
        self, name: str = "", times: str = "", endpoint: str = "", token: str = ""
    ) -> Result:
        if not name and (times or endpoint or token):
            raise ValueError("missing query parameter: name")
        place = cast("Endpoint | None", endpoint or None)  # any other is refused
        count = _number("times", times or "1", int, "a whole number")
        self._sandbox.answer_next(name or None, times=count, endpoint=place, token=token or None)
        return {}

    def _calls(self) -> Result:
        calls = [
            {
                "endpoint": each.endpoint,
                "at": each.at,
                "status": each.status,
                "answer": each.answer,
                "instance": each.instance,
            }
            for each in self._sandbox.calls
        ]
        scans = [{"at": each.at, "instance": each.instance} for each in self._sandbox.scans]
        return {"calls": calls, "scans": scans}


def _check_origin(request: Request) -> None:
    """Refuse a request that a page of somebody else's may have made in a browser.

    It names its origin, or a host that it made lead to this machine (DNS rebinding). A sandbox that
    other machines reach may have any name.
    """
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    server, _ = request.scope.get("server") or ("", 0)
    if _is_local(server) and not _is_local(urlsplit(f"//{host}").hostname):
        raise ValueError("Host is not this machine's: use 127.0.0.1 or localhost")
    page = urlsplit(origin or f"//{host}")
    if page.netloc != host and not _is_local(page.hostname):
        raise ValueError("Origin is not this machine's: a page elsewhere may have sent this")


def _is_local(host: str | None) -> bool:
    if not host:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _check(query: Sequence[tuple[str, str]], known: Mapping[str, object]) -> None:
    names = [name for name, _ in query]
    if unknown := {*names} - known.keys():
        offered = f"there are {', '.join(known)}" if known else "there is none"
        raise ValueError(f"unknown query parameter: {', '.join(sorted(unknown))}; {offered}")
    if empty := sorted(name for name, value in query if not value):
        raise ValueError(f"empty query parameter: {', '.join(empty)}")
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"repeated query parameter: {', '.join(sorted(repeated))}")


def _number(name: str, value: str, kind: Callable[[str], T], words: str) -> T:
    with suppress(ValueError, OverflowError):  # the latter for an int beyond all floats
        number = kind(value)
        if math.isfinite(number):
            return number
    raise ValueError(f"{name} has to be {words}, not {value!r}")

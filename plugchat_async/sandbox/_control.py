"""Control of the sandbox over HTTP, by programs in any language, below `/sandbox/`."""

from __future__ import annotations

import inspect
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from ._answers import Endpoint
    from ._record import Call, Scan

    Result = dict[str, object]

T = TypeVar("T", int, float)


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
        self, name: str, *, times: int, endpoint: Endpoint | None, token: str | None
    ) -> None: ...


class Control:
    """Routes to a sandbox, with query parameters, which are all text.

    Without a token, each instance is meant.

    Args:
        sandbox: The sandbox.
        codes: Returns the current codes of a token's instance, or of all.
    """

    def __init__(self, sandbox: Controlled, codes: Callable[[str | None], list[str]]) -> None:
        self._sandbox = sandbox
        self._codes = codes

    def routes(self) -> list[Route]:
        """Return a route for each action, by POST, and one for the record, by GET."""
        return [
            _route("scan", self._scan),
            _route("scan-after", self._scan_after),
            _route("disconnect", self._disconnect),
            _route("lose-session", self._lose_session),
            _route("answer-next", self._answer_next),
            _route("calls", self._calls, method="GET"),
        ]

    def _scan(self, payload: str = "", token: str = "") -> Result:
        codes = [payload] if payload else self._codes(token or None)
        scanned = [self._sandbox.scan(code) for code in codes]
        return {"scanned": any(scanned)}

    def _scan_after(self, seconds: str = "") -> Result:
        self._sandbox.scan_after(
            _number("seconds", seconds, float, "a finite number") if seconds else None
        )
        return {}

    def _disconnect(self, token: str = "") -> Result:
        self._sandbox.disconnect(token or None)
        return {}

    def _lose_session(self, token: str = "") -> Result:
        self._sandbox.lose_session(token or None)
        return {}

    def _answer_next(
        self, name: str, times: str = "1", endpoint: str = "", token: str = ""
    ) -> Result:
        place = cast("Endpoint | None", endpoint or None)  # any other is refused
        count = _number("times", times, int, "a whole number")
        self._sandbox.answer_next(name, times=count, endpoint=place, token=token or None)
        return {}

    def _calls(self) -> Result:
        calls = [
            {"endpoint": each.endpoint, "at": each.at, "status": each.status, "answer": each.answer}
            for each in self._sandbox.calls
        ]
        return {"calls": calls, "scans": [{"at": each.at} for each in self._sandbox.scans]}


def _route(name: str, act: Callable[..., Result], *, method: str = "POST") -> Route:
    known = inspect.signature(act).parameters

    async def respond(request: Request) -> Response:
        try:
            if await request.body():
                raise ValueError("parameters go into the query of the address, not into a body")
            _check(request.query_params, known)
            return JSONResponse(act(**request.query_params))
        except (ValueError, ImportError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return Route(f"/sandbox/{name}", respond, methods=[method])


def _check(query: Mapping[str, str], known: Mapping[str, inspect.Parameter]) -> None:
    if unknown := query.keys() - known.keys():
        offered = f"there are {', '.join(known)}" if known else "there is none"
        raise ValueError(f"unknown query parameter: {', '.join(sorted(unknown))}; {offered}")
    for name, parameter in known.items():
        if name not in query and parameter.default is parameter.empty:
            raise ValueError(f"missing query parameter: {name}")


def _number(name: str, value: str, kind: Callable[[str], T], words: str) -> T:
    with suppress(ValueError, OverflowError):  # the latter for an int beyond all floats
        number = kind(value)
        if math.isfinite(number):
            return number
    raise ValueError(f"{name} has to be {words}, not {value!r}")

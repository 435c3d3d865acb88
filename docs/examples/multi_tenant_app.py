"""A complete FastAPI app in which each tenant links a WhatsApp number of their own.

Install the package with the extra [fastapi] as docs/installation.md describes, then

    pip install uvicorn
    TENANT_TOKENS='{"acme": "token of acme", "globex": "token of globex"}' \
        uvicorn multi_tenant_app:app

Then open http://127.0.0.1:8000.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, TypedDict

from fastapi import Cookie, Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from plugchat_async import AsyncPlugChat, PairingEnd, PairingHub, PairingOutcome
from plugchat_async.fastapi import pairing_router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# In your app: the tenants' tokens are in its database, encrypted.
TOKENS: dict[str, str] = json.loads(os.environ["TENANT_TOKENS"])

# In your app: a column of the tenants. It says who has linked a phone, also after the page was
# closed; `/status` says whose phone is linked now.
LINKED: set[str | None] = set()

# In your app: its own login. This stub knows whose a session's cookie is, and lets anybody in.
SESSIONS: dict[str, str] = {}


def remember(client: AsyncPlugChat, ending: PairingEnd) -> None:
    """Store that a tenant has linked a phone, before the page shows it."""
    if ending.outcome in {PairingOutcome.CONNECTED, PairingOutcome.ALREADY_CONNECTED}:
        LINKED.add(client.name)


hub = PairingHub(max_watchers=100, on_end=remember)


class State(TypedDict):
    """Hold what lives as long as the app."""

    plugchat: AsyncPlugChat


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
    """Open one client and one hub: all tenants share its connections, time-outs and retries."""
    # Its own token is never sent, since every request takes its tenant's.
    async with AsyncPlugChat(token="a tenant's") as plugchat, hub:  # noqa: S106 - no secret
        yield {"plugchat": plugchat}


def require_login(session: Annotated[str, Cookie()] = "") -> str:
    """Tell whose request this is, or refuse it."""
    if session not in SESSIONS:
        raise HTTPException(401, "log in first")
    return SESSIONS[session]


def get_client(request: Request, tenant: Annotated[str, Depends(require_login)]) -> AsyncPlugChat:
    """Give the client of this request's tenant, at the cost of a small object."""
    plugchat: AsyncPlugChat = request.state.plugchat
    return plugchat.for_token(TOKENS[tenant], name=tenant)


app = FastAPI(lifespan=lifespan)
app.include_router(
    pairing_router(
        get_client,
        dependencies=[Depends(require_login)],
        hub=hub,
        return_url="/status",  # after the scan, the page goes on to the next step
    ),
    prefix="/whatsapp",
)


@app.get("/")
async def welcome() -> HTMLResponse:
    """Let the visitor say who they are."""
    buttons = "".join(
        f'<form method="post" action="login/{number}"><button>Log in as {number}</button></form>'
        for number in TOKENS
    )
    return HTMLResponse(f'<!doctype html><html lang="en"><title>Log in</title>{buttons}')


@app.post("/login/{tenant}")
async def log_in(tenant: str) -> RedirectResponse:
    """Begin a session, and go on to the page that links a phone."""
    if tenant not in TOKENS:
        raise HTTPException(404)
    session = secrets.token_urlsafe()
    SESSIONS[session] = tenant
    response = RedirectResponse("../whatsapp", status_code=303)
    response.set_cookie("session", session, httponly=True, samesite="lax")
    return response


@app.get("/status")
async def status(client: Annotated[AsyncPlugChat, Depends(get_client)]) -> dict[str, bool]:
    """Return whether this tenant's phone is linked: the rest uses the same dependency."""
    was_linked = client.name in LINKED
    return {"was_linked": was_linked, "connected": (await client.status()).connected}

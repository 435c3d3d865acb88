"""A complete FastAPI app in which each tenant links a WhatsApp number of their own.

Install the package with the extras [fastapi,redis] as docs/installation.md describes, then

    pip install uvicorn
    export TENANT_TOKENS='{"acme": "token of acme", "globex": "token of globex"}'
    export SESSION_SECRET="$(python -c 'import secrets; print(secrets.token_hex())')"
    uvicorn multi_tenant_app:app --port 8026

and open http://127.0.0.1:8026. With several workers, all of them need one Redis and one secret:

    export REDIS_URL=redis://127.0.0.1:6379/0
    export HUB_SECRET="$(python -c 'import secrets; print(secrets.token_hex())')"
    uvicorn multi_tenant_app:app --port 8026 --workers 4
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Annotated, TypedDict

import anyio.to_thread
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.middleware.sessions import SessionMiddleware

from plugchat_async import AsyncPlugChat, PairingEnd, PairingHub, PairingOutcome
from plugchat_async.fastapi import pairing_router
from plugchat_async.redis import RedisPairingHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# In your app: the tenants' tokens are in its database, encrypted.
TOKENS: dict[str, str] = json.loads(os.environ["TENANT_TOKENS"])

# In your app: its own database, which all workers share as they share this file. The table says
# who has linked a phone, also after the page was closed; `/status` says whose phone is linked now.
DATABASE = os.environ.get("DATABASE", "tenants.sqlite3")


async def execute(sql: str, *parameters: str) -> list[tuple[str]]:
    """Execute one statement in a thread, so that the event loop does not wait for the disk."""

    def run() -> list[tuple[str]]:
        with closing(sqlite3.connect(DATABASE, isolation_level=None)) as database:
            return database.execute(sql, parameters).fetchall()

    return await anyio.to_thread.run_sync(run)


async def remember(client: AsyncPlugChat, ending: PairingEnd) -> None:
    """Store that a tenant has linked a phone, before the page shows it.

    If a worker dies here, the next one does it again: storing it twice must do no harm.
    """
    if ending.outcome in {PairingOutcome.CONNECTED, PairingOutcome.ALREADY_CONNECTED}:
        await execute(
            "INSERT INTO links VALUES (?, ?)"
            " ON CONFLICT (tenant) DO UPDATE SET linked_at = excluded.linked_at",
            str(client.name),
            ending.ended_at.isoformat(),
        )


def make_hub() -> PairingHub:
    """Make the hub: over Redis for several workers, in memory for a single one."""
    if redis_url := os.environ.get("REDIS_URL"):
        secret = os.environ["HUB_SECRET"]
        return RedisPairingHub(redis_url, secret=secret, max_watchers=100, on_end=remember)
    return PairingHub(max_watchers=100, on_end=remember)


hub = make_hub()


class State(TypedDict):
    """Objects that live as long as the app."""

    plugchat: AsyncPlugChat


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
    """Open one client and one hub: all tenants share its connections, time-outs and retries."""
    await execute("CREATE TABLE IF NOT EXISTS links (tenant TEXT PRIMARY KEY, linked_at TEXT)")
    # Its own token is never sent, since every request takes its tenant's.
    async with AsyncPlugChat(token="a tenant's") as plugchat, hub:  # noqa: S106 - no secret
        yield {"plugchat": plugchat}


def require_login(request: Request) -> str:
    """Return whose request this is, or refuse it."""
    tenant = request.session.get("tenant")
    if tenant not in TOKENS:
        raise HTTPException(401, "log in first")
    return str(tenant)


def get_client(request: Request, tenant: Annotated[str, Depends(require_login)]) -> AsyncPlugChat:
    """Return the client of this request's tenant, at the cost of a small object."""
    plugchat: AsyncPlugChat = request.state.plugchat
    return plugchat.for_token(TOKENS[tenant], name=tenant)


app = FastAPI(lifespan=lifespan)
# In your app: its own login. This stub lets anybody in; its signed cookie is read by each worker.
app.add_middleware(SessionMiddleware, secret_key=os.environ["SESSION_SECRET"])
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
    """Let visitors choose who they are."""
    buttons = "".join(
        f'<form method="post" action="login/{number}"><button>Log in as {number}</button></form>'
        for number in TOKENS
    )
    return HTMLResponse(f'<!doctype html><html lang="en"><title>Log in</title>{buttons}')


@app.post("/login/{tenant}")
async def log_in(request: Request, tenant: str) -> RedirectResponse:
    """Begin a session, and go on to the page that links a phone."""
    if tenant not in TOKENS:
        raise HTTPException(404)
    request.session["tenant"] = tenant
    return RedirectResponse("../whatsapp", status_code=303)


@app.get("/status")
async def status(client: Annotated[AsyncPlugChat, Depends(get_client)]) -> dict[str, bool]:
    """Return whether this tenant's phone is linked: the rest uses the same dependency."""
    was_linked = await execute("SELECT tenant FROM links WHERE tenant = ?", str(client.name))
    return {"was_linked": bool(was_linked), "connected": (await client.status()).connected}

"""The API of a single-page app with a bearer token, which frames the page by a link.

A frame can't send a bearer token, and browsers keep cookies from frames of another site. So the
app asks this API for a link, and the link is all that the page needs. The app itself is
single_page_app.html, served from another origin. Install the package with the extra [fastapi] as
docs/installation.md describes, then

    pip install uvicorn
    TENANT_TOKENS='{"acme": "token of acme"}' FRONT_END=https://app.acme.example \
        LINK_SECRET="$(python -c 'import secrets; print(secrets.token_urlsafe(32))')" \
        uvicorn single_page_app:app
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, TypedDict

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from plugchat_async import AsyncPlugChat
from plugchat_async.fastapi import PairingLinks, PairingTheme, PairingTicket, pairing_router

# In your app: the tenants' tokens are in its database, encrypted.
TOKENS: dict[str, str] = json.loads(os.environ["TENANT_TOKENS"])
FRONT_END = os.environ["FRONT_END"]

links = PairingLinks(os.environ["LINK_SECRET"], lifetime=timedelta(minutes=30))


class State(TypedDict):
    """State that lasts as long as the app."""

    plugchat: AsyncPlugChat


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
    """Open one client: all tenants share its connections."""
    async with AsyncPlugChat(token="a tenant's") as plugchat:  # noqa: S106 - never sent
        yield {"plugchat": plugchat}


def require_token(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> str:
    """Return whose request this is. In your app: check the token's signature."""
    tenant = credentials.credentials.removeprefix("bearer-of-")
    if tenant not in TOKENS:
        raise HTTPException(401, "sign in first")
    return tenant


def get_client(request: Request, ticket: Annotated[PairingTicket, Depends(links)]) -> AsyncPlugChat:
    """Return the client of the tenant for whom the link was made."""
    plugchat: AsyncPlugChat = request.state.plugchat
    return plugchat.for_token(TOKENS[ticket.subject], name=ticket.subject)


app = FastAPI(lifespan=lifespan)
app.add_middleware(
    CORSMiddleware, allow_origins=[FRONT_END], allow_methods=["POST"], allow_headers=["*"]
)
app.include_router(
    pairing_router(
        get_client,
        dependencies=[],
        links=links,
        embed_in=[FRONT_END],
        theme=PairingTheme(name="Acme", accent="#5b21b6", radius=12),
    ),
    prefix="/whatsapp/{ticket}",
)


@app.post("/whatsapp-link")
async def create_link(
    request: Request, tenant: Annotated[str, Depends(require_token)]
) -> dict[str, str]:
    """Return the address of the page for the one who is signed in."""
    return {"url": f"{request.base_url}whatsapp/{links.create(tenant)}"}

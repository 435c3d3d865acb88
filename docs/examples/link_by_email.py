"""An app that sends its customers a link to the page by e-mail.

Programs that look into e-mails for bad links open the page, and some run its script. The page of a
link begins with a button, and requests no code before it is pressed. Install the package with the
extra [fastapi] as docs/installation.md describes, then

    pip install uvicorn
    TENANT_TOKENS='{"acme": "token of acme"}' PUBLIC_URL=https://app.example SMTP_PORT=25 \
        LINK_SECRET="$(python -c 'import secrets; print(secrets.token_urlsafe(32))')" \
        uvicorn link_by_email:app

The address holds the ticket, and access logs hold the address: run it with `--no-access-log`, or
leave `/whatsapp/` out of your proxy's log.
"""

import json
import os
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Annotated, TypedDict

from fastapi import Depends, FastAPI, HTTPException, Request

from plugchat_async import AsyncPlugChat
from plugchat_async.fastapi import PairingLinks, PairingTicket, pairing_router

# In your app: the tenants' tokens are in its database, encrypted.
TOKENS: dict[str, str] = json.loads(os.environ["TENANT_TOKENS"])
PUBLIC_URL = os.environ["PUBLIC_URL"]

links = PairingLinks(os.environ["LINK_SECRET"])


class State(TypedDict):
    """State that lasts as long as the app."""

    plugchat: AsyncPlugChat


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
    """Open one client: all tenants share its connections."""
    async with AsyncPlugChat(token="a tenant's") as plugchat:  # noqa: S106 - never sent
        yield {"plugchat": plugchat}


def get_client(request: Request, ticket: Annotated[PairingTicket, Depends(links)]) -> AsyncPlugChat:
    """Return the client of the tenant for whom the link was made."""
    plugchat: AsyncPlugChat = request.state.plugchat
    return plugchat.for_token(TOKENS[ticket.subject], name=ticket.subject)


app = FastAPI(lifespan=lifespan)
app.include_router(
    pairing_router(get_client, dependencies=[], links=links),
    prefix="/whatsapp/{ticket}",
)


# In your app: for its staff alone.
@app.post("/invitations/{tenant}", status_code=204)
def invite(tenant: str, email: str) -> None:
    """Send a customer the link to their page."""
    if tenant not in TOKENS:
        raise HTTPException(404)
    message = EmailMessage()
    message["Subject"] = "Link your WhatsApp"
    message["From"] = "Acme <hello@acme.example>"
    message["To"] = email
    message.set_content(
        "Open this link on a computer, with your phone at hand. It is valid for 24 hours.\n\n"
        f"{PUBLIC_URL}/whatsapp/{links.create(tenant, return_url=f'{PUBLIC_URL}/welcome')}\n"
    )
    with smtplib.SMTP("127.0.0.1", int(os.environ["SMTP_PORT"])) as server:
        server.send_message(message)


@app.get("/welcome")
def welcome() -> str:
    """Show the next step: the page opens this after the scan."""
    return "Your WhatsApp is linked. Next: your first message."

"""A Django site under ASGI, with the page mounted beside it and behind Django's own login.

Install the package with the extra [fastapi] as docs/installation.md describes, then

    pip install django uvicorn
    export TENANT_TOKENS='{"ana": "token of ana"}' DJANGO_SECRET_KEY='something secret'
    python django_site.py migrate
    uvicorn django_site:app

In your project: the settings, the URLs and the users are yours; the second half of this file takes
the place of its asgi.py. Run it with `uvicorn` or another ASGI server, not under WSGI.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, TypedDict

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

TOKENS: dict[str, str] = json.loads(os.environ["TENANT_TOKENS"])

settings.configure(
    SECRET_KEY=os.environ["DJANGO_SECRET_KEY"],
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("DATABASE", "django_site.sqlite3"),
        }
    },
    LOGIN_URL="/accounts/login/",
)
django.setup()

from django.contrib.auth import aget_user, alogin, get_user_model  # noqa: E402 - needs the settings
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402


async def log_in(request: HttpRequest, name: str) -> HttpResponse:
    """Sign anybody in. In your project: its own login."""
    user, _ = await get_user_model().objects.aget_or_create(username=name)
    await alogin(request, user)
    return HttpResponse(f"Welcome, {name}")


async def welcome(_: HttpRequest) -> HttpResponse:
    """Show that Django serves the rest."""
    return HttpResponse('<a href="/whatsapp">Link your WhatsApp</a>')


urlpatterns = [path("login/<name>", log_in), path("", welcome)]

# From here on: asgi.py.

from fastapi import Depends, FastAPI, HTTPException, Request  # noqa: E402

from plugchat_async import AsyncPlugChat  # noqa: E402
from plugchat_async.fastapi import pairing_router  # noqa: E402


class State(TypedDict):
    """State that lasts as long as the site."""

    plugchat: AsyncPlugChat


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
    """Open one client: Django has no lifespan, so the app around it has one."""
    async with AsyncPlugChat(token="a tenant's") as plugchat:  # noqa: S106 - never sent
        yield {"plugchat": plugchat}


async def require_login(request: Request) -> str:
    """Return who is signed in at Django, by its session's cookie."""
    django_request = HttpRequest()
    django_request.session = SessionStore(request.cookies.get(settings.SESSION_COOKIE_NAME))
    user = await aget_user(django_request)
    if not user.is_authenticated:
        raise HTTPException(401, "sign in first")
    return user.get_username()


def get_client(request: Request, name: Annotated[str, Depends(require_login)]) -> AsyncPlugChat:
    """Return the client of the one who is signed in."""
    plugchat: AsyncPlugChat = request.state.plugchat
    return plugchat.for_token(TOKENS[name], name=name)


app = FastAPI(lifespan=lifespan)
app.include_router(
    pairing_router(get_client, dependencies=[Depends(require_login)], return_url="/"),
    prefix="/whatsapp",
)
app.mount("/", get_asgi_application())  # type: ignore[arg-type]  # narrower than ASGI's own

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line()

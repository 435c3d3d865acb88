"""App with the page, copied to where a server runs it; it notes when its lifespan is open."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI

from plugchat_async.fastapi import pairing_router
from plugchat_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

client = Sandbox().client()


def note(word: str) -> None:
    """Write down what happened, after what is there."""
    with Path("lifespans").open("a", encoding="utf-8") as file:
        file.write(f"{word} {os.getpid()}\n")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    """Note the lifespan."""
    note("opened")
    yield
    note("closed")


app = FastAPI(lifespan=lifespan)
app.include_router(pairing_router(lambda: client, dependencies=[]), prefix="/whatsapp")

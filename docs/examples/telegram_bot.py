"""A Telegram bot that links a WhatsApp number: `/link` shows the codes in one message.

Install the package as docs/installation.md describes, then

    pip install 'aiogram>=3.31'
    TELEGRAM_TOKEN=... PLUGCHAT_TOKEN=... ALLOWED_USERS=11111111,22222222 python telegram_bot.py

It answers the users in ALLOWED_USERS only, and in private, since whoever sees a code can link a
phone.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from aiogram import Bot, Dispatcher, F, Router, types
from aiogram.exceptions import AiogramError, TelegramRetryAfter
from aiogram.filters import Command

from plugchat_async import (
    AsyncPlugChat,
    Connected,
    Expired,
    Failed,
    PairingHub,
    PairingOutcome,
    ShowingCode,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from aiogram.client.session.middlewares.base import NextRequestMiddlewareType
    from aiogram.methods import Response, TelegramMethod
    from aiogram.methods.base import TelegramType

    from plugchat_async import PairingEnd, PairingState, QRCode

logger = logging.getLogger(__name__)

# The prefix keeps them apart from the buttons of a bot that this one becomes a part of.
PREFIX = "plugchat:"
CANCEL = f"{PREFIX}cancel"
AGAIN = f"{PREFIX}again"


@dataclass(frozen=True)
class Words:
    """Sentences of the bot, in one language."""

    caption: str
    refused: str
    interrupted: str
    cancelled: str
    cancel: str
    again: str
    connected: str
    already_connected: str
    expired: str
    advice: dict[str, str]
    other_advice: str

    def of(self, ending: Connected | Expired | Failed) -> str:
        """Return what happened, and what the person can do."""
        match ending:
            case Connected(already=already):
                return self.already_connected if already else self.connected
            case Expired():
                return self.expired
            case Failed(code=code):
                return f"{self.advice.get(code, self.other_advice)} ({code})"


PORTUGUESE = Words(
    caption="Código {qr.round} de {qr.rounds}, vale por {qr.expires_in:.0f} segundos. "
    "No celular: WhatsApp, Dispositivos conectados (ou Aparelhos conectados), "
    "Conectar dispositivo.",
    refused="Só pessoas autorizadas podem fazer isso, e em conversa privada. O seu id é {id}.",
    interrupted="O QR Code não pôde ser mostrado aqui. Tente novamente.",
    cancelled="Cancelado. Envie /link para recomeçar.",
    cancel="Cancelar",
    again="Gerar novo QR Code",
    connected="WhatsApp conectado! ✅",
    already_connected="O WhatsApp já estava conectado.",
    expired="Ninguém escaneou a tempo. Pegue o celular e gere um novo QR Code.",
    advice={
        "authentication_error": "O PlugChat recusou o token deste bot. Avise quem cuida dele.",
        "instance_not_found": "O PlugChat não encontrou a instância. Avise quem cuida deste bot.",
        "passkey_required": "O WhatsApp pediu uma chave de acesso. Avise quem cuida deste bot.",
        "rate_limited": "Muitas tentativas em pouco tempo. Espere alguns minutos.",
        "subscription_required": "Conexão indisponível no momento. Avise quem cuida deste bot.",
    },
    other_advice="Não foi possível gerar um QR Code. Espere um pouco e tente novamente.",
)
ENGLISH = Words(
    caption="Code {qr.round} of {qr.rounds}, valid for {qr.expires_in:.0f} seconds. "
    "On the phone: WhatsApp, Linked devices, Link a device.",
    refused="Only authorized people can do this, in a private chat. Your id is {id}.",
    interrupted="The QR code could not be shown here. Try again.",
    cancelled="Cancelled. Send /link to start again.",
    cancel="Cancel",
    again="New QR code",
    connected="WhatsApp is linked! ✅",
    already_connected="WhatsApp was linked already.",
    expired="No code was scanned. Get your phone, and request a new code.",
    advice={
        "authentication_error": "PlugChat refused this bot's token. Tell whoever runs the bot.",
        "instance_not_found": "PlugChat did not find the instance. Tell whoever runs the bot.",
        "passkey_required": "WhatsApp asked for a passkey. Tell whoever runs the bot.",
        "rate_limited": "Too many attempts. Wait for a few minutes.",
        "subscription_required": "Linking is not available now. Tell whoever runs the bot.",
    },
    other_advice="No QR code could be generated. Wait a little, and try again.",
)


def words_for(language: str | None) -> Words:
    """Return Portuguese unless the person's app speaks another language."""
    return PORTUGUESE if (language or "pt").startswith("pt") else ENGLISH


def button(text: str, data: str) -> types.InlineKeyboardMarkup:
    """Lay one button under a message."""
    key = types.InlineKeyboardButton(text=text, callback_data=data)
    return types.InlineKeyboardMarkup(inline_keyboard=[[key]])


class Conversation:
    """Show one person the codes, in one message, until the end or until they leave."""

    def __init__(self, bot: Bot, user: types.User) -> None:
        self.bot = bot
        self.user_id = user.id
        self.words = words_for(user.language_code)
        self.image: types.Message | None = None
        self.scope = anyio.CancelScope()
        self.over = anyio.Event()

    async def run(self, states: AsyncIterator[PairingState]) -> None:
        """Follow the session, whatever becomes of the image."""
        try:
            with self.scope:
                await self.follow(states)
        finally:
            await self.remove_image()
            self.over.set()

    async def follow(self, states: AsyncIterator[PairingState]) -> None:
        """Show each code, and how it ended."""
        try:
            async for state in states:
                if isinstance(state, ShowingCode):
                    await self.show(state.qr)
                elif isinstance(state, Connected | Expired | Failed):
                    return await self.end(
                        self.words.of(state), with_button=not isinstance(state, Connected)
                    )
        except AiogramError as error:  # the image was deleted, the bot blocked, …
            logger.warning("no code could be shown to %d: %s", self.user_id, error)
            with suppress(AiogramError):
                await self.end(self.words.interrupted)

    async def show(self, qr: QRCode) -> None:
        """Send the first code's image; turn it into that of each later one."""
        file = types.BufferedInputFile(qr.png(), "code.png")
        text = self.words.caption.format(qr=qr)
        cancel = button(self.words.cancel, CANCEL)
        if self.image is not None:
            media = types.InputMediaPhoto(media=file, caption=text)
            await self.image.edit_media(media, reply_markup=cancel)
            return
        # An image that was sent, but whose id never came back, could not be deleted.
        with anyio.CancelScope(shield=True):
            self.image = await self.bot.send_photo(
                self.user_id, file, caption=text, protect_content=True, reply_markup=cancel
            )

    async def end(self, text: str, *, with_button: bool = True) -> None:
        """Replace the image by a text."""
        await self.remove_image()
        again = button(self.words.again, AGAIN) if with_button else None
        await self.bot.send_message(self.user_id, text, reply_markup=again)

    async def remove_image(self) -> None:
        """Delete the image, since a code is a secret, and an expired one is useless."""
        if self.image is not None:
            with anyio.move_on_after(20), suppress(AiogramError):
                await self.image.delete()
            self.image = None

    async def leave(self) -> None:
        """End it now, and wait until the image is gone."""
        self.scope.cancel()
        await self.over.wait()


async def link(
    event: types.Message | types.CallbackQuery,
    *,
    bot: Bot,
    event_from_user: types.User,
    client: AsyncPlugChat,
    hub: PairingHub,
    conversations: dict[int, Conversation],
) -> None:
    """Show the codes to the person; a second request replaces the first."""
    if isinstance(event, types.CallbackQuery):
        await event.answer()
    user_id = event_from_user.id
    former = conversations.get(user_id)
    conversation = conversations[user_id] = Conversation(bot, event_from_user)
    if former is not None:
        await former.leave()
    await hub.restart(client)  # a session that has ended; one that runs is joined
    async with hub.watch(client) as states:
        await conversation.run(states)


async def cancel(
    query: types.CallbackQuery, event_from_user: types.User, conversations: dict[int, Conversation]
) -> None:
    """Leave; the session ends soon after, unless somebody else is watching."""
    if conversation := conversations.get(event_from_user.id):
        await conversation.leave()
    await query.answer(words_for(event_from_user.language_code).cancelled)


async def refuse(event: types.Message | types.CallbackQuery, event_from_user: types.User) -> None:
    """Turn away strangers, and groups, in which everybody would see the code."""
    words = words_for(event_from_user.language_code)
    await event.answer(words.refused.format(id=event_from_user.id))


async def leave_all(conversations: dict[int, Conversation]) -> None:
    """Leave no image behind when the bot stops."""
    await asyncio.gather(*(conversation.leave() for conversation in conversations.values()))


async def obey_flood_limit(
    make_request: NextRequestMiddlewareType[TelegramType],
    bot: Bot,
    method: TelegramMethod[TelegramType],
) -> Response[TelegramType]:
    """Wait for as long as Telegram asks, unless the code would have expired by then."""
    try:
        return await make_request(bot, method)
    except TelegramRetryAfter as limit:
        if limit.retry_after > 20:
            raise
        await anyio.sleep(limit.retry_after)
        return await make_request(bot, method)


def make_router(allowed_users: Collection[int]) -> Router:
    """Register who may do what."""
    allowed = F.from_user.id.in_(allowed_users)
    router = Router()
    router.message.register(link, Command("link"), F.chat.type == "private", allowed)
    router.message.register(refuse, Command("link"))
    router.callback_query.register(link, F.data == AGAIN, allowed)
    router.callback_query.register(cancel, F.data == CANCEL, allowed)
    router.callback_query.register(refuse, F.data.startswith(PREFIX))
    router.shutdown.register(leave_all)
    return router


def make_dispatcher(
    client: AsyncPlugChat, hub: PairingHub, allowed_users: Collection[int]
) -> Dispatcher:
    """Return the dispatcher of a bot that does nothing else."""
    dispatcher = Dispatcher(client=client, hub=hub, conversations={})
    dispatcher.include_router(make_router(allowed_users))
    return dispatcher


def remember(_client: AsyncPlugChat, ending: PairingEnd) -> None:
    """In your bot: store that the phone was linked, which may be after everybody has left."""
    if ending.outcome is PairingOutcome.CONNECTED:
        logger.info("the phone was linked at %s", ending.ended_at)


async def main() -> None:
    """Run until Ctrl-C or SIGTERM."""
    if missing := {"ALLOWED_USERS", "TELEGRAM_TOKEN"} - os.environ.keys():
        raise SystemExit(f"Set {' and '.join(sorted(missing))}.")
    allowed_users = {int(user) for user in os.environ["ALLOWED_USERS"].split(",")}
    async with (
        AsyncPlugChat() as client,
        PairingHub(on_end=remember) as hub,
        Bot(os.environ["TELEGRAM_TOKEN"]) as bot,
    ):
        bot.session.middleware(obey_flood_limit)
        # Nobody waits any more for what they asked while the bot was down.
        await bot.delete_webhook(drop_pending_updates=True)
        await make_dispatcher(client, hub, allowed_users).start_polling(bot)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())

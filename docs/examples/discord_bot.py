"""A Discord bot that links a WhatsApp number: `/link` shows the codes in one message.

Install the package as docs/installation.md describes, then

    pip install 'discord.py>=2.7'
    DISCORD_TOKEN=... PLUGCHAT_TOKEN=... ALLOWED_USERS=11111111,22222222 python discord_bot.py

It answers the users in ALLOWED_USERS only, and in messages that nobody else sees, since whoever
sees a code can link a phone.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import aiohttp
import anyio
import discord
from discord import app_commands
from discord.utils import MISSING

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

    from plugchat_async import PairingEnd, PairingState, QRCode

logger = logging.getLogger(__name__)

# discord.py hands on what its HTTP library raises.
DISCORD_FAILED = (discord.DiscordException, aiohttp.ClientError, OSError)


@dataclass(frozen=True)
class Words:
    """Sentences of the bot, in one language."""

    caption: str
    fetching: str
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
    fetching="Gerando um QR Code…",
    refused="Este comando é só para pessoas autorizadas. O seu id é {id}.",
    interrupted="O QR Code não pôde ser mostrado aqui. Tente novamente.",
    cancelled="Cancelado. Use /link para recomeçar.",
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
    fetching="Requesting a QR code…",
    refused="This command is for authorized people only. Your id is {id}.",
    interrupted="The QR code could not be shown here. Try again.",
    cancelled="Cancelled. Use /link to start again.",
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


def words_for(locale: discord.Locale) -> Words:
    """Return what to say in the language of the person's app."""
    return PORTUGUESE if locale is discord.Locale.brazil_portuguese else ENGLISH


class Conversation(discord.ui.View):
    """Show one person the codes, in one message, until the end or until they leave."""

    def __init__(self, interaction: discord.Interaction[LinkBot]) -> None:
        super().__init__(timeout=None)
        self.interaction = interaction
        self.words = words_for(interaction.locale)
        self.cancel.label = self.words.cancel
        self.has_message = True
        self.scope = anyio.CancelScope()
        self.over = anyio.Event()

    async def run(self, states: AsyncIterator[PairingState]) -> None:
        """Follow the session, whatever becomes of the image."""
        try:
            with self.scope:
                await self.follow(states)
        finally:
            await self.remove_image()
            self.stop()
            self.over.set()

    async def follow(self, states: AsyncIterator[PairingState]) -> None:
        """Show each code, and how it ended."""
        try:
            async for state in states:
                if isinstance(state, ShowingCode):
                    await self.show(state.qr)
                elif isinstance(state, Connected | Expired | Failed):
                    view = MISSING if isinstance(state, Connected) else Again(self.words)
                    return await self.end(self.words.of(state), view)
        except DISCORD_FAILED as error:  # the message is gone, Discord is down, …
            logger.warning("no code could be shown to %d: %s", self.interaction.user.id, error)
            with suppress(*DISCORD_FAILED):
                await self.end(self.words.interrupted, Again(self.words))

    async def show(self, qr: QRCode) -> None:
        """Turn the one message into the image of a code."""
        image = discord.File(io.BytesIO(qr.png()), "code.png")
        # discord.py waits for as long as a rate limit lasts, but nobody needs an expired code.
        with anyio.fail_after(qr.expires_in):
            await self.interaction.edit_original_response(
                content=self.words.caption.format(qr=qr), attachments=[image], view=self
            )

    async def end(self, text: str, view: discord.ui.View) -> None:
        """Replace the image by a text."""
        await self.remove_image()
        await self.interaction.followup.send(text, view=view, ephemeral=True)

    async def remove_image(self) -> None:
        """Delete the image, since a code is a secret, and an expired one is useless."""
        if self.has_message:
            with anyio.move_on_after(20), suppress(*DISCORD_FAILED):
                await self.interaction.delete_original_response()
            self.has_message = False

    async def leave(self) -> None:
        """End it now, and wait until the image is gone."""
        self.scope.cancel()
        await self.over.wait()

    @discord.ui.button()
    async def cancel(
        self, interaction: discord.Interaction[LinkBot], _button: discord.ui.Button[Self]
    ) -> None:
        """Leave; the session ends soon after, unless somebody else is watching."""
        await interaction.response.send_message(self.words.cancelled, ephemeral=True)
        await self.leave()


class Again(discord.ui.View):
    """Offer to start again, also after the bot was restarted: hence no time-out and a name."""

    def __init__(self, words: Words) -> None:
        super().__init__(timeout=None)
        self.again.label = words.again

    @discord.ui.button(custom_id="plugchat:again")
    async def again(
        self, interaction: discord.Interaction[LinkBot], _button: discord.ui.Button[Self]
    ) -> None:
        """Do as `/link` does."""
        await interaction.client.begin(interaction)


@app_commands.command(
    name="link", description="Link a WhatsApp number / Conectar um número de WhatsApp"
)
async def link(interaction: discord.Interaction[LinkBot]) -> None:
    """Show the codes to the person."""
    await interaction.client.begin(interaction)


class LinkBot(discord.Client):
    """Reply to `/link` from allowed users."""

    def __init__(
        self, plugchat: AsyncPlugChat, hub: PairingHub, allowed_users: Collection[int]
    ) -> None:
        super().__init__(intents=discord.Intents(guilds=True))
        self.plugchat = plugchat
        self.hub = hub
        self.allowed_users = allowed_users
        self.conversations: dict[int, Conversation] = {}
        self.tree = app_commands.CommandTree(self)
        self.tree.add_command(link)

    async def setup_hook(self) -> None:
        """Tell Discord of the command."""
        self.add_view(Again(PORTUGUESE))
        await self.tree.sync()

    async def begin(self, interaction: discord.Interaction[LinkBot]) -> None:
        """Start a conversation, which replaces another one with the same person."""
        user_id = interaction.user.id
        if user_id not in self.allowed_users:
            refused = words_for(interaction.locale).refused.format(id=user_id)
            await interaction.response.send_message(refused, ephemeral=True)
            return
        former = self.conversations.get(user_id)
        conversation = Conversation(interaction)
        await interaction.response.send_message(
            conversation.words.fetching, view=conversation, ephemeral=True
        )
        self.conversations[user_id] = conversation
        if former is not None:
            await former.leave()
        await self.hub.restart(self.plugchat)  # a session that has ended; one that runs is joined
        async with self.hub.watch(self.plugchat) as states:
            await conversation.run(states)

    async def close(self) -> None:
        """Leave no image behind when the bot stops."""
        await asyncio.gather(
            *(conversation.leave() for conversation in self.conversations.values())
        )
        await super().close()


def remember(_client: AsyncPlugChat, ending: PairingEnd) -> None:
    """In your bot: store that the phone was linked, which may be after everybody has left."""
    if ending.outcome is PairingOutcome.CONNECTED:
        logger.info("the phone was linked at %s", ending.ended_at)


async def main() -> None:
    """Run until Ctrl-C or SIGTERM."""
    if missing := {"ALLOWED_USERS", "DISCORD_TOKEN"} - os.environ.keys():
        raise SystemExit(f"Set {' and '.join(sorted(missing))}.")
    allowed_users = {int(user) for user in os.environ["ALLOWED_USERS"].split(",")}
    async with (
        AsyncPlugChat() as plugchat,
        PairingHub(on_end=remember) as hub,
        LinkBot(plugchat, hub, allowed_users) as bot,
    ):
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(signal.SIGTERM, lambda: loop.create_task(bot.close()))
        await bot.start(os.environ["DISCORD_TOKEN"])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())

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

CAPTION = (
    "Código {qr.round} de {qr.rounds}, vale por {qr.expires_in:.0f} segundos. "
    "No celular: WhatsApp, Aparelhos conectados, Conectar um aparelho."
)
FETCHING = "Buscando um código…"
REFUSED = "Este comando é só para pessoas autorizadas. O seu id é {id}."
CANCELLED = "Cancelado. Use /link para recomeçar."
INTERRUPTED = "O código não pôde ser mostrado aqui. Você pode recomeçar."
ADVICE = {
    "authentication_error": "O PlugChat recusou o token deste bot. Avise quem cuida dele.",
    "instance_not_found": "O PlugChat não conhece esta instância. Avise quem cuida deste bot.",
    "passkey_required": "O WhatsApp pediu uma chave de acesso. Avise quem cuida deste bot.",
    "rate_limited": "Foram pedidos códigos demais. Espere alguns minutos antes de recomeçar.",
    "subscription_required": "A assinatura não está ativa. Renove-a no painel do PlugChat.",
}
OTHER_ADVICE = "Não foi possível obter um código. Espere um pouco e recomece."


def words(ending: Connected | Expired | Failed) -> str:
    """Say what happened, and what the person can do."""
    match ending:
        case Connected(already=already):
            return "O WhatsApp já estava conectado." if already else "WhatsApp conectado! ✅"
        case Expired():
            return "Nenhum código foi lido. Tenha o celular à mão e continue."
        case Failed(code=code):
            return f"{ADVICE.get(code, OTHER_ADVICE)} ({code})"


class Conversation(discord.ui.View):
    """Show one person the codes, in one message, until the end or until they leave."""

    def __init__(self, interaction: discord.Interaction[LinkBot]) -> None:
        super().__init__(timeout=None)
        self.interaction = interaction
        self.has_message = True
        self.scope = anyio.CancelScope()
        self.over = anyio.Event()

    async def run(self, states: AsyncIterator[PairingState]) -> None:
        """Follow the session, whatever becomes of the picture."""
        try:
            with self.scope:
                await self.follow(states)
        finally:
            await self.remove_picture()
            self.stop()
            self.over.set()

    async def follow(self, states: AsyncIterator[PairingState]) -> None:
        """Show each code, and tell the end in words."""
        try:
            async for state in states:
                if isinstance(state, ShowingCode):
                    await self.show(state.qr)
                elif isinstance(state, Connected | Expired | Failed):
                    view = MISSING if isinstance(state, Connected) else Again()
                    return await self.end(words(state), view)
        except DISCORD_FAILED as error:  # the message is gone, Discord is down, …
            logger.warning("no code could be shown to %d: %s", self.interaction.user.id, error)
            with suppress(*DISCORD_FAILED):
                await self.end(INTERRUPTED, Again())

    async def show(self, qr: QRCode) -> None:
        """Turn the one message into the picture of a code."""
        picture = discord.File(io.BytesIO(qr.png()), "code.png")
        # discord.py waits for as long as a rate limit lasts, but nobody needs an expired code.
        with anyio.fail_after(qr.expires_in):
            await self.interaction.edit_original_response(
                content=CAPTION.format(qr=qr), attachments=[picture], view=self
            )

    async def end(self, text: str, view: discord.ui.View) -> None:
        """Put words in the place of the picture."""
        await self.remove_picture()
        await self.interaction.followup.send(text, view=view, ephemeral=True)

    async def remove_picture(self) -> None:
        """Delete the picture, since a code is a secret, and an expired one is of no use."""
        if self.has_message:
            with anyio.move_on_after(20), suppress(*DISCORD_FAILED):
                await self.interaction.delete_original_response()
            self.has_message = False

    async def leave(self) -> None:
        """End it now, and wait until the picture is gone."""
        self.scope.cancel()
        await self.over.wait()

    @discord.ui.button(label="Cancelar")
    async def cancel(
        self, interaction: discord.Interaction[LinkBot], _button: discord.ui.Button[Self]
    ) -> None:
        """Leave; the session ends soon after, unless somebody else is watching."""
        await interaction.response.send_message(CANCELLED, ephemeral=True)
        await self.leave()


class Again(discord.ui.View):
    """Offer to start again, also after the bot was restarted: hence no time-out and a name."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Gerar novos códigos", custom_id="again")
    async def again(
        self, interaction: discord.Interaction[LinkBot], _button: discord.ui.Button[Self]
    ) -> None:
        """Do as `/link` does."""
        await interaction.client.begin(interaction)


@app_commands.command(name="link", description="Conectar um número de WhatsApp")
async def link(interaction: discord.Interaction[LinkBot]) -> None:
    """Show the codes to who asked."""
    await interaction.client.begin(interaction)


class LinkBot(discord.Client):
    """Answer `/link` to the people who may."""

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
        self.add_view(Again())
        await self.tree.sync()

    async def begin(self, interaction: discord.Interaction[LinkBot]) -> None:
        """Start a conversation, which takes the place of another one with the same person."""
        user_id = interaction.user.id
        if user_id not in self.allowed_users:
            await interaction.response.send_message(REFUSED.format(id=user_id), ephemeral=True)
            return
        former = self.conversations.get(user_id)
        conversation = Conversation(interaction)
        await interaction.response.send_message(FETCHING, view=conversation, ephemeral=True)
        self.conversations[user_id] = conversation
        if former is not None:
            await former.leave()
        await self.hub.restart(self.plugchat)  # a session that has ended; one that runs is joined
        async with self.hub.watch(self.plugchat) as states:
            await conversation.run(states)

    async def close(self) -> None:
        """Leave no picture behind when the bot stops."""
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

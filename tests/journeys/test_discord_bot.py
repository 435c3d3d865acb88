"""The documentation's Discord bot, run against a stand-in for Discord: its API and its gateway."""

from __future__ import annotations

import json
import os
import signal
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import discord
import pytest
import yarl
from aiohttp import BodyPartReader, WSMsgType, web

from plugchat_async.sandbox import Sandbox
from tests.eventually import eventually
from tests.keyword_arguments import HubArguments
from tests.sandbox_calls import codes_requested

from .around_a_bot import (
    AGAIN,
    ANA,
    BIA,
    FAILURES,
    LANGUAGES,
    STRANGER,
    Service,
    Shown,
    World,
    load_example,
    serving,
    serving_plugchat,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager
    from typing import Unpack

    from aiohttp.typedefs import Handler


BOT_TOKEN = "the-token-of-the-bot"

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.bots,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


discord_bot = load_example("discord_bot")


@dataclass
class Interaction:
    """A command or a press of a button, and the response to it."""

    user: int
    original: int | None = None


@dataclass
class Discord(Service):
    """Double of Discord: the parts of its API and its gateway that the bot uses, and its users."""

    announcement: str | None = discord_bot.PORTUGUESE.fetching
    calls: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    interactions: dict[str, Interaction] = field(default_factory=dict)
    refusals: dict[str, deque[web.Response]] = field(default_factory=dict)
    gateway: web.WebSocketResponse | None = None
    held: anyio.Event | None = None
    deletions: int = 0
    events_sent: int = 0
    messages_sent: int = 100

    # What its users do.

    async def says(self, user: int) -> None:
        """Use the command."""
        await self._begin(user, 2, {"id": "7", "name": "link", "type": 1})

    async def presses(self, user: int, label: str, custom_id: str | None = None) -> None:
        """Press a button of the latest message that has it, or one remembered from before."""
        shown = self.messages(user)[-1] if custom_id is None else Shown(1, "", None, {})
        data = {"custom_id": custom_id or shown.buttons[label], "component_type": 2}
        await self._begin(user, 3, data, message=_message(shown))

    # Responses to the bot.

    def refuse_next(self, call: str, status: int, **data: object) -> None:
        """Respond to the next call of an endpoint with an error."""
        self.refusals.setdefault(call, deque()).append(_json(data, status))

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[str]:
        """Serve over a socket."""
        application = web.Application(middlewares=[self._record])
        original = "/webhooks/4242/{token}/messages/@original"
        application.add_routes(
            [
                web.get("/users/@me", self._me),
                web.get("/oauth2/applications/@me", self._application),
                web.put("/applications/4242/commands", self._sync),
                web.get("/gateway/", self._gateway),
                web.post("/interactions/{id}/{token}/callback", self._respond),
                web.patch(original, self._edit),
                web.delete(original, self._delete),
                web.post("/webhooks/4242/{token}", self._follow_up),
            ]
        )
        async with serving(application) as address:
            yield address

    @web.middleware
    async def _record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        name = handler.__name__.removeprefix("_")
        response: web.StreamResponse
        if self.refusals.get(name):
            response = self.refusals[name].popleft()
        else:
            response = await handler(request)
        self.calls.append(name)
        self.wake()
        return response

    async def _me(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bot {BOT_TOKEN}"
        return _json(_user(4242))

    async def _application(self, _request: web.Request) -> web.Response:
        about = {"id": "4242", "name": "Link", "description": "", "icon": None, "flags": 0}
        rights = {"bot_public": True, "bot_require_code_grant": False, "verify_key": ""}
        return _json({**about, **rights, "owner": _user(1)})

    async def _sync(self, request: web.Request) -> web.Response:
        commands = await request.json()
        self.commands = [command["name"] for command in commands]
        more = {"id": "7", "application_id": "4242", "version": "1"}
        return _json([{**command, **more} for command in commands])

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 45000}})
        async for message in socket:
            assert message.type is WSMsgType.TEXT
            if json.loads(message.data)["op"] == 2:
                ready = {"v": 10, "user": _user(4242), "guilds": [], "session_id": "1"}
                self.gateway = socket
                await self._dispatch("READY", {**ready, "resume_gateway_url": "ws://127.0.0.1"})
        return socket

    async def _respond(self, request: web.Request) -> web.Response:
        interaction = self.interactions[request.match_info["token"]]
        response = await request.json()
        assert response["data"]["flags"] == 64  # for the eyes of one person only
        shown = self._show(interaction, response["data"])
        interaction.original = shown.id
        return _json({"interaction": {"id": request.match_info["id"], "type": 2}})

    async def _edit(self, request: web.Request) -> web.Response:
        interaction = self.interactions[request.match_info["token"]]
        shown = self.screens[interaction.user].get(interaction.original or 0)
        if shown is None:
            return _unknown_message()
        parts = {}
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            parts[part.name] = bytes(await part.read())
        payload = json.loads(parts["payload_json"])
        assert payload["attachments"] == [{"id": 0, "filename": "code.png"}]
        shown.text, shown.image = payload["content"], parts["files[0]"]
        shown.buttons = _buttons(payload)
        self.remember(shown)
        return _json(_message(shown))

    async def _delete(self, request: web.Request) -> web.Response:
        self.deletions += 1
        self.wake()
        if self.held is not None:
            await self.held.wait()
        interaction = self.interactions[request.match_info["token"]]
        if self.screens[interaction.user].pop(interaction.original or 0, None) is None:
            return _unknown_message()
        return web.Response(status=204)

    async def _follow_up(self, request: web.Request) -> web.Response:
        payload = await request.json()
        assert payload["flags"] == 64
        shown = self._show(self.interactions[request.match_info["token"]], payload)
        return _json(_message(shown))

    def _show(self, interaction: Interaction, payload: dict[str, Any]) -> Shown:
        self.messages_sent += 1
        shown = Shown(self.messages_sent, payload.get("content", ""), None, _buttons(payload))
        self.screens.setdefault(interaction.user, {})[shown.id] = shown
        self.remember(shown)
        return shown

    async def _begin(self, user: int, kind: int, data: dict[str, Any], **more: object) -> None:
        number = str(len(self.interactions) + 1)
        self.interactions[f"token-{number}"] = Interaction(user)
        about = {"id": number, "token": f"token-{number}", "type": kind, "version": 1}
        place = {"application_id": "4242", "attachment_size_limit": 1, "user": _user(user)}
        place["locale"] = LANGUAGES[user]
        await self._dispatch("INTERACTION_CREATE", {**about, **place, "data": data, **more})

    async def _dispatch(self, event: str, data: dict[str, Any]) -> None:
        assert self.gateway is not None
        self.events_sent += 1
        await self.gateway.send_json({"op": 0, "t": event, "s": self.events_sent, "d": data})
        self.wake()


def _json(data: object, status: int = 200) -> web.Response:
    # discord.py reads no JSON that has a charset, and obeys no rate limit but of a proxy's.
    headers = {"Content-Type": "application/json", "Via": "1.1 the-stand-in"}
    return web.Response(body=json.dumps(data).encode(), status=status, headers=headers)


def _user(user: int) -> dict[str, Any]:
    return {"id": str(user), "username": "someone", "discriminator": "0", "avatar": None}


def _buttons(payload: dict[str, Any]) -> dict[str, str]:
    return {
        button["label"]: button["custom_id"]
        for row in payload.get("components", [])
        for button in row["components"]
    }


def _message(shown: Shown) -> dict[str, Any]:
    empty: dict[str, Any] = {
        name: [] for name in ("attachments", "embeds", "mentions", "mention_roles", "components")
    }
    flags = {"pinned": False, "tts": False, "mention_everyone": False, "flags": 64, "type": 0}
    when = {"timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": None}
    about = {"id": str(shown.id), "channel_id": "1", "author": _user(4242), "content": shown.text}
    return {**empty, **flags, **when, **about}


def _unknown_message() -> web.Response:
    return _json({"code": 10008, "message": "Unknown Message"}, 404)


@dataclass
class DiscordWorld(World):
    """All that takes part in a test."""

    discord: Discord


class RunBot(Protocol):
    """Run the bot until the block ends."""

    def __call__(
        self, **options: Unpack[HubArguments]
    ) -> AbstractAsyncContextManager[DiscordWorld]: ...


@pytest.fixture
def point_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Point discord.py to the stand-in."""

    def point(address: str) -> None:
        monkeypatch.setattr(discord.http.Route, "BASE", f"http://{address}")
        gateway = yarl.URL(f"ws://{address}/gateway/")
        monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", gateway)

    return point


@pytest.fixture
def running(point_to: Callable[[str], None]) -> RunBot:
    """Give a way to run the bot."""

    @asynccontextmanager
    async def run(**options: Unpack[HubArguments]) -> AsyncGenerator[DiscordWorld]:
        stand_in = Discord()
        async with (
            stand_in.serve() as address,
            serving_plugchat(**options) as (sandbox, hub, client),
            anyio.create_task_group() as tasks,
        ):
            point_to(address)
            async with discord_bot.LinkBot(client, hub, {ANA, BIA}) as bot:
                tasks.start_soon(bot.start, BOT_TOKEN)
                await stand_in.until(lambda: stand_in.gateway)
                yield DiscordWorld(sandbox, hub, client, stand_in)

    return run


async def test_a_scan(running: RunBot) -> None:
    """The image is deleted, and words tell that it worked."""
    async with running() as world:
        assert world.discord.commands == ["link"]
        await world.discord.says(ANA)
        image = await world.discord.image_for(ANA)
        assert image.text.startswith("Código 1 de 3, vale por ")
        assert world.sandbox.scan(image.code())
        words = await world.discord.words_for(ANA)
        assert words.text == "WhatsApp conectado! ✅"
        assert words.buttons == {}
        assert world.discord.messages(ANA) == [words]
    assert world.discord.calls[3:7] == ["respond", "edit", "delete", "follow_up"]


async def test_three_codes_in_one_message_then_the_button(running: RunBot) -> None:
    """Each code replaces the one before, and the button starts again."""
    async with running(interval=1) as world:
        await world.discord.says(ANA)
        words = await world.discord.words_for(ANA)
        images = [shown for shown in world.discord.history if shown.image]
        assert len({image.id for image in images}) == 1
        for number, image in enumerate(images, 1):
            assert image.text.startswith(f"Código {number} de 3")
        assert len({image.code() for image in images}) == 3
        assert words.text.startswith("Ninguém escaneou a tempo")
        assert world.discord.calls.count("respond") == 1
        assert world.discord.calls.count("edit") == 3
        await world.discord.presses(ANA, AGAIN)
        again = await world.discord.image_for(ANA)
        assert world.sandbox.scan(again.code())
        connected = await world.discord.words_for(ANA, after=words.id)
        assert connected.text == "WhatsApp conectado! ✅"


async def test_a_phone_that_is_linked_already(running: RunBot) -> None:
    """There are only words, no image."""
    async with running() as world:
        world.sandbox.answer_next("already_connected")
        await world.discord.says(ANA)
        words = await world.discord.words_for(ANA)
        assert words.text == "O WhatsApp já estava conectado."
        assert world.discord.messages(ANA) == [words]
    assert "edit" not in world.discord.calls


@pytest.mark.parametrize(("response", "text"), FAILURES)
async def test_a_failure(running: RunBot, response: str, text: str) -> None:
    """Words tell what the person can do, with the error code, and a button."""
    async with running() as world:
        world.sandbox.answer_next(response)
        await world.discord.says(ANA)
        words = await world.discord.words_for(ANA)
        assert words.text.startswith(text)
        await world.discord.presses(ANA, AGAIN)
        assert world.sandbox.scan((await world.discord.image_for(ANA)).code())
        await world.discord.words_for(ANA, after=words.id)


async def test_a_button_from_before_a_restart(running: RunBot) -> None:
    """It starts again, though this bot never sent it."""
    async with running() as world:
        await world.discord.presses(ANA, AGAIN, "plugchat:again")
        assert world.sandbox.scan((await world.discord.image_for(ANA)).code())
        await world.discord.words_for(ANA)


async def test_cancelling(running: RunBot) -> None:
    """The image goes, and no more codes are fetched."""
    async with running() as world:
        await world.discord.says(ANA)
        await world.discord.image_for(ANA)
        await world.discord.presses(ANA, "Cancelar")
        await world.discord.until(lambda: "delete" in world.discord.calls)
        assert [shown.text for shown in world.discord.messages(ANA)] == [
            discord_bot.PORTUGUESE.cancelled
        ]
        await world.until_left()


async def test_a_scan_after_everybody_has_left_is_stored(
    running: RunBot, caplog: pytest.LogCaptureFixture
) -> None:
    """By `on_end`: the person has cancelled and then scanned the code all the same."""
    caplog.set_level("INFO", "discord_bot")
    async with running(on_end=discord_bot.remember) as world:
        await world.discord.says(ANA)
        code = (await world.discord.image_for(ANA)).code()
        await world.discord.presses(ANA, "Cancelar")
        await world.until_left()
        assert world.sandbox.scan(code)
        await eventually(lambda: "the phone was linked at" in caplog.text)


async def test_cancelling_while_the_image_is_being_deleted(running: RunBot) -> None:
    """It is deleted all the same."""
    async with running() as world:
        released = world.discord.held = anyio.Event()
        await world.discord.says(ANA)
        assert world.sandbox.scan((await world.discord.image_for(ANA)).code())
        await world.discord.until(lambda: world.discord.deletions == 1)
        await world.discord.presses(ANA, "Cancelar")
        await world.discord.until(lambda: world.discord.deletions == 2)
        released.set()
        await world.discord.until(lambda: "delete" in world.discord.calls)
        assert [shown.text for shown in world.discord.messages(ANA)] == [
            discord_bot.PORTUGUESE.cancelled
        ]


async def test_cancelling_before_the_first_code(running: RunBot) -> None:
    """The button is there from the start."""
    async with running() as world:
        world.sandbox.is_held = True
        await world.discord.says(ANA)
        await world.discord.until(lambda: world.discord.messages(ANA))
        await world.until_held()
        await world.discord.presses(ANA, "Cancelar")
        words = await world.discord.words_for(ANA)
        assert words.text == discord_bot.PORTUGUESE.cancelled
        await world.until_left()
        world.sandbox.is_held = False
    assert "edit" not in world.discord.calls


async def test_strangers_are_refused(running: RunBot) -> None:
    """They start nothing, by the command or by a button, and are told the id to be allowed."""
    async with running() as world:
        await world.discord.says(STRANGER)
        words = await world.discord.words_for(STRANGER)
        assert words.text.endswith("O seu id é 33.")
        await world.discord.presses(STRANGER, AGAIN, "plugchat:again")
        words = await world.discord.words_for(STRANGER, after=words.id)
        assert words.text.endswith("O seu id é 33.")
    assert world.sandbox.calls == ()


async def test_two_people_see_one_session(running: RunBot) -> None:
    """Both see the same code, each in their language, and one leaving does not end it."""
    async with running() as world:
        await world.discord.says(ANA)
        await world.discord.says(BIA)
        hers = await world.discord.image_for(ANA)
        assert (await world.discord.image_for(BIA)).code() == hers.code()
        await world.discord.presses(BIA, "Cancel")
        await world.discord.until(lambda: "delete" in world.discord.calls)
        (cancelled,) = world.discord.messages(BIA)
        await world.discord.says(BIA)
        assert (await world.discord.image_for(BIA)).code() == hers.code()
        assert world.sandbox.scan(hers.code())
        assert "conectado!" in (await world.discord.words_for(ANA)).text
        assert "linked!" in (await world.discord.words_for(BIA, after=cancelled.id)).text
    assert codes_requested(world.sandbox) == 1


async def test_asking_twice(running: RunBot) -> None:
    """The second image replaces the first, and shows the same code."""
    async with running(linger=60) as world:
        await world.discord.says(ANA)
        first = await world.discord.image_for(ANA)
        await world.discord.says(ANA)
        await world.discord.until(lambda: world.discord.calls.count("edit") == 2)
        second = await world.discord.image_for(ANA)
        assert second.code() == first.code()
        assert world.discord.messages(ANA) == [second]


async def test_a_message_that_is_gone(running: RunBot) -> None:
    """The next code finds it gone: the session is left, and words offer to start again."""
    async with running(interval=0.3, max_rounds=100) as world:
        await world.discord.says(ANA)
        await world.discord.image_for(ANA)
        world.discord.deletes(ANA)
        words = await world.discord.words_for(ANA)
        assert words.text == discord_bot.PORTUGUESE.interrupted
        assert list(words.buttons) == [AGAIN]
        await world.until_left()


async def test_an_interaction_that_ran_out(running: RunBot) -> None:
    """Nobody can be told anything, so the session is left."""
    async with running() as world:
        for call in ("edit", "delete", "follow_up"):
            world.discord.refuse_next(call, 401, code=50027, message="Invalid Webhook Token")
        await world.discord.says(ANA)
        await world.discord.until(lambda: "follow_up" in world.discord.calls)
        await world.until_left()


async def test_a_short_rate_limit_is_waited_for(running: RunBot) -> None:
    """Then the message shows the code."""
    async with running() as world:
        world.discord.refuse_next("edit", 429, message="slow down", retry_after=0.2)
        await world.discord.says(ANA)
        assert world.sandbox.scan((await world.discord.image_for(ANA)).code())
        await world.discord.words_for(ANA)


async def test_a_long_rate_limit_ends_it(running: RunBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """No pairing goes on for whom no code can be shown while it lives."""
    monkeypatch.setattr("plugchat_async.QRCode.expires_in", 0.3)
    async with running() as world:
        world.discord.refuse_next("edit", 429, message="slow down", retry_after=3600)
        await world.discord.says(ANA)
        assert (await world.discord.words_for(ANA)).text == discord_bot.PORTUGUESE.interrupted
        await world.until_left()


async def test_the_program_from_its_start_to_its_end(
    point_to: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes its settings from the environment, and leaves no image behind on SIGTERM."""
    stand_in, sandbox = Discord(), Sandbox(tokens=["the-token-of-the-instance"])
    async with stand_in.serve() as address, sandbox.serve() as plugchat_url:
        point_to(address)
        monkeypatch.setenv("DISCORD_TOKEN", BOT_TOKEN)
        monkeypatch.setenv("PLUGCHAT_TOKEN", "the-token-of-the-instance")
        monkeypatch.setenv("PLUGCHAT_BASE_URL", plugchat_url)
        monkeypatch.setenv("ALLOWED_USERS", f"{ANA},{BIA}")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(discord_bot.main)
            await stand_in.until(lambda: stand_in.gateway)
            await stand_in.says(BIA)
            await stand_in.image_for(BIA)
            os.kill(os.getpid(), signal.SIGTERM)
    assert stand_in.messages(BIA) == []

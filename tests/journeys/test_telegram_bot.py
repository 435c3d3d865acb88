"""The documentation's Telegram bot, run against a stand-in for Telegram's servers."""

from __future__ import annotations

import json
import os
import signal
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiohttp import BodyPartReader, web

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
    from collections.abc import AsyncGenerator
    from typing import Unpack


BOT_TOKEN = "4242:the-token-of-the-bot"

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.bots,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


telegram_bot = load_example("telegram_bot")


@dataclass
class Telegram(Service):
    """Double of Telegram's servers: the Bot API's methods that the bot calls, and its users."""

    calls: list[str] = field(default_factory=list)
    popups: list[str] = field(default_factory=list)
    refusals: dict[str, deque[dict[str, Any]]] = field(default_factory=dict)
    held: dict[str, anyio.Event] = field(default_factory=dict)
    updates: deque[dict[str, Any]] = field(default_factory=deque)
    updates_sent: int = 0
    polls: int = 0

    # What its users do.

    def says(self, user: int, text: str, *, chat: int | None = None) -> None:
        """Write to the bot in private, or in a group."""
        self._tell(
            message={
                "message_id": 1000 + self.updates_sent,
                "date": 1,
                "chat": _chat(chat or user),
                "from": _user(user),
                "text": text,
            }
        )

    def presses(self, user: int, label: str, data: str | None = None) -> None:
        """Press a button of the latest message that has it, or one remembered from before."""
        with_it = [shown for shown in self.messages(user) if label in shown.buttons]
        self._tell(
            callback_query={
                "id": "1",
                "from": _user(user),
                "chat_instance": "1",
                "data": data or with_it[-1].buttons[label],
            }
        )

    # Responses to the bot.

    def refuse_next(self, method: str, error_code: int, description: str, **more: object) -> None:
        """Respond to the next call of a method with an error."""
        response = {"ok": False, "error_code": error_code, "description": description, **more}
        self.refusals.setdefault(method, deque()).append(response)

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[str]:
        """Serve over a socket."""
        application = web.Application()
        application.router.add_post(f"/bot{BOT_TOKEN}/{{method}}", self._answer)
        async with serving(application) as address:
            yield f"http://{address}"

    async def _answer(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        fields = await _fields(request)
        if method != "getUpdates":
            self.calls.append(method)
            self.wake()
        if self.refusals.get(method):
            response = self.refusals[method].popleft()
            return web.json_response(response, status=response["error_code"])
        result = await getattr(self, f"_{method}")(fields)
        self.wake()
        if result is None:
            response = {"ok": False, "error_code": 400, "description": "message not found"}
            return web.json_response(response, status=400)
        return web.json_response({"ok": True, "result": result})

    async def _getMe(self, _fields: dict[str, bytes]) -> object:  # noqa: N802 - the API's name, as all below
        return {"id": 4242, "is_bot": True, "first_name": "Link", "username": "link_bot"}

    async def _deleteWebhook(self, fields: dict[str, bytes]) -> object:  # noqa: N802
        assert fields["drop_pending_updates"] == b"true"
        self.updates.clear()
        return True

    async def _getUpdates(self, _fields: dict[str, bytes]) -> object:  # noqa: N802
        self.polls += 1
        self.wake()
        while not self.updates:
            await self.changed.wait()
        updates = list(self.updates)
        self.updates.clear()
        return updates

    async def _sendPhoto(self, fields: dict[str, bytes]) -> object:  # noqa: N802
        assert fields["protect_content"] == b"true"
        photo = fields[fields["photo"].decode().removeprefix("attach://")]
        message = self._send(fields, fields["caption"].decode(), photo)
        await self._hold("sendPhoto")
        return message

    async def _sendMessage(self, fields: dict[str, bytes]) -> object:  # noqa: N802
        return self._send(fields, fields["text"].decode(), None)

    async def _editMessageMedia(self, fields: dict[str, bytes]) -> object:  # noqa: N802
        shown = self.screens[int(fields["chat_id"])].get(int(fields["message_id"]))
        if shown is None:
            return None
        media = json.loads(fields["media"])
        shown.text = media["caption"]
        shown.image = fields[media["media"].removeprefix("attach://")]
        self.remember(shown)
        return _message(int(fields["chat_id"]), shown)

    async def _deleteMessage(self, fields: dict[str, bytes]) -> object:  # noqa: N802
        await self._hold("deleteMessage")
        return self.screens[int(fields["chat_id"])].pop(int(fields["message_id"]), None) and True

    async def _answerCallbackQuery(self, fields: dict[str, bytes]) -> object:  # noqa: N802
        self.popups.append(fields.get("text", b"").decode())
        return True

    async def _hold(self, method: str) -> None:
        self.wake()
        if method in self.held:
            await self.held[method].wait()

    def _send(self, fields: dict[str, bytes], text: str, photo: bytes | None) -> dict[str, Any]:
        chat = int(fields["chat_id"])
        keyboard = json.loads(fields.get("reply_markup", b'{"inline_keyboard": []}'))
        buttons = {
            button["text"]: button["callback_data"]
            for row in keyboard["inline_keyboard"]
            for button in row
        }
        shown = Shown(len(self.calls), text, photo, buttons)
        self.screens.setdefault(chat, {})[shown.id] = shown
        self.remember(shown)
        return _message(chat, shown)

    def _tell(self, **update: object) -> None:
        self.updates_sent += 1
        self.updates.append({"update_id": self.updates_sent, **update})
        self.wake()


async def _fields(request: web.Request) -> dict[str, bytes]:
    if request.content_type != "multipart/form-data":
        return {name: str(value).encode() for name, value in (await request.post()).items()}
    fields = {}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        fields[part.name or ""] = bytes(await part.read())
    return fields


def _user(user: int) -> dict[str, Any]:
    about = {"id": user, "is_bot": False, "first_name": "Someone"}
    return {**about, "language_code": LANGUAGES[user].lower()}


def _chat(chat: int) -> dict[str, Any]:
    return {"id": chat, "type": "private" if chat > 0 else "group"}


def _message(chat: int, shown: Shown) -> dict[str, Any]:
    return {"message_id": shown.id, "date": 1, "chat": _chat(chat), "caption": shown.text}


@dataclass
class TelegramWorld(World):
    """All that takes part in a test."""

    telegram: Telegram


@asynccontextmanager
async def running(**options: Unpack[HubArguments]) -> AsyncGenerator[TelegramWorld]:
    """Run the bot."""
    telegram = Telegram()
    async with (
        telegram.serve() as telegram_url,
        serving_plugchat(**options) as (sandbox, hub, client),
        Bot(BOT_TOKEN, session_for(telegram_url)) as bot,
        anyio.create_task_group() as tasks,
    ):
        bot.session.middleware(telegram_bot.obey_flood_limit)
        dispatcher = telegram_bot.make_dispatcher(client, hub, {ANA, BIA})
        tasks.start_soon(partial(dispatcher.start_polling, bot, handle_signals=False))
        await telegram.until(lambda: "getMe" in telegram.calls)
        yield TelegramWorld(sandbox, hub, client, telegram)
        await dispatcher.stop_polling()


def session_for(url: str) -> AiohttpSession:
    """Point aiogram to the stand-in."""
    return AiohttpSession(api=TelegramAPIServer.from_base(url))


async def test_a_scan() -> None:
    """The image is deleted, and words tell that it worked."""
    async with running() as world:
        world.telegram.says(ANA, "/link")
        image = await world.telegram.image_for(ANA)
        assert image.text.startswith("Código 1 de 3, vale por ")
        assert world.sandbox.scan(image.code())
        words = await world.telegram.words_for(ANA)
        assert words.text == "WhatsApp conectado! ✅"
        assert words.buttons == {}
    assert world.telegram.calls == ["getMe", "sendPhoto", "deleteMessage", "sendMessage"]


async def test_three_codes_in_one_message_then_the_button() -> None:
    """Each code replaces the one before, and the button starts again."""
    async with running(interval=1) as world:
        world.telegram.says(ANA, "/link")
        words = await world.telegram.words_for(ANA)
        images = [shown for shown in world.telegram.history if shown.image]
        assert len({image.id for image in images}) == 1
        for number, image in enumerate(images, 1):
            assert image.text.startswith(f"Código {number} de 3")
        assert len({image.code() for image in images}) == 3
        assert words.text.startswith("Ninguém escaneou a tempo")
        assert world.telegram.calls.count("sendPhoto") == 1
        assert world.telegram.calls.count("editMessageMedia") == 2
        world.telegram.presses(ANA, AGAIN)
        again = await world.telegram.image_for(ANA)
        assert world.sandbox.scan(again.code())
        connected = await world.telegram.words_for(ANA, after=words.id)
        assert connected.text == "WhatsApp conectado! ✅"


async def test_a_phone_that_is_linked_already() -> None:
    """There are only words, no image."""
    async with running() as world:
        world.sandbox.answer_next("already_connected")
        world.telegram.says(ANA, "/link")
        words = await world.telegram.words_for(ANA)
    assert words.text == "O WhatsApp já estava conectado."
    assert "sendPhoto" not in world.telegram.calls


@pytest.mark.parametrize(("response", "text"), FAILURES)
async def test_a_failure(response: str, text: str) -> None:
    """Words tell what the person can do, with the error code, and a button."""
    async with running() as world:
        world.sandbox.answer_next(response)
        world.telegram.says(ANA, "/link")
        words = await world.telegram.words_for(ANA)
        assert words.text.startswith(text)
        world.telegram.presses(ANA, AGAIN)
        assert world.sandbox.scan((await world.telegram.image_for(ANA)).code())
        await world.telegram.words_for(ANA, after=words.id)


async def test_cancelling() -> None:
    """The image goes, and no more codes are fetched."""
    async with running() as world:
        world.telegram.says(ANA, "/link")
        await world.telegram.image_for(ANA)
        world.telegram.presses(ANA, "Cancelar")
        await world.telegram.until(lambda: world.telegram.popups)
        assert world.telegram.messages(ANA) == []
        await world.until_left()
    assert world.telegram.popups == ["Cancelado. Envie /link para recomeçar."]


async def test_a_scan_after_everybody_has_left_is_stored(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By `on_end`: the person has cancelled and then scanned the code all the same."""
    caplog.set_level("INFO", "telegram_bot")
    async with running(on_end=telegram_bot.remember) as world:
        world.telegram.says(ANA, "/link")
        code = (await world.telegram.image_for(ANA)).code()
        world.telegram.presses(ANA, "Cancelar")
        await world.until_left()
        assert world.sandbox.scan(code)
        await eventually(lambda: "the phone was linked at" in caplog.text)


async def test_cancelling_while_the_image_is_being_deleted() -> None:
    """It is deleted all the same."""
    async with running() as world:
        released = world.telegram.held["deleteMessage"] = anyio.Event()
        world.telegram.says(ANA, "/link")
        assert world.sandbox.scan((await world.telegram.image_for(ANA)).code())
        await world.telegram.until(lambda: "deleteMessage" in world.telegram.calls)
        world.telegram.presses(ANA, "Cancelar")
        await world.telegram.until(lambda: world.telegram.calls.count("deleteMessage") == 2)
        released.set()
        await world.telegram.until(lambda: world.telegram.popups)
        assert world.telegram.messages(ANA) == []


async def test_cancelling_a_session_that_is_over() -> None:
    """A button that was pressed late, or of a bot that has been restarted, does no harm."""
    async with running() as world:
        world.telegram.presses(ANA, "Cancelar", telegram_bot.CANCEL)
        await world.telegram.until(lambda: world.telegram.popups)
    assert world.telegram.calls == ["getMe", "answerCallbackQuery"]


async def test_strangers_are_refused() -> None:
    """They start nothing, by the command or a button; another bot's buttons are left to it."""
    async with running() as world:
        world.telegram.says(STRANGER, "/link")
        assert (await world.telegram.words_for(STRANGER)).text.endswith("O seu id é 33.")
        world.telegram.presses(STRANGER, "A button of another bot", "again")
        world.telegram.presses(STRANGER, AGAIN, telegram_bot.AGAIN)
        await world.telegram.until(lambda: world.telegram.popups)
    assert world.telegram.popups == [telegram_bot.PORTUGUESE.refused.format(id=STRANGER)]
    assert world.sandbox.calls == ()


async def test_groups_are_refused() -> None:
    """All members would see the code."""
    async with running() as world:
        world.telegram.says(ANA, "/link", chat=-100)
        assert "em conversa privada" in (await world.telegram.words_for(-100)).text
    assert world.sandbox.calls == ()


async def test_two_people_see_one_session() -> None:
    """Both see the same code, each in their language, and one leaving does not end it."""
    async with running() as world:
        world.telegram.says(ANA, "/link")
        world.telegram.says(BIA, "/link")
        hers = await world.telegram.image_for(ANA)
        assert (await world.telegram.image_for(BIA)).code() == hers.code()
        world.telegram.presses(BIA, "Cancel")
        await world.telegram.until(lambda: world.telegram.popups)
        world.telegram.says(BIA, "/link")
        assert (await world.telegram.image_for(BIA)).code() == hers.code()
        assert world.sandbox.scan(hers.code())
        for person, word in ((ANA, "conectado!"), (BIA, "linked!")):
            assert word in (await world.telegram.words_for(person)).text
    assert codes_requested(world.sandbox) == 1


async def test_asking_twice() -> None:
    """The second image replaces the first, and shows the same code."""
    async with running(linger=60) as world:
        world.telegram.says(ANA, "/link")
        first = await world.telegram.image_for(ANA)
        world.telegram.says(ANA, "/link")
        await world.telegram.until(lambda: world.telegram.calls.count("sendPhoto") == 2)
        second = await world.telegram.image_for(ANA)
        assert second.code() == first.code()
        assert world.telegram.messages(ANA) == [second]


async def test_asking_twice_while_the_image_is_being_sent() -> None:
    """An image of which the bot does not know yet is deleted too."""
    async with running(linger=60) as world:
        released = world.telegram.held["sendPhoto"] = anyio.Event()
        world.telegram.says(ANA, "/link")
        await world.telegram.image_for(ANA)
        polls = world.telegram.polls
        world.telegram.says(ANA, "/link")
        await world.telegram.until(lambda: world.telegram.polls > polls)
        released.set()
        await world.telegram.until(lambda: world.telegram.calls.count("sendPhoto") == 2)
        second = await world.telegram.image_for(ANA)
        assert world.telegram.messages(ANA) == [second]


async def test_an_image_that_the_person_deleted() -> None:
    """The next code finds it gone: the session is left, and words offer to start again."""
    async with running(interval=0.3, max_rounds=100) as world:
        world.telegram.says(ANA, "/link")
        await world.telegram.image_for(ANA)
        world.telegram.deletes(ANA)
        words = await world.telegram.words_for(ANA)
        assert words.text == telegram_bot.PORTUGUESE.interrupted
        assert list(words.buttons) == [AGAIN]
        await world.until_left()


async def test_a_bot_that_is_blocked() -> None:
    """Nobody sees the code, so the session is left."""
    async with running() as world:
        for method in ("sendPhoto", "sendMessage"):
            world.telegram.refuse_next(method, 403, "Forbidden: bot was blocked by the user")
        world.telegram.says(ANA, "/link")
        await world.telegram.until(lambda: "sendMessage" in world.telegram.calls)
        await world.until_left()
    assert world.telegram.messages(ANA) == []


def flood_limit(seconds: int) -> dict[str, Any]:
    """Ask for a pause, as Telegram does."""
    return {
        "error_code": 429,
        "description": "Too Many Requests",
        "parameters": {"retry_after": seconds},
    }


async def test_a_short_flood_limit_is_waited_for() -> None:
    """Then the message shows the latest code."""
    async with running(interval=0.3) as world:
        world.telegram.refuse_next("editMessageMedia", **flood_limit(1))
        world.telegram.says(ANA, "/link")
        first = await world.telegram.image_for(ANA)
        code = first.code()
        later = await world.telegram.image_for(ANA, other_than=code)
        assert later.id == first.id
        assert (await world.telegram.words_for(ANA)).text.startswith("Ninguém escaneou a tempo")


async def test_a_long_flood_limit_ends_it() -> None:
    """No pairing goes on for whom no code can be shown."""
    async with running(interval=0.5, max_rounds=100) as world:
        world.telegram.refuse_next("editMessageMedia", **flood_limit(3600))
        world.telegram.says(ANA, "/link")
        await world.telegram.image_for(ANA)
        assert (await world.telegram.words_for(ANA)).text == telegram_bot.PORTUGUESE.interrupted
        await world.until_left()


async def test_the_program_from_its_start_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes its settings from the environment, and leaves no image behind on SIGTERM."""
    telegram, sandbox = Telegram(), Sandbox(tokens=["the-token-of-the-instance"])
    async with telegram.serve() as telegram_url, sandbox.serve() as plugchat_url:
        monkeypatch.setenv("TELEGRAM_TOKEN", BOT_TOKEN)
        monkeypatch.setenv("PLUGCHAT_TOKEN", "the-token-of-the-instance")
        monkeypatch.setenv("PLUGCHAT_BASE_URL", plugchat_url)
        monkeypatch.setenv("ALLOWED_USERS", f"{ANA},{BIA}")
        monkeypatch.setattr(telegram_bot, "Bot", partial(Bot, session=session_for(telegram_url)))
        telegram.says(ANA, "/link")  # while the bot was down
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(telegram_bot.main)
            await telegram.until(lambda: "getMe" in telegram.calls)
            assert telegram.messages(ANA) == []
            telegram.says(BIA, "/link@link_bot")
            await telegram.image_for(BIA)
            os.kill(os.getpid(), signal.SIGTERM)
    assert telegram.messages(BIA) == []
    assert telegram.calls == ["deleteWebhook", "getMe", "sendPhoto", "deleteMessage"]

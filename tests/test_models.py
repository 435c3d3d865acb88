"""Models: frozen, discreet, valid for twenty seconds, and the same after serialization."""

from __future__ import annotations

import base64
import io
import json
import pickle
import struct
import sys
import zlib
from datetime import UTC, datetime, timedelta, timezone
from traceback import TracebackException
from typing import TYPE_CHECKING

import pytest
import segno
from PIL import Image
from pydantic import BaseModel, ValidationError
from rich.pretty import pretty_repr

from plugchat_async import (
    Device,
    InstanceStatus,
    PlugChatError,
    QRCode,
    QRImage,
    UnexpectedResponse,
)
from plugchat_async._extras import install_command

if TYPE_CHECKING:
    from collections.abc import Callable

LEGACY = "2@" + ",".join(base64.b64encode(bytes(range(n, n + 45))).decode() for n in range(4))
LINK = "https://wa.me/settings/linked_devices#" + base64.b64encode(bytes(range(150))).decode()
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
IN_INDIA = timezone(timedelta(hours=5, minutes=30))


def image_file(kind: str = "PNG", payload: str = LINK) -> bytes:
    """Draw a code as the API would, and store it in one of the formats."""
    drawn = io.BytesIO()
    segno.make_qr(payload).save(drawn, kind="png", scale=4)
    stored = io.BytesIO()
    with Image.open(drawn) as image:
        image.convert("RGB").save(stored, kind)
    return stored.getvalue()


def blank(kind: str = "PNG") -> bytes:
    """Store a white image."""
    stored = io.BytesIO()
    Image.new("RGB", (200, 200), "white").save(stored, kind)
    return stored.getvalue()


def bomb(side: int) -> bytes:
    """Make a PNG of a few hundred bytes whose header promises `side` times `side` pixels."""
    header = struct.pack(">II", side, side) + blank()[24:29]
    return blank()[:8] + chunk(b"IHDR", header) + blank()[33:]


def chunk(kind: bytes, data: bytes) -> bytes:
    """Make a part of a PNG, with a good checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = image_file()

both = pytest.mark.parametrize(
    ("cls", "content"),
    [
        pytest.param(QRCode, {"payload": LINK}, id="QRCode"),
        pytest.param(QRImage, {"data": PNG, "media_type": "image/png"}, id="QRImage"),
    ],
)


# Twenty seconds


@both
def test_it_is_valid_for_twenty_seconds(
    cls: type[QRCode | QRImage], content: dict[str, str]
) -> None:
    """WhatsApp invalidates a code 20 s after it was fetched."""
    fresh = cls(fetched_at=NOON, **content)
    assert fresh.fetched_at == NOON
    assert fresh.expires_at == NOON + timedelta(seconds=20)


@both
def test_its_life_begins_now(cls: type[QRCode | QRImage], content: dict[str, str]) -> None:
    """Made without a moment, it is fresh, in UTC."""
    before = datetime.now(UTC)
    fresh = cls(**content)
    assert before <= fresh.fetched_at <= datetime.now(UTC)
    assert fresh.fetched_at.tzinfo is UTC
    assert fresh.expires_at - fresh.fetched_at == timedelta(seconds=20)


@both
def test_moments_are_in_utc(cls: type[QRCode | QRImage], content: dict[str, str]) -> None:
    """A moment in another zone stays the same moment."""
    moment = datetime(2026, 11, 22, 17, 30, tzinfo=IN_INDIA)
    given = cls(fetched_at=moment, expires_at=moment + timedelta(seconds=5), **content)
    assert given.fetched_at == NOON
    assert given.expires_at == NOON + timedelta(seconds=5)
    assert given.fetched_at.tzinfo is given.expires_at.tzinfo is UTC


@both
@pytest.mark.parametrize("name", ["fetched_at", "expires_at"])
def test_a_moment_before_the_calendar_is_refused(
    cls: type[QRCode | QRImage], content: dict[str, str], name: str
) -> None:
    """The first hours of the year 1 in the east are none in UTC."""
    east = timezone(timedelta(hours=10))
    with pytest.raises(ValidationError, match=rf"(?s){name}.*the calendar's years 1 to 9999"):
        cls(**content, **{name: datetime(1, 1, 1, tzinfo=east)})


@both
def test_a_life_ends_with_the_calendar(
    cls: type[QRCode | QRImage], content: dict[str, str]
) -> None:
    """A clock that is far off breaks nothing."""
    last = datetime.max.replace(tzinfo=UTC)
    assert cls(**content, fetched_at=last).expires_at == last


@both
@pytest.mark.parametrize("name", ["fetched_at", "expires_at"])
def test_a_moment_without_a_zone_is_refused(
    cls: type[QRCode | QRImage], content: dict[str, str], name: str
) -> None:
    """Nobody can tell when that was."""
    with pytest.raises(ValidationError, match=name):
        cls.model_validate({**content, name: datetime(2026, 11, 22, 12)})  # noqa: DTZ001


@both
@pytest.mark.parametrize(
    ("age", "left"),
    [
        pytest.param(timedelta(0), 20, id="fresh"),
        pytest.param(timedelta(seconds=15), 5, id="late"),
        pytest.param(timedelta(hours=-1), 20, id="from a clock that is ahead"),
    ],
)
def test_it_counts_the_seconds_that_are_left(
    cls: type[QRCode | QRImage], content: dict[str, str], age: timedelta, left: int
) -> None:
    """`expires_in` runs from 20 downwards, and until 0 it is not expired."""
    living = cls(fetched_at=datetime.now(UTC) - age, **content)
    assert 0 < living.expires_in <= left
    assert not living.is_expired


@both
def test_a_clock_that_is_set_back_prolongs_nothing(
    cls: type[QRCode | QRImage], content: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that waits for `is_expired` ends after 20 s, and not an hour later."""
    wall, clock = NOON, 100.0
    monkeypatch.setattr("plugchat_async._models._now", lambda: wall)
    monkeypatch.setattr("plugchat_async._models.monotonic", lambda: clock)
    model = cls(fetched_at=NOON, **content)
    assert model.expires_in == 20
    wall, clock = NOON - timedelta(hours=1), clock + 15
    assert model.expires_in == 5
    assert cls(fetched_at=NOON, **content).expires_in == 20
    clock += 5
    assert model.expires_in == 0
    assert model.is_expired


@both
def test_a_clock_that_is_set_forward_counts(
    cls: type[QRCode | QRImage], content: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A computer that slept has a monotonic clock that slept as well."""
    wall = NOON
    monkeypatch.setattr("plugchat_async._models._now", lambda: wall)
    model = cls(fetched_at=NOON, **content)
    assert not model.is_expired
    wall += timedelta(minutes=10)
    assert model.is_expired


@both
@pytest.mark.parametrize(("valid_for", "left"), [(7, 7), (3600, 20)])
def test_nothing_is_valid_for_longer_than_a_code(
    cls: type[QRCode | QRImage], content: dict[str, str], valid_for: int, left: int
) -> None:
    """Whatever `expires_at` says, and whichever clock it was taken from."""
    ahead = datetime.now(UTC) + timedelta(hours=1)
    model = cls(fetched_at=ahead, expires_at=ahead + timedelta(seconds=valid_for), **content)
    assert 0 < model.expires_in <= left


@both
def test_reading_the_time_left_changes_no_equality(
    cls: type[QRCode | QRImage], content: dict[str, str]
) -> None:
    """A code whose time was read equals one whose was not, before and after pickling."""
    seen, other = (cls(fetched_at=NOON, **content) for _ in range(2))
    assert seen.is_expired
    assert seen == other
    assert pickle.dumps(seen) == pickle.dumps(other)
    assert pickle.loads(pickle.dumps(seen)).is_expired


@both
@pytest.mark.parametrize("age", [timedelta(seconds=20), timedelta(seconds=21), timedelta(days=9)])
def test_it_is_expired_and_never_less_than_that(
    cls: type[QRCode | QRImage], content: dict[str, str], age: timedelta
) -> None:
    """An expired code has 0 seconds left, however long ago it expired."""
    expired = cls(fetched_at=datetime.now(UTC) - age, **content)
    assert expired.expires_in == 0.0
    assert expired.is_expired


# Frozen and discreet


@pytest.mark.parametrize(
    ("model", "name"),
    [
        *((QRCode(payload="x"), name) for name in QRCode.model_fields),
        *((QRImage(data=PNG, media_type="image/png"), name) for name in QRImage.model_fields),
        *((InstanceStatus(connected=True), name) for name in InstanceStatus.model_fields),
        *((Device(), name) for name in Device.model_fields),
    ],
)
def test_nothing_can_be_changed(model: BaseModel, name: str) -> None:
    """Models are values: several watchers may share one."""
    with pytest.raises(ValidationError, match="frozen"):
        setattr(model, name, getattr(model, name))


class _WithANote(QRCode, frozen=True):
    _note: str = ""


def test_a_private_attribute_of_a_subclass_can_be_set() -> None:
    """As in any frozen model of pydantic."""
    code = _WithANote(payload="x")
    code._note = "for Ana"
    assert code._note == "for Ana"


@both
def test_no_text_of_it_shows_the_code(cls: type[QRCode | QRImage], content: dict[str, str]) -> None:
    """Neither Python nor Rich writes into a log what would link a phone."""
    model = cls(**content)
    for text in (
        repr(model),
        str(model),
        f"{model}",
        f"{model!r:>9}",
        repr([model]),
        pretty_repr(model),
    ):
        assert "fetched_at" in text
        assert LINK not in text
        assert "PNG" not in text
        assert "payload" not in text
        assert "data=" not in text


@pytest.mark.parametrize(
    ("cls", "content"),
    [
        (QRCode, {"payload": LINK, "round": 0}),
        (QRCode, {"payload": LINK, "rounds": 0}),
        (QRCode, {"payload": LINK, "fetched_at": "yesterday"}),
        (QRCode, {"payload": [LINK]}),
        (QRCode, {"payload": LINK.encode() + b"\xff"}),
        (QRImage, {"data": PNG, "media_type": "image/svg+xml"}),
        (QRImage, {"data": PNG}),
        (QRImage, {"data": LINK, "media_type": "image/png"}),
    ],
)
def test_no_refusal_shows_the_code(cls: type[QRCode | QRImage], content: dict[str, object]) -> None:
    """The mistake is described without the value."""
    with pytest.raises(ValidationError) as caught:
        cls.model_validate(content)
    assert LINK[:20] not in str(caught.value)
    assert "PNG" not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: QRCode(payload=LINK, round=0),
        lambda: QRCode(payload=LINK * 40),
        lambda: QRImage(data=LINK.encode(), media_type="image/bmp"),
        lambda: setattr(QRCode(payload="x"), "payload", LINK),
        lambda: setattr(QRImage(data=PNG, media_type="image/png"), "data", LINK.encode()),
        lambda: setattr(Device(), "phone", LINK),
    ],
    ids=["another field", "payload", "media_type", "set payload", "set data", "set phone"],
)
def test_a_refused_argument_leaves_no_code(make: Callable[[], object]) -> None:
    """Neither in the error's details, nor pickled with it, nor in the locals of its traceback."""
    with pytest.raises(ValidationError) as caught:
        make()
    assert caught.value.__context__ is None
    rendered = TracebackException.from_exception(caught.value, capture_locals=True)
    for text in (caught.value.errors(), pickle.dumps(caught.value), list(rendered.format())):
        assert LINK[:20] not in f"{text!r}"


@pytest.mark.parametrize("json", [f'{{"payload": "{LINK}', f'{{"payload": "{LINK}", "round": 0}}'])
def test_no_refusal_of_json_shows_the_code(json: str) -> None:
    """Broken JSON is not quoted either."""
    with pytest.raises(ValidationError) as caught:
        QRCode.model_validate_json(json)
    assert LINK[:20] not in str(caught.value)


@pytest.mark.parametrize(
    ("cls", "content"),
    [(QRCode, {"payload": ""}), (QRImage, {"data": b"", "media_type": "image/png"})],
)
def test_an_empty_code_is_refused(cls: type[QRCode | QRImage], content: dict[str, object]) -> None:
    """Neither an empty payload nor an empty file."""
    with pytest.raises(ValidationError, match="at least 1"):
        cls.model_validate(content)


# Journeys


@pytest.mark.parametrize(
    "model",
    [
        QRCode(payload=LEGACY, fetched_at=NOON, round=2, rounds=3),
        QRCode(payload="ação ☎ 電話", fetched_at=NOON + timedelta(microseconds=1)),
        QRCode(payload=LINK, fetched_at=NOON, expires_at=NOON + timedelta(seconds=3)),
        QRImage(data=PNG, media_type="image/png", fetched_at=NOON),
        QRImage(data=bytes(range(256)), media_type="image/webp", fetched_at=NOON),
        InstanceStatus(connected=True),
        InstanceStatus(connected=False, session=True, error="You are not connected."),
        Device(phone="5511999990000", name="Ana 🤝", platform="iphone"),
        Device(),
    ],
)
def test_a_model_survives_json_and_pickle(model: BaseModel) -> None:
    """It comes back equal from a queue, a cache or another process, to the microsecond."""
    assert type(model).model_validate_json(model.model_dump_json()) == model
    assert pickle.loads(pickle.dumps(model)) == model


def test_bytes_in_json_are_standard_base64() -> None:
    """A browser's `atob` and `data:` URI take it, with plus, slash and padding (RFC 4648)."""
    image = QRImage(data=bytes(range(256)), media_type="image/png", fetched_at=NOON)
    encoded = json.loads(image.model_dump_json())["data"]
    assert base64.b64decode(encoded, validate=True) == bytes(range(256))
    assert image.data_uri() == f"data:image/png;base64,{encoded}"
    assert image.model_dump(mode="json")["data"] == encoded
    assert image.model_dump()["data"] == image.data
    schema = QRImage.model_json_schema(mode="serialization")["properties"]["data"]
    assert schema["contentEncoding"] == "base64"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_of_either_alphabet_is_read_from_json(encode: Callable[[bytes], bytes]) -> None:
    """JSON that another program wrote is read as well."""
    written = {"data": encode(bytes(range(256))).decode(), "media_type": "image/png"}
    assert QRImage.model_validate_json(json.dumps(written)).data == bytes(range(256))


def test_moments_are_in_utc_after_a_journey_too() -> None:
    """Equal moments could still be in another zone."""
    back = QRCode.model_validate_json(QRCode(payload="x", fetched_at=NOON).model_dump_json())
    assert back.fetched_at.tzinfo is back.expires_at.tzinfo is UTC


# The state of an instance


def test_a_state_reads_the_api_s_own_keys() -> None:
    """`smartphoneConnected` is the API's spelling, and keys that nobody knows yet are ignored."""
    state = InstanceStatus.model_validate(
        {
            "connected": True,
            "session": False,
            "smartphoneConnected": True,
            "error": "You are already connected.",
            "battery": 80,
        }
    )
    assert state == InstanceStatus.model_validate(
        {
            "connected": True,
            "session": False,
            "smartphone_connected": True,
            "error": "You are already connected.",
        }
    )
    assert state.smartphone_connected is True
    assert not hasattr(state, "battery")


def test_a_missing_field_is_none() -> None:
    """Only `connected` has to be there."""
    assert InstanceStatus(connected=False).model_dump() == {
        "connected": False,
        "session": None,
        "smartphone_connected": None,
        "error": None,
    }
    with pytest.raises(ValidationError, match="connected"):
        InstanceStatus.model_validate({"session": True})


@pytest.mark.parametrize(
    ("status", "needs_restore"),
    [
        (InstanceStatus(connected=False, error="You need to restore the session."), True),
        (InstanceStatus(connected=False, error="you NEED to Restore the Session"), True),
        (InstanceStatus(connected=True, error="You need to restore the session."), False),
        (InstanceStatus(connected=False, error="You are not connected."), False),
        (InstanceStatus(connected=False), False),
    ],
)
def test_a_status_says_when_the_session_has_to_be_restored(
    status: InstanceStatus, needs_restore: bool
) -> None:
    """`restore_session()` helps then, without a scan; a connected instance needs nothing."""
    assert status.needs_restore is needs_restore


# The linked phone


@pytest.mark.parametrize("nothing", ["", " ", None])
def test_an_empty_string_about_a_device_is_none(nothing: str | None) -> None:
    """The API gives empty strings when no phone is linked, and keys that nobody knows yet."""
    fields = dict.fromkeys(("phone", "name", "image_url", "platform", "model", "battery"), nothing)
    assert Device.model_validate(fields) == Device()


def test_a_device_keeps_the_phone_number_out_of_its_texts() -> None:
    """A log names the account, and not the number."""
    device = Device(phone="5511999990000", name="Ana")
    for text in (repr(device), str(device), pretty_repr(device)):
        assert "Ana" in text
        assert "5511" not in text


# Images


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
def test_an_image_s_data_uri_holds_the_file_as_it_came(kind: str) -> None:
    """An `<img>` shows the very file, under the type that its bytes have."""
    image = QRImage.model_validate({"data": image_file(kind), "media_type": f"image/{kind}"})
    label, _, encoded = image.data_uri().partition(",")
    assert label == f"data:image/{kind};base64"
    assert base64.b64decode(encoded, validate=True) == image_file(kind)


@pytest.mark.parametrize("payload", [LEGACY, LINK, "x", "ação", "tab\tand\x1descape"])
@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
def test_a_code_is_read_out_of_an_image(kind: str, payload: str) -> None:
    """The payload of the symbol is read to the letter, with the times of the image."""
    code = QRImage.model_validate(
        {
            "data": image_file(kind, payload),
            "media_type": f"image/{kind}",
            "fetched_at": NOON,
            "expires_at": NOON + timedelta(seconds=7),
        }
    ).decode()
    assert code == QRCode(payload=payload, fetched_at=NOON, expires_at=NOON + timedelta(seconds=7))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(blank("PNG"), id="blank png"),
        pytest.param(blank("JPEG"), id="blank jpeg"),
        pytest.param(blank("GIF"), id="blank gif"),
        pytest.param(blank("WEBP"), id="blank webp"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(99), id="garbage after the magic"),
        pytest.param(b"\xff\xd8\xff" + bytes(99) + b"\xff\xd9", id="garbage in a jpeg"),
        pytest.param(b"2@not-an-image", id="text"),
        pytest.param(PNG[: len(PNG) // 2], id="half of a png"),
        pytest.param(PNG[:33], id="the header of a png"),
        pytest.param(PNG.replace(b"IHDR", b"iHDR"), id="a png without a header"),
        pytest.param(PNG[:8] + chunk(b"IHDR", PNG[16:20]) + PNG[33:], id="a short header"),
        pytest.param(PNG[:33] + chunk(b"IDAT", b"") + chunk(b"?!", b""), id="a broken chunk"),
        pytest.param(image_file(payload=""), id="an empty code"),
        pytest.param(bomb(5_000), id="25 megapixels"),
        pytest.param(bomb(10_000), id="100 megapixels"),
        pytest.param(bomb(20_000), id="400 megapixels"),
        pytest.param(bomb(2**31 - 1), id="4 exapixels"),
    ],
)
def test_an_image_that_holds_no_code_is_an_unexpected_response(data: bytes) -> None:
    """Whatever came, the error is one of ours, and a bomb is not unpacked."""
    image = QRImage(data=data, media_type="image/png")
    with pytest.raises(UnexpectedResponse, match="no QR code can be read in the image") as caught:
        image.decode()
    assert isinstance(caught.value, PlugChatError)
    assert caught.value.status_code == 200


def test_a_code_that_only_another_program_can_write_is_an_unexpected_response() -> None:
    """Latin-1 of which no reader is told is shorter than the UTF-8 that a symbol of ours has."""
    drawn = io.BytesIO()
    segno.make_qr("ç" * 2000, mode="byte", encoding="latin-1").save(drawn, kind="png", scale=4)
    with pytest.raises(UnexpectedResponse):
        QRImage(data=drawn.getvalue(), media_type="image/png").decode()


def test_a_code_on_nothing_is_read_as_on_paper() -> None:
    """A transparent background looks white on a page."""
    drawn = io.BytesIO()
    segno.make_qr(LINK).save(drawn, kind="png", scale=4, dark="black", light=None)
    assert QRImage(data=drawn.getvalue(), media_type="image/png").decode().payload == LINK


@pytest.mark.parametrize("missing", ["zxingcpp", "PIL"])
def test_without_the_extra_decoding_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """The ImportError ends with a command that can be pasted into a shell."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError) as caught:
        QRImage(data=PNG, media_type="image/png").decode()
    assert str(caught.value).endswith(f"(extra [decode]): {install_command('decode')}")
    assert isinstance(caught.value.__cause__, ImportError)
    rendered = TracebackException.from_exception(caught.value, capture_locals=True)
    reader = next(frame for frame in rendered.stack if frame.name == "read_payload")
    assert reader.locals
    assert "PNG" not in str(reader.locals)

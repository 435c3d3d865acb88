"""Every drawing is read back by a real decoder: to exactly the payload, on any background."""

from __future__ import annotations

import base64
import copy
import io
import pickle
import re
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias
from xml.etree import ElementTree as ET

import pytest
import resvg_py
import zxingcpp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from plugchat_async import QRCode
from tests.camera import read_codes
from tests.painted_terminal import paint_terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Refusal: TypeAlias = AbstractContextManager[object]

LEGACY = "2@" + ",".join(base64.b64encode(bytes(range(n, n + 45))).decode() for n in range(4))
LINK = "https://wa.me/settings/linked_devices#" + base64.b64encode(bytes(range(150))).decode()
LETTERS = "".join(chr(code) for code in range(33, 127)) * 22
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def on(background: str, file: bytes) -> Image.Image:
    """Lay a PNG file on a page."""
    with Image.open(io.BytesIO(file)) as image:
        layer = image.convert("RGBA")
    page = ImageOps.expand(Image.new("RGBA", layer.size, background), 40, background)
    page.alpha_composite(layer, (40, 40))
    return page.convert("L")


def rasterise(svg: str) -> bytes:
    """Turn an SVG into a PNG, transparent where nothing was drawn."""
    return resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)


def png_in(uri: str) -> bytes:
    """Take the file out of a data URI."""
    label, _, encoded = uri.partition(",")
    assert label == "data:image/png;base64"
    return base64.b64decode(encoded, validate=True)


DRAWINGS: dict[str, Callable[[QRCode], Image.Image]] = {
    "svg on white": lambda code: on("white", rasterise(code.svg())),
    "svg on black": lambda code: on("black", rasterise(code.svg())),
    "png on black": lambda code: on("black", code.png()),
    "data uri": lambda code: on("white", png_in(code.data_uri())),
    "dark terminal": lambda code: paint_terminal(code.terminal(), theme="dark"),
    "light terminal": lambda code: paint_terminal(code.terminal(), theme="light"),
    "dark terminal without colour": lambda code: paint_terminal(
        code.terminal(color=False), theme="dark"
    ),
}

# Long codes take their time; these two are drawn like others on the list.
SAME_AS_ANOTHER = {"svg on white", "data uri"}

every_drawing = pytest.mark.parametrize("drawing", DRAWINGS)


@every_drawing
@pytest.mark.parametrize("payload", [LEGACY, LINK], ids=["legacy", "link"])
def test_both_forms_of_a_code_can_be_scanned(drawing: str, payload: str) -> None:
    """The codes that WhatsApp gives out today, in every drawing, on every background."""
    assert read_codes(DRAWINGS[drawing](QRCode(payload=payload))) == [payload]


@pytest.mark.parametrize("drawing", [name for name in DRAWINGS if name not in SAME_AS_ANOTHER])
@pytest.mark.parametrize("length", [1, 2, 17, 240, 500, 1000, 1999, 2000])
def test_a_code_of_any_length_can_be_scanned(drawing: str, length: int) -> None:
    """From one character to 2,000."""
    payload = LETTERS[:length]
    assert read_codes(DRAWINGS[drawing](QRCode(payload=payload))) == [payload]


@pytest.mark.parametrize("length", [8, 240, 1000])
@pytest.mark.parametrize("character", ["0", "U", "a", "\x00", "\xff"], ids=ascii)
def test_a_code_of_one_character_over_and_over_can_be_scanned(character: str, length: int) -> None:
    """The mask is chosen for texts like a code's, and does for the most even one as well."""
    payload = character * length
    assert read_codes(on("white", QRCode(payload=payload).png())) == [payload]


@settings(max_examples=30)
@given(
    drawing=st.sampled_from(sorted(DRAWINGS)),
    payload=st.one_of(
        st.text(alphabet="0123456789", min_size=1, max_size=60),
        st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
        st.text(alphabet=st.characters(max_codepoint=255), min_size=1),
        st.text(alphabet=st.characters(min_codepoint=0x3040, max_codepoint=0x9FFF), min_size=1),
        st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1),
    ),
)
@example(drawing="png on black", payload="ação, ou não")
@example(drawing="png on black", payload="\xb4")  # Latin-1 of which no reader is told
@example(drawing="png on black", payload="\x91\x93")  # Latin-1 that looks like kanji
@example(drawing="png on black", payload="\u30d7\u3099")  # UTF-8 that looks like kanji
@example(drawing="png on black", payload="\uff0c\uff3c\uff4e")  # kanji that some misread
@example(drawing="png on black", payload="ç" * 700)
def test_a_code_in_any_alphabet_can_be_scanned(drawing: str, payload: str) -> None:
    """Nothing is taken for another charset, by the writer or by the reader."""
    assert read_codes(DRAWINGS[drawing](QRCode(payload=payload))) == [payload]


@pytest.mark.parametrize(
    ("payload", "begins"),
    [("ação", rb"]Q2\000026a"), ("電話", rb"]Q2\000026"), (LINK, b"]Q1https")],
)
def test_a_symbol_names_the_charset_of_what_is_not_ascii(payload: str, begins: bytes) -> None:
    """A reader needs no luck: UTF-8 is ECI 26, and plain ASCII does without."""
    with Image.open(io.BytesIO(QRCode(payload=payload).png())) as image:
        (code,) = zxingcpp.read_barcodes(image, text_mode=zxingcpp.TextMode.HexECI)
    assert bytes.fromhex(code.text).startswith(begins)


# SVG


def test_an_svg_can_stand_inside_a_page() -> None:
    """It is one element in its namespace, without names that could clash with the page's."""
    svg = QRCode(payload=LINK).svg()
    root = ET.fromstring(svg)
    assert svg.startswith("<svg ")
    assert svg.endswith("</svg>")
    for element in root.iter():
        assert element.tag.startswith("{http://www.w3.org/2000/svg}")
        assert not {"id", "class", "style"} & set(element.attrib)
    assert LINK not in svg


def test_an_svg_without_a_border_scans_on_white() -> None:
    """The surroundings are its quiet zone."""
    assert read_codes(on("white", rasterise(QRCode(payload=LINK).svg(border=0)))) == [LINK]


# PNG


@pytest.mark.parametrize(
    ("scale", "border", "side"), [(8, 4, 8 * 29), (1, 4, 29), (3, 0, 3 * 21), (3, 10, 3 * 41)]
)
def test_a_png_has_the_size_that_was_asked_for(scale: int, border: int, side: int) -> None:
    """21 modules of `scale` pixels, and the border on both sides, in black and white."""
    with Image.open(io.BytesIO(QRCode(payload="x").png(scale=scale, border=border))) as image:
        assert image.size == (side, side)
        assert {colour for _, colour in image.convert("RGB").getcolors() or []} == {
            (0, 0, 0),
            (255, 255, 255),
        }


@pytest.mark.parametrize("scale", [2, 3, 16])
def test_a_png_of_any_scale_can_be_scanned(scale: int) -> None:
    """From a thumbnail to a poster."""
    assert read_codes(on("black", QRCode(payload=LINK).png(scale=scale))) == [LINK]


# Terminal


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("border", [0, 1, 2, 5])
@pytest.mark.parametrize("payload", ["x", LINK])
def test_all_lines_of_a_terminal_s_drawing_are_equally_wide(
    payload: str, border: int, color: bool
) -> None:
    """The drawing is a block of half-block characters, with no newline at its end."""
    lines = ESCAPE.sub("", QRCode(payload=payload).terminal(border=border, color=color)).split("\n")
    width = len(lines[0])
    assert {len(line) for line in lines} == {width}
    assert len(lines) == (width + 1) // 2
    assert set("".join(lines)) <= set(" ▀▄█")


def test_a_border_is_counted_in_modules() -> None:
    """One character is one module wide, and two high."""
    drawings = [QRCode(payload="x").terminal(border=border, color=False) for border in (0, 2)]
    widths = [len(drawing.split("\n")[0]) for drawing in drawings]
    assert widths == [21, 25]


def test_the_half_line_that_is_left_over_is_light() -> None:
    """A symbol has an odd number of rows, and the filling of the last line is not part of it."""
    last = QRCode(payload="x").terminal(border=0, color=False).split("\n")[-1]
    assert set(last) == {"█", "▄"}


def test_without_colour_there_is_no_escape_sequence() -> None:
    """Pipes and dumb terminals get plain characters."""
    assert "\x1b" not in QRCode(payload=LINK).terminal(color=False)


def test_with_colour_each_line_sets_both_colours_and_resets_them() -> None:
    """A line that is torn out of the drawing leaves the terminal as it was."""
    for line in QRCode(payload=LINK).terminal().split("\n"):
        assert ESCAPE.findall(line) == ["\x1b[30;47;107m", "\x1b[0m"]
        assert line.startswith("\x1b[30;47;107m")
        assert line.endswith("\x1b[0m")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_terminal_without_bright_colours_shows_a_code_that_scans(theme: str) -> None:
    """It ignores the bright white and keeps the white before it."""
    drawing = QRCode(payload=LINK).terminal().replace(";107", "")
    assert read_codes(paint_terminal(drawing, theme=theme)) == [LINK]


@pytest.mark.parametrize("draw", [QRCode.svg, QRCode.png, QRCode.terminal])
def test_the_same_code_is_drawn_once(draw: Callable[..., object]) -> None:
    """A page asks again for each of its viewers, however many codes are drawn between."""
    codes = [QRCode(payload=f"2@{number}") for number in range(100)]
    drawings = [draw(code) for code in codes]
    assert [id(draw(code)) for code in codes] == [id(drawing) for drawing in drawings]
    assert draw(codes[0], border=0) != drawings[0] != drawings[1]


def test_a_drawing_is_forgotten_with_its_code() -> None:
    """No valid code stays in memory after its session."""
    code = QRCode(payload=LINK)
    code.svg()
    drawings = weakref.ref(code._drawings)
    del code
    assert drawings() is None


def test_a_drawing_is_not_part_of_a_code() -> None:
    """A code that was drawn is equal to one that was not, and travels without its drawings."""
    drawn, other = (QRCode(payload=LINK, fetched_at=NOON) for _ in range(2))
    before = pickle.dumps(drawn)
    svg = drawn.svg()
    assert drawn == other
    assert hash(drawn) == hash(other)
    assert pickle.dumps(drawn) == before
    assert "drawings" not in f"{drawn!r} {drawn.model_dump()} {vars(drawn)}"
    for back in (pickle.loads(before), copy.deepcopy(drawn), other):
        assert back.svg() == svg
    assert drawn.model_copy(update={"payload": LEGACY}).svg() != svg


def test_the_cache_shows_no_code() -> None:
    """An error reporter may render it with a frame's locals."""
    code = QRCode(payload=LINK)
    code.svg()
    remembered = code._drawings
    assert LINK not in f"{remembered!r} {vars(remembered)} {vars(remembered.svg)}"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_code_scans_between_lines_of_text(theme: str) -> None:
    """Its border keeps the neighbours off, in a window of the same width."""
    drawing = QRCode(payload=LINK).terminal()
    columns = len(ESCAPE.sub("", drawing).split("\n")[0])
    screen = f"{'Scan this code:':M<{columns}}\n{drawing}\n{'Valid for 20 s':M<{columns}}"
    assert read_codes(paint_terminal(screen, columns=columns, theme=theme)) == [LINK]


# Refusals


@pytest.mark.parametrize(
    ("characters", "most"),
    [
        pytest.param("0123456789", 7089, id="digits"),
        pytest.param("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", 4296, id="alphanumeric"),
        pytest.param("2@aB/+=,", 2953, id="ASCII"),
        pytest.param("çã", 1476, id="two bytes a character"),
        pytest.param("電話", 984, id="three bytes a character"),
        pytest.param("🤝☎\ufe0f", 885, id="an emoji and its sign"),
    ],
)
def test_a_payload_is_as_long_as_the_largest_symbol_holds(characters: str, most: int) -> None:
    """Each kind of text to the last character, and not one more, which is told when it is made."""
    payload = (characters * 1000)[:most]
    assert read_codes(QRCode(payload=payload).png(scale=4)) == [payload]
    with pytest.raises(ValueError, match="fits no QR symbol") as caught:
        QRCode(payload=(characters * 1000)[: most + 1])
    assert payload[:12] not in str(caught.value)


@pytest.mark.parametrize("payload", ["\ud800", "2@code\udc00"])
def test_a_payload_that_is_not_unicode_is_refused(payload: str) -> None:
    """Half of a surrogate pair can't be written into any symbol."""
    with pytest.raises(ValueError, match="unicode"):
        QRCode(payload=payload)


def test_a_refusal_of_a_long_payload_says_how_long_it_is() -> None:
    """Without the payload: a caller may log it."""
    with pytest.raises(ValueError, match="payload of 8272 characters fits no QR symbol") as caught:
        QRCode(payload=LETTERS * 4)
    assert LETTERS[:12] not in str(caught.value)


@pytest.mark.parametrize("method", ["svg", "png", "terminal"])
@pytest.mark.parametrize(
    ("border", "refusal"),
    [
        (-1, pytest.raises(ValueError, match="border must be at least 0, not -1")),
        (1.5, pytest.raises(TypeError, match="border must be an int, not float")),
        ("4", pytest.raises(TypeError, match="border must be an int, not str")),
    ],
)
def test_a_border_that_is_not_a_count_is_refused(
    method: str, border: object, refusal: Refusal
) -> None:
    """There is no such thing."""
    with refusal:
        getattr(QRCode(payload="x"), method)(border=border)


@pytest.mark.parametrize(
    ("scale", "refusal"),
    [
        (0, pytest.raises(ValueError, match="scale must be at least 1, not 0")),
        (-8, pytest.raises(ValueError, match="scale must be at least 1, not -8")),
        (2.5, pytest.raises(TypeError, match="scale must be an int, not float")),
    ],
)
def test_a_scale_below_one_pixel_is_refused(scale: object, refusal: Refusal) -> None:
    """There is no such image."""
    with refusal:
        QRCode(payload="x").png(scale=scale)  # type: ignore[arg-type]  # on purpose

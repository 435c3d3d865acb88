"""Image files are told by their bytes, and a whole one from a truncated one."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from plugchat_async._image_formats import is_whole, media_type, without_metadata


def stored(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """Store 15 shades of grey; one of them is the byte that also ends a GIF."""
    image = Image.frombytes("L", (5, 3), bytes(range(46, 61))).convert(mode)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


FILES = [
    pytest.param(stored("PNG"), "image/png", id="png"),
    pytest.param(stored("PNG", "P"), "image/png", id="png with a palette"),
    pytest.param(stored("PNG", dpi=(72, 72)), "image/png", id="png with metadata"),
    pytest.param(stored("JPEG"), "image/jpeg", id="jpeg"),
    pytest.param(stored("JPEG", progressive=True), "image/jpeg", id="progressive jpeg"),
    pytest.param(stored("JPEG", "L", comment="hi"), "image/jpeg", id="jpeg with a comment"),
    pytest.param(stored("GIF"), "image/gif", id="gif 87a"),
    pytest.param(stored("GIF", comment="hi"), "image/gif", id="gif 89a"),
    pytest.param(stored("WEBP"), "image/webp", id="webp"),
    pytest.param(stored("WEBP", lossless=True), "image/webp", id="lossless webp"),
    pytest.param(stored("WEBP", "RGBA"), "image/webp", id="webp with transparency"),
]

real_files = pytest.mark.parametrize(("data", "kind"), FILES)


@real_files
def test_a_real_file_is_told_by_its_bytes(data: bytes, kind: str) -> None:
    """Each of the four formats that browsers show is named, and is whole."""
    assert media_type(data) == kind
    assert is_whole(data)


def test_both_ages_of_gif_are_among_the_files() -> None:
    """GIF87a and GIF89a begin differently."""
    assert stored("GIF").startswith(b"GIF87a")
    assert stored("GIF", comment="hi").startswith(b"GIF89a")


@real_files
def test_no_truncation_is_whole(data: bytes, kind: str) -> None:
    """Wherever a file breaks off, the part that came is refused, even if it is still told."""
    told = [length for length in range(len(data)) if media_type(data[:length]) == kind]
    assert len(told) >= len(data) - 12
    assert not any(is_whole(data[:length]) for length in range(len(data)))


@pytest.mark.parametrize("more", [b"\n", b"\x00\x00", b"<!-- sent by a proxy -->"])
def test_bytes_after_the_end_of_a_png_do_no_harm(more: bytes) -> None:
    """Readers stop at IEND, and so does the check."""
    assert is_whole(stored("PNG") + more)


@pytest.mark.parametrize("more", [b"\n", b"\r\n", b"\x00"])
def test_padding_after_the_end_of_a_jpeg_does_no_harm(more: bytes) -> None:
    """Cameras and gateways pad JPEG files."""
    assert is_whole(stored("JPEG") + more)


def test_bytes_after_the_end_of_a_webp_do_no_harm() -> None:
    """The file says itself how long it is."""
    assert is_whole(stored("WEBP") + b"\n")


def test_a_png_whose_last_chunk_lies_about_its_length_is_not_whole() -> None:
    """IEND has to be there with all that it announces."""
    assert not is_whole(stored("PNG")[:-12] + b"\x00\x00\x00\x05IEND\xaeB`\x82")


def test_a_png_without_its_metadata_has_the_same_pixels() -> None:
    """Palette and transparency belong to them; texts, profiles and times do not."""
    plain = stored("PNG", "P", transparency=0)
    text = PngInfo()
    text.add_text("k", "a text" * 99, zip=True)
    assert without_metadata(stored("PNG", "P", transparency=0, pnginfo=text, dpi=(9, 9))) == plain


@real_files
def test_without_metadata_is_still_a_whole_file(data: bytes, kind: str) -> None:
    """Only PNGs lose any, and stay PNGs."""
    assert is_whole(without_metadata(data))
    assert without_metadata(data) == data or kind == "image/png"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', id="svg"),
        pytest.param(b'<?xml version="1.0"?><svg/>', id="svg with a declaration"),
        pytest.param(stored("BMP"), id="bmp"),
        pytest.param(stored("TIFF"), id="tiff"),
        pytest.param(stored("ICO", sizes=[(3, 3)]), id="ico"),
        pytest.param(stored("PDF"), id="pdf"),
        pytest.param(b"RIFF\x24\x00\x00\x00WAVEfmt ", id="wave"),
        pytest.param(b"GIF88a\x01\x00\x01\x00;", id="no gif"),
        pytest.param(b"<!doctype html><title>502</title>", id="html"),
        pytest.param(b"2@AbCdEf", id="text"),
        pytest.param(b" " + stored("PNG"), id="png after a blank"),
        pytest.param(b"\x89PNG", id="half of the magic"),
        pytest.param(b"", id="empty"),
    ],
)
def test_anything_else_is_not_an_image(data: bytes) -> None:
    """Any other file has no type, and is never whole."""
    assert media_type(data) is None
    assert not is_whole(data)


def test_an_end_inside_of_a_jpeg_is_not_its_end() -> None:
    """A thumbnail in the metadata has a separate one."""
    whole = stored("JPEG", comment=b"\xff\xd8 a thumbnail \xff\xd9")
    assert is_whole(whole)
    cut = whole[: whole.index(b"\xff\xd9") + 2]
    assert media_type(cut) == "image/jpeg"
    assert not is_whole(cut)


def test_an_end_inside_of_a_gif_is_not_its_end() -> None:
    """A table of colours or a comment may hold the bytes that end a file."""
    whole = stored("GIF", comment=b"\x00;")
    assert is_whole(whole)
    for start in range(len(whole) - 2):
        if whole[start : start + 2] == b"\x00;":
            assert not is_whole(whole[: start + 2]) or start + 2 == len(whole)


def test_a_gif_with_a_table_of_colours_for_one_frame_is_whole() -> None:
    """Animations may have one in each frame."""
    frames = [Image.new("P", (2, 2), shade) for shade in range(2)]
    for shade, frame in enumerate(frames):
        frame.putpalette(bytes([shade * 99, 0, 0, 255, 255, shade]))
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert is_whole(file.getvalue())

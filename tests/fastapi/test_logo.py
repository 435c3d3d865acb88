"""Which files may be a logo."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from plugchat_async.fastapi._logo import read_logo

if TYPE_CHECKING:
    from pathlib import Path

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'


def drawn(kind: str) -> bytes:
    """Draw a small image."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "purple").save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (drawn("PNG"), "image/png"),
        (drawn("WEBP"), "image/webp"),
        (SVG.format('<path d="M0 0h8"/>').encode(), "image/svg+xml"),
        (
            b'<?xml version="1.0"?>\n<?drawn by="hand"?><!DOCTYPE svg>\n' + SVG.format("").encode(),
            "image/svg+xml",
        ),
        (SVG.format('<use href="#a"/><use xlink:href="#b"/>').encode(), "image/svg+xml"),
        (SVG.format('<image href="data:image/png;base64,AA=="/>').encode(), "image/svg+xml"),
        (SVG.format('<g fill="url(#a)" style="mask: url( \'#b\' )"/>').encode(), "image/svg+xml"),
        (
            SVG.format("<style>a { src: url(data:font/woff2,A) }</style>@import").encode(),
            "image/svg+xml",
        ),
    ],
    ids=[
        "PNG",
        "WebP",
        "SVG",
        "SVG with a doctype",
        "SVG that refers to itself",
        "SVG with an image",
        "SVG that fills from itself",
        "SVG with a font",
    ],
)
def test_a_logo_becomes_a_data_uri(tmp_path: Path, data: bytes, media_type: str) -> None:
    """Unchanged, and of the type that its bytes have."""
    path = tmp_path / "logo"
    path.write_bytes(data)
    head, _, encoded = read_logo(path).partition(",")
    assert head == f"data:{media_type};base64"
    assert base64.b64decode(encoded) == data
    assert read_logo(str(path)) == read_logo(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(64 * 1024), "larger than 64 KiB"),
        (drawn("PNG")[:-8], "cut off"),
        (drawn("GIF"), "not image/gif"),
        (drawn("JPEG"), "not image/jpeg"),
        (b"", "no element found"),
        (b"a logo", "syntax error"),
        (b"<html/>", "root element is not <svg>"),
        (b"<svg/>", "root element is not <svg>"),
        (SVG.format("<script>alert(1)</script>").encode(), "<script>"),
        (SVG.format("<foreignObject/>").encode(), "<foreignObject>"),
        (SVG.format("<SCRIPT/>").encode(), "<SCRIPT>"),
        (SVG.format('<p xmlns="http://www.w3.org/1999/xhtml"/>').encode(), "<p>"),
        (SVG.format('<g onload="alert(1)"/>').encode(), "attribute onload"),
        (SVG.format('<a href="javascript:alert(1)"/>').encode(), "another file or address"),
        (SVG.format('<image href="logo.png"/>').encode(), "another file or address"),
        (SVG.format('<use xlink:href="https://e.example/#a"/>').encode(), "another file"),
        (SVG.format('<use href="#a" xml:base="https://e.example/"/>').encode(), "another file"),
        (SVG.format('<g fill="url(a.svg#b)"/>').encode(), r"another .* at 'url\(a\.svg#b\)'"),
        (SVG.format("<g style=\"mask: URL( '//e.example/a')\"/>").encode(), "another file"),
        (SVG.format('<g style="fill: \\75rl(//e.example/a)"/>').encode(), "an escape"),
        (SVG.format("<style>a { src: url(a.woff) }</style>").encode(), "as a data: URL"),
        (SVG.format("<style>&#64;import 'a.css';</style>").encode(), "@import"),
        (SVG.format("<style><![CDATA[a { b: image-set('a' 1x) }]]></style>").encode(), "image-set"),
        (SVG.format('<set attributeName="xlink:href" to="a.png"/>').encode(), "by an animation"),
        (b'<?xml-stylesheet href="a.css"?>' + SVG.format("").encode(), "style sheet in another"),
        (b'<!DOCTYPE svg [<!ATTLIST svg onload CDATA "a">]>' + SVG.format("").encode(), "onload"),
        (b'<?xml version="1.0" encoding="utf-7"?>' + SVG.format("").encode(), "as an SVG"),
        (b'<?xml version="1.0" encoding="none"?>' + SVG.format("").encode(), "as an SVG"),
        (b'<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + SVG.format("&a;").encode(), "entity"),
        (b"\xff\xfe" + SVG.format("<script/>").encode("utf-16-le"), "<script>"),
    ],
)
def test_a_file_that_is_not_a_safe_image_is_refused(
    tmp_path: Path, data: bytes, message: str
) -> None:
    """Whatever its name says."""
    path = tmp_path / "logo.png"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_logo(path)


def test_a_logo_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(ValueError, match=r"No such file.*nothing\.png"):
        read_logo(tmp_path / "nothing.png")
    with pytest.raises(ValueError, match="Is a directory"):
        read_logo(tmp_path)


def test_a_logo_is_a_path() -> None:
    """Bytes could be either."""
    with pytest.raises(TypeError, match="must be a path"):
        read_logo(drawn("PNG"))  # type: ignore[arg-type]  # on purpose

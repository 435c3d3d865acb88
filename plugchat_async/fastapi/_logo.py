"""A logo that goes into the page itself: checked, and as a data URI."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from pathlib import Path
from xml.parsers import expat

from plugchat_async._image_formats import is_whole, media_type

_MAX_BYTES = 64 * 1024
_SVG = "http://www.w3.org/2000/svg"
_XHTML = "http://www.w3.org/1999/xhtml"
_FORBIDDEN_ELEMENTS = {"script", "foreignobject"}

# In a style sheet, in an attribute such as `fill`, and in the values of an animation.
_URL = r"""url\(\s*["']?\s*(?!\s|["']|#|data:)"""
_LOADED_BY_CSS = rf"{_URL}|@import|image-set\(|src\("


class _UnsafeSVG(ValueError):
    """Raised for an SVG that is well-formed, but not a plain image."""


def read_logo(path: str | os.PathLike[str]) -> str:
    """Return the data URI of a PNG, SVG or WebP file.

    Args:
        path: The file, of at most 64 KiB.

    Raises:
        TypeError: It is not a path.
        ValueError: It can't be read, is too large, is not an image of these kinds, has a script, or
            refers to other files.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"logo must be a path, not {type(path).__name__}")
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"logo: {error.strerror}: {str(path)!r}") from error
    if len(data) > _MAX_BYTES:
        raise ValueError("logo is larger than 64 KiB: it is sent with every page; save it smaller")
    return f"data:{_check(data)};base64,{b64encode(data).decode()}"


def _check(data: bytes) -> str:
    kind = media_type(data)
    if kind in {"image/png", "image/webp"}:
        if not is_whole(data):
            raise ValueError("logo is cut off: save it again")
        return kind
    if kind is None:
        _check_svg(data)
        return "image/svg+xml"
    raise ValueError(f"logo must be a PNG, SVG or WebP image, not {kind}")


def _check_svg(data: bytes) -> None:
    parser = expat.ParserCreate(namespace_separator=" ")
    elements: list[str] = []

    def enter(name: str, attributes: dict[str, str]) -> None:
        namespace, _, local_name = name.rpartition(" ")
        if not elements and (namespace, local_name) != (_SVG, "svg"):
            raise _UnsafeSVG("logo must be a PNG, SVG or WebP image: its root element is not <svg>")
        elements.append(local_name)
        if namespace == _XHTML or local_name.lower() in _FORBIDDEN_ELEMENTS:
            raise _UnsafeSVG(f"logo has a <{local_name}> element: save it as a plain SVG")
        for attribute, value in attributes.items():
            _check_attribute(attribute.rpartition(" ")[2].lower(), value)

    def leave(_: str) -> None:
        elements.pop()

    def read_text(text: str) -> None:
        if elements[-1] == "style":
            style_sheet.append(text)

    def refuse_entity(*_: object) -> None:
        raise _UnsafeSVG("logo declares an XML entity: save it as a plain SVG")

    def refuse_style_sheet(target: str, _: str) -> None:
        if target == "xml-stylesheet":
            raise _UnsafeSVG("logo has its style sheet in another file: save it as a plain SVG")

    style_sheet: list[str] = []
    parser.StartElementHandler = enter
    parser.EndElementHandler = leave
    parser.CharacterDataHandler = read_text
    parser.EntityDeclHandler = refuse_entity
    parser.ProcessingInstructionHandler = refuse_style_sheet
    try:
        parser.Parse(data, True)
    except _UnsafeSVG:
        raise
    # Of an encoding that it can't read, expat itself raises the other two.
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise ValueError(f"logo must be a PNG, SVG or WebP image: as an SVG, {error}") from error
    _check_css("".join(style_sheet))


def _check_attribute(name: str, value: str) -> None:
    if name.startswith("on"):
        raise _UnsafeSVG(f"logo has a script in its attribute {name}: save it as a plain SVG")
    if name == "attributename" and value.lower().endswith("href"):
        raise _UnsafeSVG("logo changes an address by an animation: save it as a plain SVG")
    if name == "base" or (name == "href" and not value.strip().startswith(("#", "data:image/"))):
        raise _refers_to(value)
    if name == "style":
        _check_css(value)
    elif loaded := re.search(_URL, value, re.IGNORECASE):
        raise _refers_to(value[loaded.start() :])


def _check_css(css: str) -> None:
    if "\\" in css:  # `\75rl(` is `url(` as well
        raise _UnsafeSVG("logo has an escape in its style sheet: save it as a plain SVG")
    if loaded := re.search(_LOADED_BY_CSS, css, re.IGNORECASE):
        raise _refers_to(css[loaded.start() :])


def _refers_to(address: str) -> _UnsafeSVG:
    return _UnsafeSVG(
        f"logo refers to another file or address at {address[:40]!r}, which browsers do not load:"
        " embed it as a data: URL, or save the logo as a plain SVG"
    )

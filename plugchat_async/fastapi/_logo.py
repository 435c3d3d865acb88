"""A logo that goes into the page itself: checked, and as a data URI."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path
from xml.parsers import expat

from plugchat_async._image_formats import is_whole, media_type

_MAX_BYTES = 64 * 1024
_SVG = "http://www.w3.org/2000/svg"
_FORBIDDEN_ELEMENTS = {"script", "foreignObject"}


def read_logo(path: str | os.PathLike[str]) -> str:
    """Return the data URI of a PNG, SVG or WebP file.

    Args:
        path: The file, of at most 64 KiB.

    Raises:
        TypeError: It is not a path.
        ValueError: It can't be read, is too large, is not an image of these kinds, or has script.
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
            raise ValueError("logo must be a PNG, SVG or WebP image: its root element is not <svg>")
        elements.append(local_name)
        if local_name in _FORBIDDEN_ELEMENTS:
            raise ValueError(f"logo has a <{local_name}> element: save it as a plain SVG")
        for attribute, value in attributes.items():
            _check_attribute(attribute.rpartition(" ")[2], value)

    def refuse_entity(*_: object) -> None:
        raise ValueError("logo declares an XML entity: save it as a plain SVG")

    parser.StartElementHandler = enter
    parser.EntityDeclHandler = refuse_entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(f"logo must be a PNG, SVG or WebP image: as an SVG, {error}") from error


def _check_attribute(name: str, value: str) -> None:
    if name.lower().startswith("on"):
        raise ValueError(f"logo has a script in its attribute {name}: save it as a plain SVG")
    if name == "href" and not value.strip().startswith(("#", "data:image/")):
        raise ValueError("logo refers to another file or address: embed what it refers to")

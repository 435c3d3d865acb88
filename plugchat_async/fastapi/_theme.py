"""The page in a product's own name and colours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from ._logo import read_logo
from ._unicode import check_unicode

if TYPE_CHECKING:
    import os

# What WCAG 2.2 asks of text at level AA (success criterion 1.4.3).
_MIN_CONTRAST = 4.5
_MAX_RADIUS = 40


ColorScheme: TypeAlias = Literal["light", "dark"]

# The media query under which the page is dark.
_DARK_IF: Final[dict[ColorScheme | None, str]] = {
    None: "(prefers-color-scheme: dark)",
    "light": "not all",
    "dark": "all",
}


class Ground(NamedTuple):
    """Surfaces of page.css on which the accent is text, in one of the two colour schemes."""

    name: str
    surfaces: tuple[str, ...]


LIGHT: Final = Ground("light", ("#ffffff", "#f1f5f2"))
DARK: Final = Ground("dark", ("#161e1a", "#1d2722"))


class PairingTheme:
    """Name, logo and colours of the product that the pairing page belongs to.

    The QR code stays black on white, whatever the theme is.

    Args:
        name: The product's name, at the top of the page and in the window's title.
        logo: A PNG, SVG or WebP file of at most 64 KiB. The page holds it, and shows it instead of
            the name.
        accent: Colour of buttons and signs, such as `#5b21b6`, with a contrast of at least 4.5:1
            against the page's light surfaces.
        accent_dark: The same for dark mode. None lightens `accent` as far as dark mode needs.
        radius: Radius of the corners in pixels, from 0 to 40.
        show_title: Whether the title is visible; screen readers read it in any case.
        color_scheme: The one mode that the page has, such as that of the site which frames it;
            None follows the system.

    Raises:
        ValueError: A colour is not one or lacks contrast, the radius is out of range, or the logo
            is not an image that the page can hold.
        TypeError: An argument is of the wrong type.
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        logo: str | os.PathLike[str] | None = None,
        accent: str | None = None,
        accent_dark: str | None = None,
        radius: int | None = None,
        show_title: bool = True,
        color_scheme: ColorScheme | None = None,
    ) -> None:
        if color_scheme not in _DARK_IF:
            raise ValueError(f"color_scheme must be 'light', 'dark' or None, not {color_scheme!r}")
        if not isinstance(show_title, bool):
            raise TypeError("show_title must be a bool")
        self.name: str | None = _check_name(name)
        self.logo_uri: str | None = None if logo is None else read_logo(logo)
        self.show_title: bool = show_title
        self.color_schemes: str = color_scheme or "light dark"
        self.dark_if: str = _DARK_IF[color_scheme]
        self.stylesheet: str = (
            f":root {{ color-scheme: {self.color_schemes}; }}\n"
            + _accents(accent, accent_dark, self.dark_if)
            + _corners(radius)
        )


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours by WCAG 2.2, from 1 to 21."""
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def _accents(light: str | None, dark: str | None, dark_if: str) -> str:
    sheet = ""
    if light is not None:
        light = _hex("accent", light)
        sheet = f":root {{ {_accent('accent', light, LIGHT)} }}\n"
        dark = _lighten(light) if dark is None else dark
    if dark is not None:
        declarations = _accent("accent_dark", _hex("accent_dark", dark), DARK)
        sheet += f"@media {dark_if} {{ :root {{ {declarations} }} }}\n"
    return sheet


def _accent(argument: str, colour: str, ground: Ground) -> str:
    ratio = _least_contrast(colour, ground)
    if ratio < _MIN_CONTRAST:
        wanted = "darker" if ground is LIGHT else "lighter"
        raise ValueError(
            f"{argument} {colour} has a contrast of {ratio:.2f}:1 against the page's {ground.name}"
            f" surfaces, and text needs {_MIN_CONTRAST}:1: choose a {wanted} colour"
        )
    text = max(("#ffffff", "#000000"), key=lambda each: contrast(each, colour))
    return f"--accent: {colour}; --on-accent: {text};"


def _least_contrast(colour: str, ground: Ground) -> float:
    return min(contrast(colour, each) for each in ground.surfaces)


def _lighten(colour: str) -> str:
    # White itself has a contrast of 15:1 against the dark surfaces.
    mixed = (_mix_with_white(colour, percent) for percent in range(101))
    return next(each for each in mixed if _least_contrast(each, DARK) >= _MIN_CONTRAST)


def _mix_with_white(colour: str, percent: int) -> str:
    mixed = (value + (255 - value) * percent // 100 for value in bytes.fromhex(colour[1:]))
    return f"#{bytes(mixed).hex()}"


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(value / 255) for value in bytes.fromhex(colour[1:]))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _hex(argument: str, colour: str) -> str:
    if not isinstance(colour, str):
        raise TypeError(f"{argument} must be a str, not {type(colour).__name__}")
    if re.fullmatch(r"#[0-9a-fA-F]{3}", colour):
        return "#" + "".join(digit * 2 for digit in colour[1:].lower())
    if re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        return colour.lower()
    raise ValueError(f"{argument} must be a colour such as #5b21b6, not {colour!r}")


def _corners(radius: int | None) -> str:
    if radius is None:
        return ""
    if isinstance(radius, bool) or not isinstance(radius, int):
        raise TypeError(f"radius must be an int, not {type(radius).__name__}")
    if not 0 <= radius <= _MAX_RADIUS:
        raise ValueError(f"radius must be from 0 to {_MAX_RADIUS} pixels, not {radius}")
    return f":root {{ --radius: {radius}px; --pill: {radius}px; }}\n"


def _check_name(name: str | None) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    check_unicode("name", name)
    if not name.strip():
        raise ValueError("name is empty: leave it out instead")
    return name.strip()

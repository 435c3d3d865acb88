"""The page in a product's name and colours."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from plugchat_async.fastapi import PairingTheme
from plugchat_async.fastapi._theme import DARK, LIGHT, contrast

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),
        ("#767676", "#ffffff", 4.54),
        ("#ff0000", "#ffffff", 4.0),
        ("#ffffff", "#0000ff", 8.59),
    ],
)
def test_contrast_is_that_of_wcag(first: str, second: str, ratio: float) -> None:
    """The ratios are those of other checkers, whichever colour comes first."""
    assert contrast(first, second) == contrast(second, first) == pytest.approx(ratio, abs=0.005)


def test_the_surfaces_are_those_of_the_page() -> None:
    """Contrast is checked against the colours that page.css has."""
    css = files("plugchat_async.fastapi").joinpath("page", "page.css").read_text("utf-8")
    surfaces = re.findall(r"--(?:surface|well): (#\w+);", css)
    assert surfaces == ["#fff", "#f1f5f2", "#161e1a", "#1d2722"]
    assert (LIGHT.surfaces, DARK.surfaces) == (("#ffffff", surfaces[1]), tuple(surfaces[2:]))


def declared(theme: PairingTheme, name: str) -> list[str]:
    """Return the values of a custom property, light before dark."""
    return re.findall(rf"--{name}: ([^;]+);", theme.stylesheet)


def test_a_theme_without_arguments_changes_nothing() -> None:
    """The page then has its own colours and corners."""
    theme = PairingTheme()
    assert theme.stylesheet == ":root { color-scheme: light dark; }\n"
    assert (theme.name, theme.logo_uri, theme.show_title) == (None, None, True)


def test_each_mode_has_its_accent_and_legible_text_on_it() -> None:
    """Black or white, whichever is the more legible."""
    theme = PairingTheme(accent="#5B21B6", accent_dark="#a7f", radius=12)
    assert declared(theme, "accent") == ["#5b21b6", "#aa77ff"]
    assert declared(theme, "on-accent") == ["#ffffff", "#000000"]
    assert declared(theme, "radius") == declared(theme, "pill") == ["12px"]
    assert declared(PairingTheme(accent_dark="#a78bfa"), "accent") == ["#a78bfa"]


@pytest.mark.parametrize("accent", ["#000", "#00f", "#5b21b6", "#0a7350", "#b3261e"])
def test_an_accent_is_lightened_for_dark_mode(accent: str) -> None:
    """As far as text needs, so that one colour is enough."""
    _, dark = declared(PairingTheme(accent=accent), "accent")
    assert 4.5 <= min(contrast(dark, surface) for surface in DARK.surfaces) < 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"accent": "#ffcc00"}, r"accent #ffcc00 has a contrast of 1\.\d\d:1 .* darker"),
        ({"accent": "#767676"}, r"4\.1\d:1"),
        ({"accent_dark": "#5b21b6"}, r"accent_dark #5b21b6 has a contrast of 1\.\d\d:1 .* lighter"),
        ({"accent": "purple"}, "must be a colour such as #5b21b6"),
        ({"accent": "#5b21b6;}"}, "must be a colour"),
        ({"accent_dark": "#12"}, "must be a colour"),
        ({"radius": -1}, "from 0 to 40"),
        ({"radius": 41}, "from 0 to 40"),
        ({"name": "  "}, "name is empty"),
        ({"name": "A\udc80"}, "name has half of a surrogate pair"),
        ({"color_scheme": "sepia"}, "must be 'light', 'dark' or None, not 'sepia'"),
    ],
)
def test_a_setting_that_cannot_be_read_or_drawn_is_refused(
    arguments: dict[str, Any], message: str
) -> None:
    """With the reason and a way out."""
    with pytest.raises(ValueError, match=message):
        PairingTheme(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"name": 1}, {"accent": 0x5B21B6}, {"radius": 1.5}, {"radius": True}, {"show_title": "no"}],
)
def test_arguments_of_another_type_are_refused(arguments: dict[str, Any]) -> None:
    """When the theme is made, not when a page is."""
    with pytest.raises(TypeError, match="must be a"):
        PairingTheme(**arguments)


def test_a_theme_holds_its_logo(tmp_path: Path) -> None:
    """The file is read once, at the start."""
    path = tmp_path / "logo.svg"
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>', "utf-8")
    theme = PairingTheme(name=" Acme ", logo=path)
    path.unlink()
    assert theme.name == "Acme"
    assert str(theme.logo_uri).startswith("data:image/svg+xml;base64,")

"""A real reader reads exactly the payload in the sandbox's images."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from plugchat_async.sandbox import Sandbox
from plugchat_async.sandbox._drawing import jpeg, png
from plugchat_async.sandbox._instance import Instance
from tests.camera import read_codes

if TYPE_CHECKING:
    from collections.abc import Callable
    from unittest.mock import Mock


@pytest.mark.parametrize(("draw", "kind"), [(png, "PNG"), (jpeg, "JPEG")])
def test_an_image_is_of_its_kind_and_reads_back(
    draw: Callable[[str], bytes], kind: str, clock: Mock
) -> None:
    """Both forms of a code survive being drawn, as do payloads of other lengths."""
    instance = Instance("token-a", 1, clock)
    for payload in (instance.issue(), instance.issue(), "x", "x" * 1000):
        image = Image.open(io.BytesIO(draw(payload)))
        assert image.format == kind
        assert read_codes(image) == [payload]


def test_a_jpeg_without_pillow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the one response that needs more than the sandbox's extra."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"plugchat-async\[decode\]"):
        jpeg("2@a,b,c,d")


def test_ordering_a_jpeg_without_pillow_is_refused_immediately(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Later, when the response is due, it would look like a failure of the server."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"plugchat-async\[decode\]"):
        Sandbox().answer_next("image_jpeg")

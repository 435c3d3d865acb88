"""Recognizing the requests of browsers that are about to show the page and run its script. Pure.

By Fetch Metadata, https://www.w3.org/TR/fetch-metadata/, which browsers send over https and to
their own machine. HTTP clients and most programs that look into links do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.datastructures import Headers

_WANTED_SITES = {"none", "same-origin", "same-site"}


def is_navigation(headers: Headers) -> bool:
    """Return whether a person opens the page in a window, from this site or by its address.

    Neither a frame is that, nor a page that is fetched before somebody wants to see it.

    Args:
        headers: The request's headers.
    """
    return (
        headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and headers.get("sec-fetch-site") in _WANTED_SITES
        and "sec-purpose" not in headers
        and "purpose" not in headers
    )

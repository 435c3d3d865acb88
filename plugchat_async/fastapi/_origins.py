"""The check that a button was pressed on a page of this origin."""

import logging
import re
from typing import Annotated

from fastapi import Header, HTTPException

from ._security_headers import SECURITY_HEADERS

logger = logging.getLogger("plugchat_async")

# A scheme's own port may be named or left out.
_ITS_OWN_PORT = r":(80|443)$"


def require_same_origin(
    host: Annotated[str, Header(include_in_schema=False)] = "",
    origin: Annotated[str | None, Header(include_in_schema=False)] = None,
    sec_fetch_site: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> None:
    """Refuse, as a dependency, what a page of another origin made a browser send.

    A browser says by `Sec-Fetch-Site` where a request comes from, or, over plain http, by
    `Origin`. A request with neither is not a browser's, hence no other page made it.
    """
    if sec_fetch_site is not None:
        is_ours = sec_fetch_site in {"same-origin", "none"}
        reason = f"its Sec-Fetch-Site is {sec_fetch_site!r}"
    else:
        is_ours = origin is None or _authority(origin.partition("://")[2]) == _authority(host)
        reason = (
            f"its Origin is {origin!r}, and its Host is {host!r}; if a proxy in front changes Host,"
            " have it pass on the browser's, with the port"
            " (nginx: proxy_set_header Host $http_host)"
        )
    if not is_ours:
        # Not its path, which may end in a ticket.
        logger.warning("refused a button of the pairing page, as another origin's: %s", reason)
        raise HTTPException(403, "this has to come from the pairing page itself", SECURITY_HEADERS)


def _authority(text: str) -> str:
    # The scheme is left out: a proxy that ends TLS hides the one that the browser sees.
    return re.sub(_ITS_OWN_PORT, "", text.lower())

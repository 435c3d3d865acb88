"""What a server sends beyond its answer, which the next call would take for an answer to itself."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from .pool import close

if TYPE_CHECKING:
    import httpx

# httpcore closes an idle connection on which something came, but looks at the socket alone: what it
# has read already it keeps in h11's buffer, to which no public name leads.
_connection_of = attrgetter("stream._stream._httpcore_stream._stream._connection")
_trailing_data_of = attrgetter("_h11_state.trailing_data")


async def close_after_surplus(response: httpx.Response) -> None:
    """Close the connection if more came than the answer (RFC 9112, section 9.2).

    On connections that work otherwise, HTTP/2 and aiohttp's among them, it does nothing.
    """
    try:
        connection = _connection_of(response)
        surplus, _ = _trailing_data_of(connection)
    except AttributeError:
        return
    if surplus:
        await close(connection)

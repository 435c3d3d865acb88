"""Text that can be sent: a lone surrogate may be part of a `str`, but not of UTF-8. Pure."""

from __future__ import annotations

from plugchat_async._arguments import has_surrogate


def check_unicode(argument: str, text: str) -> None:
    """Refuse text that can't be encoded as UTF-8.

    Args:
        argument: What the text is passed as.
        text: The text.

    Raises:
        ValueError: It has a lone surrogate.
    """
    if has_surrogate(text):
        raise ValueError(
            f"{argument} has half of a surrogate pair, which UTF-8 does not encode: check how it"
            " was decoded"
        )

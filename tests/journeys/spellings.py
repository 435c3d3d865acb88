"""Secrets of the tests, and the ways in which logs, pages and protocols spell them."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import escape

if TYPE_CHECKING:
    from collections.abc import Callable

# Each has a plain run of more than 12 characters, and signs that most writers escape.
TOKEN = "F3A9-tenant-7C21'\"\\/&<+="
SECOND_TOKEN = "B6D0-second-9E84\"'\\/&<+="
PAYLOAD = "2@" + "-and,".join(f"Qx7Lk{part}vRé'\"\\/&<+=" for part in range(6))

SECRETS = {"the token": TOKEN, "the second token": SECOND_TOKEN, "the code": PAYLOAD}

SPELLED: dict[str, Callable[[str], str]] = {
    "unchanged": str,
    "in upper case": str.upper,
    "in lower case": str.lower,
    "JSON": json.dumps,
    "JSON in Unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON with slashes escaped": lambda text: json.dumps(text).replace("/", r"\/"),
    "JSON in a page": lambda text: str(htmlsafe_json_dumps(text)),
    "repr": repr,
    "repr beside another quotation mark": lambda text: repr(f"'\"{text}"),
    "ascii": ascii,
    "repr of bytes": lambda text: repr(text.encode()),
    "HTML": html.escape,
    "HTML by Jinja": lambda text: str(escape(text)),
    "HTML between tags": lambda text: html.escape(text, quote=False),
    "URL-quoted": lambda text: quote(text, safe=""),
    "URL-quoted in a path": quote,
    "URL-quoted in a form": quote_plus,
    "URL-quoted in lower case": lambda text: quote(text, safe="").lower(),
    "hex": lambda text: text.encode().hex(),
    "hex in upper case": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 after a byte": lambda text: base64.b64encode(f"?{text}?".encode()).decode(),
    "base64 after two bytes": lambda text: base64.b64encode(f"??{text}??".encode()).decode(),
    "base64 of URLs": lambda text: base64.urlsafe_b64encode(f"{text}??>".encode()).decode(),
}

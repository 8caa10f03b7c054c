"""Functions of texts that compiled expressions and the library share: the library's own do something else, or without bound."""

from __future__ import annotations

from urllib.parse import quote

from express.runtime.jsonata_of_aws import Complaint

UNRESERVED = "-_.!~*'()"
OF_URLS = UNRESERVED + ";/?:@&=+$,#"


def pad(text: str, width: float, filler: str) -> str:
    """``text`` with fillers behind it, or before it for a width below 0, until it has that many characters."""
    missing = int(abs(width)) - len(text)
    if missing <= 0:
        return text
    filler = filler or " "
    filling = (filler * (missing // len(filler) + 1))[:missing]
    return text + filling if width > 0 else filling + text


def encode_url_component(text: str) -> str:
    """Raises Complaint for half a character."""
    return _quoted(text, UNRESERVED, "encodeUrlComponent")


def encode_url(text: str) -> str:
    """Raises Complaint for half a character."""
    return _quoted(text, OF_URLS, "encodeUrl")


def _quoted(text: str, safe: str, function: str) -> str:
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:
        raise Complaint("D3140", f"Malformed URL passed to ${function}(): {text!a}") from None

"""An answer in; the result of ``http:invoke``, or the failure that AWS makes of it. Nothing is read or unpacked beyond what fits."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
from aiohttp import ClientResponse

from express.runtime.failures import StateError
from express.runtime.limits import PAYLOAD
from express.runtime.values import loads

CAUSE = 32_768  # characters of a body that become a cause; AWS cuts there
_UNREADABLE = ("application/octet-stream", "image/", "video/", "audio/")
_CHARSETS = {"utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "ascii", "ascii": "ascii", "iso-8859-1": "latin-1", "latin-1": "latin-1",
             "windows-1252": "cp1252", "utf-16": "utf-16"}  # fmt: skip
_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class Answer(msgspec.Struct):
    """``size``: bytes that its parts had as they came."""

    value: dict[str, Any]
    size: int


async def read(answer: ClientResponse, most: int = PAYLOAD) -> bytes:
    """The body, unpacked; StateError ``States.DataLimitExceeded`` as soon as it has more than ``most`` bytes, packed or not."""
    length = answer.content_length
    if length is not None and length > most and answer.method != "HEAD":
        raise _too_large(most)
    packing = answer.headers.get("Content-Encoding", "").strip().lower()
    chunks: list[bytes] = []
    size = 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    return body if packing in ("", "identity") or not body else _unpacked(body, packing, most)


def _too_large(most: int) -> StateError:
    return StateError("States.DataLimitExceeded", f"The answer has more than the {most} bytes that a payload can have.")


def _unpacked(body: bytes, packing: str, most: int) -> bytes:
    """One layer of gzip or deflate: what was packed twice was packed to be large."""
    window = _WINDOWS.get(packing)
    if window is None:
        raise StateError("States.Runtime", f"The answer is packed as {packing[:40]!r}, which was not asked for and cannot be read.")
    if packing == "deflate" and body[0] & 0x0F != 8:
        window = -zlib.MAX_WBITS  # without zlib's header, as some servers have it
    unpacking = zlib.decompressobj(wbits=window)
    try:
        made = unpacking.decompress(body, most + 1)
    except zlib.error:
        raise StateError("States.Runtime", f"The answer says that it is packed as {packing}, and is not.") from None
    if len(made) > most:
        raise _too_large(most)
    if not unpacking.eof:
        raise StateError("States.Runtime", f"The answer's {packing} data end too soon.")
    return made


def result(answer: ClientResponse, body: bytes) -> Answer:
    """StateError ``States.Http.StatusCode.NNN``, with the body as cause, for what is not 2xx; ``States.Runtime`` for what is no text."""
    content = answer.headers.get("Content-Type", "").lower()
    kind = content.partition(";")[0].strip()
    text = _text(body, content, kind)
    if not 200 <= answer.status < 300:
        raise StateError(f"States.Http.StatusCode.{answer.status}", text[:CAUSE])
    parsed: Any = text
    if text and (kind == "application/json" or kind.endswith("+json")):
        try:
            parsed = loads(text)
        except ValueError:
            parsed = text
    headers: dict[str, list[str]] = {}
    size = len(body)
    for raw, content_of in answer.raw_headers:
        size += len(raw) + len(content_of)
        # Names in lower case, as in what AWS shows: a path must not depend on how a server spells them
        headers.setdefault(raw.decode("latin-1").lower(), []).append(content_of.decode("utf-8", "replace"))
    value = {"Headers": headers, "ResponseBody": parsed, "StatusCode": answer.status, "StatusText": answer.reason or ""}
    return Answer(value, size)


def _text(body: bytes, content: str, kind: str) -> str:
    if kind.startswith(_UNREADABLE):
        raise StateError("States.Runtime", f"The answer's content type {kind!r} is one that a workflow cannot read.")
    charset = content.partition("charset=")[2].partition(";")[0].strip(" \"'") or "utf-8"
    try:
        return body.decode(_CHARSETS[charset])
    except (KeyError, UnicodeDecodeError):
        raise StateError("States.Runtime", f"The answer cannot be read as text in {charset[:40]}.") from None

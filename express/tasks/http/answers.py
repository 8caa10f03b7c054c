"""An answer in; the result of ``http:invoke``, or the failure that AWS makes of it. Nothing is read or unpacked beyond what fits."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

import msgspec
from aiohttp import ClientResponse, hdrs

from express.runtime.failures import StateError
from express.runtime.limits import PAYLOAD
from express.runtime.values import loads

CAUSE = 32_768  # characters of a body that become a cause; AWS cuts there
LONGEST = 256  # characters of a Content-Type that are looked at
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
    if answer.content.is_eof():  # it has come whole, as small ones do
        body = answer.content.read_nowait()
        if len(body) > most:
            raise _too_large(most)
    else:
        chunks: list[bytes] = []
        size = 0
        async for chunk in answer.content.iter_any():
            size += len(chunk)
            if size > most:
                raise _too_large(most)
            chunks.append(chunk)
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    packing = answer.headers.get(hdrs.CONTENT_ENCODING)
    if packing is None or not body or (packing := packing.strip().lower()) in ("", "identity"):
        return body
    return _unpacked(body, packing, most)


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


class _Content(msgspec.Struct, frozen=True):
    """What a Content-Type says. ``codec`` is None for a charset that nobody here knows."""

    readable: bool
    json: bool
    charset: str
    codec: str | None
    kind: str


@lru_cache(maxsize=256)
def _content(header: str) -> _Content:
    content = header.lower()
    kind = content.partition(";")[0].strip()
    charset = content.partition("charset=")[2].partition(";")[0].strip(" \"'") or "utf-8"
    return _Content(
        readable=not kind.startswith(_UNREADABLE),
        json=kind == "application/json" or kind.endswith("+json"),
        charset=charset,
        codec=_CHARSETS.get(charset),
        kind=kind,
    )


@lru_cache(maxsize=1_024)
def _name(raw: bytes) -> str:
    """A header's name in lower case, as in what AWS shows: a path must not depend on how a server spells them."""
    return raw.decode("latin-1").lower()


def result(answer: ClientResponse, body: bytes) -> Answer:
    """StateError ``States.Http.StatusCode.NNN``, with the body as cause, for what is not 2xx; ``States.Runtime`` for what is no text."""
    content = _content(answer.headers.get(hdrs.CONTENT_TYPE, "")[:LONGEST])
    if not 200 <= answer.status < 300:
        raise StateError(f"States.Http.StatusCode.{answer.status}", _text(body, content)[:CAUSE])
    parsed = _json(body, content) if content.json and body else _text(body, content)
    headers: dict[str, list[str]] = {}
    size = len(body)
    for raw, value in answer.raw_headers:
        size += len(raw) + len(value)
        name = _name(raw)
        if name in headers:
            headers[name].append(value.decode("utf-8", "replace"))
        else:
            headers[name] = [value.decode("utf-8", "replace")]
    return Answer({"Headers": headers, "ResponseBody": parsed, "StatusCode": answer.status, "StatusText": answer.reason or ""}, size)


def _json(body: bytes, content: _Content) -> Any:
    """The value, or the text of what only says that it is JSON."""
    if content.codec == "utf-8":
        try:
            return loads(body)
        except ValueError:
            return _text(body, content)
    text = _text(body, content)
    try:
        return loads(text)
    except ValueError:
        return text


def _text(body: bytes, content: _Content) -> str:
    if not content.readable:
        raise StateError("States.Runtime", f"The answer's content type {content.kind!r} is one that a workflow cannot read.")
    try:
        if content.codec is not None:
            return body.decode(content.codec)
    except UnicodeDecodeError:
        pass
    raise StateError("States.Runtime", f"The answer cannot be read as text in {content.charset[:40]}.")

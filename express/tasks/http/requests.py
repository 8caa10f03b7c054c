"""The parameters of ``http:invoke`` and a connection in, one request out; whether it may be sent is judged here, too.

A request is made in two steps: its head, which mostly depends on nothing that an event holds and is then made once; and its body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy, istr
from yarl import URL

from express import origins
from express.language.http_tasks import ARRAYS, FORBIDDEN, FORBIDDEN_PREFIXES, FORM, METHODS
from express.options import HttpConnection
from express.origins import Origin
from express.runtime.failures import StateError
from express.runtime.limits import PAYLOAD
from express.runtime.values import dumps
from express.tasks.http import forms

# Fields that a head is made of
HEAD = ("ApiEndpoint", "Method", "Headers", "QueryParameters", "Transform", "InvocationConfig", "Authentication")
JSON = "application/json; charset=UTF-8"
# What AWS sets itself, whatever a definition says; its own User-Agent says "Amazon|StepFunctions|HttpInvoke|REGION"
OWN = {"user-agent": "express-workflows", "range": "bytes=0-262144"}
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")  # a line break would begin another header, or another request


class Head(msgspec.Struct, frozen=True):
    """All of a request but its body. ``arrays``: how a form writes them, None for a body that is no form; ``added``: what the connection
    adds to the body.

    Names of headers are in lower case, so that none is there twice. ``headers`` have what the connection adds, ``foreign`` have not: those
    are for another server, where a redirect may lead. Neither has its authentication. ``bare``: ``headers`` where there is no body.
    """

    method: str
    url: URL
    headers: CIMultiDictProxy[str]
    bare: CIMultiDictProxy[str]
    foreign: CIMultiDictProxy[str]
    arrays: str | None
    added: Mapping[str, Any]


def head(given: Any, connection: HttpConnection) -> Head:
    """StateError ``States.Runtime`` for parameters that AWS refuses, ``States.Permissions`` for an address that the connection does not
    allow."""
    if not isinstance(given, dict):
        raise runtime("The parameters of http:invoke must be an object.")
    method = given.get("Method")
    if method.__class__ is not str or method not in METHODS:
        raise runtime(f"Method must be one of {', '.join(METHODS)}.")
    url = allowed(given.get("ApiEndpoint"), connection)
    pairs = forms.query(given.get("QueryParameters"))
    if pairs or connection.query:
        url = _with_query(url, pairs, connection.query)
    own = _headers(given.get("Headers"))
    arrays = _arrays(given.get("Transform"))
    headers = {**own, **_canonical(connection.headers)} if connection.headers else own
    content = JSON if arrays is None else FORM
    return Head(
        method=method,
        url=url,
        headers=_completed(headers, content),
        bare=_completed(headers),
        foreign=_completed({name: value for name, value in own.items() if name != "cookie"}, content),
        arrays=arrays,
        added=connection.body,
    )


def through(endpoint: str, connection: HttpConnection) -> tuple[URL, dict[str, str]]:
    """Where a request goes that no definition makes, and the headers that its connection adds. StateError as of ``head``."""
    url = allowed(endpoint, connection)
    return (_with_query(url, [], connection.query) if connection.query else url), _canonical(connection.headers)


def body(given: Any, of: Head) -> bytes | None:
    """RequestBody and what the connection adds to it. StateError ``States.Runtime`` for what AWS refuses, ``States.DataLimitExceeded`` for
    what encoding makes too large."""
    return _encoded(given if not of.added else _merged(given, of.added), of.arrays)


def foreign_body(given: Any, of: Head) -> bytes | None:
    """RequestBody alone, for another server."""
    return _encoded(given, of.arrays)


def runtime(sentence: str) -> StateError:
    """What AWS calls every request that it does not even send."""
    return StateError("States.Runtime", sentence)


# --- Where it goes ----------------------------------------------------------------------------------------------------------------


def allowed(endpoint: Any, connection: HttpConnection) -> URL:
    """The URL of a text, if the connection's allow-list has it."""
    if endpoint.__class__ is not str:
        raise runtime("ApiEndpoint must be a text, such as 'https://api.example.com/v1/customers'.")
    judged = _judged(endpoint, connection.allow)
    if isinstance(judged, tuple):
        raise StateError(*judged)
    return judged


@lru_cache(maxsize=4_096)
def _judged(endpoint: str, allow: tuple[str, ...]) -> URL | tuple[str, str]:
    """The text as the one URL that is compared, resolved and sent; or the error and the cause that it is."""
    try:
        url = URL(endpoint)
        scheme, host, port = url.scheme, url.raw_host, url.port
    except ValueError:
        return "States.Runtime", "ApiEndpoint is not a URL."
    if scheme not in origins.PORTS or not host:
        return "States.Runtime", "ApiEndpoint must begin with https://HOST."
    if url.raw_user is not None or url.raw_password is not None:
        return "States.Runtime", "ApiEndpoint carries a user or a password: those belong in a connection."
    if not any(origin.admits(scheme, host, port, url.raw_path) for origin in _origins(allow)):
        where = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        return "States.Permissions", f"The connection does not allow {where}{url.raw_path[:200]}."
    return url.with_fragment(None)


@lru_cache(maxsize=64)
def _origins(allow: tuple[str, ...]) -> tuple[Origin, ...]:
    return tuple(map(origins.parse, allow))


def _with_query(url: URL, pairs: forms.Pairs, connections: Mapping[str, str]) -> URL:
    """The URL's own parameters, those of the definition, and those of the connection in the place of equal names."""
    every = [(name, value) for name, value in [*url.query.items(), *pairs] if name not in connections]
    text = forms.joined([*every, *connections.items()])
    return URL(f"{url.scheme}://{url.raw_authority}{url.raw_path}?{text}", encoded=True)


# --- Headers ----------------------------------------------------------------------------------------------------------------------


def _headers(given: Any) -> dict[str, str]:
    """A definition's headers, by their names in lower case."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise runtime("Headers must be an object.")
    found: dict[str, str] = {}
    for name, value in given.items():
        key = name.lower()
        if key in FORBIDDEN or key.startswith(FORBIDDEN_PREFIXES):
            raise runtime(f"The header {name!r} cannot be used in an HTTP Task.")
        text = ", ".join(map(forms.scalar, value)) if isinstance(value, list) else forms.scalar(value)
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(text):
            raise runtime(f"{name!r} is no name of a header, or its value has characters that none can have.")
        found[key] = text
    return found


def _canonical(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _completed(headers: dict[str, str], content: str | None = None) -> CIMultiDictProxy[str]:
    """With those that a request has in any case; ``content`` is the type of its body, if the definition does not say another."""
    made = {**headers, **OWN}
    if content is not None and "content-type" not in made:
        made["content-type"] = content
    # As aiohttp wants them: others it would make such of for every request
    return CIMultiDictProxy(CIMultiDict({istr(name): value for name, value in made.items()}))


# --- Body -------------------------------------------------------------------------------------------------------------------------


def _arrays(transform: Any) -> str | None:
    """How arrays of a form are written; None for a body that is no form."""
    if transform is None:
        return None
    if not isinstance(transform, dict):
        raise runtime("Transform must be an object.")
    encoding, options = transform.get("RequestBodyEncoding", "NONE"), transform.get("RequestEncodingOptions") or {}
    if encoding not in ("NONE", "URL_ENCODED"):
        raise runtime("Transform.RequestBodyEncoding must be NONE or URL_ENCODED.")
    arrays = options.get("ArrayFormat", "INDICES") if isinstance(options, dict) else None
    if arrays not in ARRAYS:
        raise runtime(f"Transform.RequestEncodingOptions.ArrayFormat must be one of {', '.join(ARRAYS)}.")
    return arrays if encoding == "URL_ENCODED" else None


def _merged(body: Any, connections: Mapping[str, Any]) -> dict[str, Any]:
    """RequestBody with the connection's parameters, which win; AWS refuses to put them into anything but an object."""
    if body is None:
        return dict(connections)
    if not isinstance(body, dict):
        raise runtime("RequestBody must be an object: the connection adds parameters to it.")
    return {**body, **connections}


def _encoded(body: Any, arrays: str | None) -> bytes | None:
    """JSON, or a form; a text is sent as it is, whatever it holds."""
    if body is None:
        return None
    if body.__class__ is str:
        content = body.encode()
    elif arrays is None:
        content = dumps(body)
    elif isinstance(body, dict):
        content = forms.encoded(body, arrays).encode()
    else:
        raise runtime("RequestBody must be an object or a text to be URL-encoded.")
    if len(content) > PAYLOAD:
        raise StateError("States.DataLimitExceeded", f"The encoded RequestBody has more than the {PAYLOAD} bytes of a payload.")
    return content

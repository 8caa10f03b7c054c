"""What an HTTP Task says outright and Step Functions refuses when the state runs: a warning for each, before anything runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeGuard

from express.language.fields import Fields
from express.language.findings import HTTP_REFUSED, below, shown

FIELDS = (
    "ApiEndpoint",
    "Method",
    "Authentication",
    "InvocationConfig",
    "Headers",
    "QueryParameters",
    "RequestBody",
    "Transform",
)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")
ARRAYS = ("INDICES", "REPEAT", "COMMAS", "BRACKETS")
FORM = "application/x-www-form-urlencoded"
FORBIDDEN_PREFIXES = ("x-forwarded-", "x-amz-", "x-amzn-")
FORBIDDEN = frozenset(
    {
        "a-im", "accept-charset", "accept-datetime", "accept-encoding", "authorization", "cache-control", "connection", "content-encoding",
        "content-md5", "date", "expect", "forwarded", "from", "host", "http2-settings", "if-match", "if-modified-since", "if-none-match",
        "if-range", "if-unmodified-since", "max-forwards", "origin", "pragma", "proxy-authorization", "referer", "server", "te", "trailer",
        "transfer-encoding", "upgrade", "via", "warning",
        # AWS names none of these; they decide where a request ends, or whom a proxy takes it for
        "content-length", "keep-alive", "proxy-connection",
    }
)  # fmt: skip
CONNECTION = re.compile(r"arn:[\w-]+:events:[^:]*:[^:]*:connection/(?P<name>[^/]+)(?:/[^/]+)?", re.ASCII)

_DYNAMIC = re.compile(r"\{%|.*\$\{[^{}]+\}", re.DOTALL)  # JSONata, or a substitution without a value


def check(state: Fields, parameters: str) -> None:
    """The field with the arguments of ``http:invoke``. What only the data tell is not looked at."""
    raw = state.raw.get(parameters)
    if not isinstance(raw, dict):
        if parameters not in state:
            state.findings.warning(state.location, f"an HTTP Task needs {parameters} with ApiEndpoint and Method", HTTP_REFUSED)
        return
    place = state.at(parameters)
    for where, sentence in _problems(raw, state.findings.suggestion):
        state.findings.warning(below(place, *where), sentence, HTTP_REFUSED)
    endpoint = raw.get("ApiEndpoint")
    if isinstance(endpoint, str) and endpoint.startswith("http://"):
        state.findings.wider.append((below(place, "ApiEndpoint"), "AWS calls https:// only"))


def _problems(raw: dict[str, Any], suggestion: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    names = {name.removesuffix(".$"): name for name in raw}
    for name, written in names.items():
        if name not in FIELDS:
            yield (written,), f"http:invoke has no parameter {shown(name)}{suggestion(name, FIELDS)}"
    for name in ("ApiEndpoint", "Method"):
        if name not in names:
            yield (), f"http:invoke needs the parameter {name}"
    if "Authentication" not in names and "InvocationConfig" not in names:
        yield (), "http:invoke needs a connection: InvocationConfig (or Authentication) with its ConnectionArn"
    endpoint, method = raw.get("ApiEndpoint"), raw.get("Method")
    if _said(endpoint) and not endpoint.startswith(("https://", "http://")):
        yield ("ApiEndpoint",), f"expected a URL that begins with https://, found {shown(endpoint)}"
    if _said(method) and method not in METHODS:
        yield ("Method",), f"expected one of {', '.join(METHODS)}, found {shown(method)}"
    for name in ("Authentication", "InvocationConfig"):
        arn = raw[name].get("ConnectionArn") if isinstance(raw.get(name), dict) else None
        if _said(arn) and not CONNECTION.fullmatch(arn):
            yield (name, "ConnectionArn"), f"expected arn:aws:events:REGION:ACCOUNT:connection/NAME/ID, found {shown(arn)}"
    headers = raw.get("Headers")
    for name in headers if isinstance(headers, dict) else ():
        plain = name.removesuffix(".$").lower()
        if plain in FORBIDDEN or plain.startswith(FORBIDDEN_PREFIXES):
            yield (
                ("Headers", name),
                f"the header {shown(name.removesuffix('.$'))} cannot be used in an HTTP Task: the state fails with States.Runtime",
            )
    if isinstance(raw.get("Transform"), dict):
        yield from _transform(raw["Transform"], headers)


def _transform(transform: dict[str, Any], headers: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    encoding = transform.get("RequestBodyEncoding")
    if _said(encoding) and encoding not in ("NONE", "URL_ENCODED"):
        yield ("Transform", "RequestBodyEncoding"), f"expected NONE or URL_ENCODED, found {shown(encoding)}"
    options = transform.get("RequestEncodingOptions")
    arrays = options.get("ArrayFormat") if isinstance(options, dict) else None
    if _said(arrays) and arrays not in ARRAYS:
        yield ("Transform", "RequestEncodingOptions", "ArrayFormat"), f"expected one of {', '.join(ARRAYS)}, found {shown(arrays)}"
    if encoding == "URL_ENCODED" and (headers is None or isinstance(headers, dict)):
        names = {name.removesuffix(".$").lower() for name in headers or ()}
        if "content-type" not in names:
            yield ("Transform",), f"Step Functions needs the header content-type: {FORM} beside URL_ENCODED (Express adds it)"


def _said(value: Any) -> TypeGuard[str]:
    """Whether a text is there that does not depend on anything."""
    return isinstance(value, str) and not _DYNAMIC.match(value)

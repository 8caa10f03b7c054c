"""Addresses of sources and sinks: ``kafka://a:9092,b:9092/TOPIC?group=orders``, ``file:events.jsonl``, ``memory:``, ``drop:``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

import msgspec

from express.errors import ConfigurationError

_SCHEME = re.compile(r"[a-z][a-z0-9+-]*", re.ASCII)
_SERVER = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(\d{1,5}))?", re.ASCII)
EXAMPLES = "kafka://localhost:9092/orders?group=orders or file:events.jsonl"
_USER = re.compile(r"(?<=://)[^/?#]*@")


class Address(msgspec.Struct, frozen=True):
    """An address taken apart. ``servers`` is empty for schemes without ``//``; ``name`` is the topic, path or queue."""

    text: str
    scheme: str
    servers: tuple[str, ...]
    name: str
    options: Mapping[str, str]

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> Address:
    """An address taken apart; raises ConfigurationError with one sentence for each thing that is wrong with it.

    ``SCHEME://SERVER[,SERVER...]/NAME?OPTION=VALUE&...`` or ``SCHEME:NAME?OPTION=VALUE&...``, percent escapes decoded;
    ``file:///absolute/path`` is understood as well.
    """
    # A password that somebody put there must not reach a terminal or a log.
    shown = _USER.sub("...@", text)
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        raise ConfigurationError(f"{shown!r} is not an address: expected one such as {EXAMPLES}")
    rest, _, query = rest.partition("?")
    problems: list[str] = []
    servers: tuple[str, ...] = ()
    if rest.startswith("//"):
        authority, _, name = rest[2:].partition("/")
        if scheme == "file" and authority in ("", "localhost"):
            name = f"/{name}"
        else:
            if "@" in authority:
                problems.append(f"{shown!r}: credentials belong in a connection of the configuration (?connection=NAME), not in an address")
            servers = tuple(authority.rpartition("@")[2].split(","))
            problems += [f"{shown!r}: {server!r} is not a server: expected HOST:PORT" for server in servers if not is_server(server)]
    else:
        name = rest
    options: dict[str, str] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
        name = unquote(name, errors="strict")
    except ValueError:
        problems.append(f"{shown!r}: expected options such as ?group=orders&session=30s after the name")
        pairs = []
    for option, value in pairs:
        if option in options:
            problems.append(f"{shown!r}: the option {option!r} is given twice")
        options[option] = value
    if "\0" in name:
        problems.append(f"{shown!r}: a name cannot contain a NUL character")
    if problems:
        raise ConfigurationError(*problems)
    return Address(text, scheme, servers, name, options)


def is_server(text: str) -> bool:
    """HOST or HOST:PORT."""
    found = _SERVER.fullmatch(text)
    return found is not None and (found[1] is None or 0 < int(found[1]) < 65536)

"""Addresses of sources and sinks: ``kafka://a:9092,b:9092/TOPIC?group=orders``, ``file:events.jsonl``, ``memory:``, ``drop:``."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Address(msgspec.Struct, frozen=True):
    """An address taken apart. ``servers`` is empty for schemes without ``//``; ``name`` is the topic, path or queue."""

    text: str
    scheme: str
    servers: tuple[str, ...]
    name: str
    options: Mapping[str, str]

"""Addresses: taken apart, or one sentence for each thing that is wrong."""

from __future__ import annotations

import pytest

from express.addresses import parse
from express.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "scheme", "servers", "name", "options"),
    [
        (
            "kafka://a:9092,b:9092/orders?group=g&start=earliest",
            "kafka",
            ("a:9092", "b:9092"),
            "orders",
            {"group": "g", "start": "earliest"},
        ),
        ("kafka://events/orders", "kafka", ("events",), "orders", {}),
        ("kafka://[::1]:9092/orders", "kafka", ("[::1]:9092",), "orders", {}),
        ("file:events.jsonl", "file", (), "events.jsonl", {}),
        ("file:/var/lib/events.jsonl", "file", (), "/var/lib/events.jsonl", {}),
        ("file:///var/lib/events.jsonl", "file", (), "/var/lib/events.jsonl", {}),
        ("file:100%.jsonl", "file", (), "100%.jsonl", {}),
        ("file:what%3F%20now.jsonl?follow=", "file", (), "what? now.jsonl", {"follow": ""}),
        ("queue:data/path.db", "queue", (), "data/path.db", {}),
        ("stdin:", "stdin", (), "", {}),
        ("memory:", "memory", (), "", {}),
        ("drop:", "drop", (), "", {}),
    ],
)
def test_addresses_are_taken_apart(text: str, scheme: str, servers: tuple[str, ...], name: str, options: dict[str, str]) -> None:
    address = parse(text)
    assert (address.scheme, address.servers, address.name, address.options) == (scheme, servers, name, options)
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("orders", "'orders' is not an address: expected one such as kafka://localhost:9092/orders?group=orders or file:events.jsonl"),
        ("", "'' is not an address: expected one such as kafka://localhost:9092/orders?group=orders or file:events.jsonl"),
        (
            "/events.jsonl",
            "'/events.jsonl' is not an address: expected one such as kafka://localhost:9092/orders?group=orders or file:events.jsonl",
        ),
        ("kafka://host:port/orders", "'kafka://host:port/orders': 'host:port' is not a server: expected HOST:PORT"),
        ("kafka://host:99999/orders", "'kafka://host:99999/orders': 'host:99999' is not a server: expected HOST:PORT"),
        ("kafka:///orders", "'kafka:///orders': '' is not a server: expected HOST:PORT"),
        ("kafka://a,,b/orders", "'kafka://a,,b/orders': '' is not a server: expected HOST:PORT"),
        ("kafka://a/orders?group=1&group=2", "'kafka://a/orders?group=1&group=2': the option 'group' is given twice"),
        ("kafka://a/orders?group", "'kafka://a/orders?group': expected options such as ?group=orders&session=30s after the name"),
        ("file:%ff", "'file:%ff': expected options such as ?group=orders&session=30s after the name"),
        ("file:a%00b", "'file:a%00b': a name cannot contain a NUL character"),
        (
            "kafka://me:secret@a/orders",
            "'kafka://...@a/orders': credentials belong in a connection of the configuration (?connection=NAME), not in an address",
        ),
    ],
)
def test_an_address_that_does_not_parse_says_why(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse(text)
    assert raised.value.problems == (problem,)


def test_every_problem_of_an_address_is_named_at_once_and_no_password_is() -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse("kafka://me:secret@host:port/orders?x")
    assert len(raised.value.problems) == 3
    assert "secret" not in str(raised.value)

"""What an ItemReader finds: the forms that its ReaderConfig can say."""

from __future__ import annotations

from typing import Any

import pytest

from express.errors import RequestError
from express.teststate.readers import items

FORMS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "JSON": ({"InputType": "JSON"}, "[1, {}]", [1, {}]),
    "JSON unless it says otherwise": ({}, "[1]", [1]),
    "a part of JSON": ({"ItemsPointer": "/a/1/b~1c"}, '{"a": [0, {"b/c": [5]}]}', [5]),
    "an object": ({}, '{"a": 1, "b": 2}', [{"Key": "a", "Value": 1}, {"Key": "b", "Value": 2}]),
    "lines": ({"InputType": "JSONL"}, '{"a": 1}\n\n[2]\n', [{"a": 1}, [2]]),
    "CSV with its header": ({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}, 'a,b\n1,"x,y"\n', [{"a": "1", "b": "x,y"}]),
    "CSV with a given header": (
        {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"], "CSVDelimiter": "TAB"},
        "1\t2\n3\n", [{"a": "1"}, {"a": "3"}],
    ),
    "no more than so many": ({"MaxItems": 2}, "[1, 2, 3]", [1, 2]),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_items_are_read_in_every_form(name: str) -> None:
    config, text, expected = FORMS[name]
    assert items({"ItemReader": {"ReaderConfig": config}}, text) == expected


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({}, "{"),
        ({}, "1"),
        ({"ItemsPointer": "/b"}, '{"a": []}'),
        ({"InputType": "JSONL"}, "{"),
        ({"InputType": "CSV"}, ""),
        ({"InputType": "CSV", "CSVHeaderLocation": "GIVEN"}, "1"),
    ],
)
def test_text_of_another_form_is_refused(config: dict[str, Any], text: str) -> None:
    with pytest.raises(RequestError, match=r"mapItemReaderData is not (JSON|JSONL|CSV) with an array of items"):
        items({"ItemReader": {"ReaderConfig": config}}, text)


def test_without_a_reader_there_is_nothing_to_read() -> None:
    assert items({}, "[1]") == items({"ItemReader": {}}, None) == []

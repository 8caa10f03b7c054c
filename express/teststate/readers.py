"""What an ItemReader has found, as text, in; the items of a Distributed Map out."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from express.errors import RequestError
from express.runtime.values import loads

_DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}


def items(raw: Mapping[str, Any], data: str | None) -> Any:
    """The items of a Map as it was written, none if nothing says what its ItemReader reads. RequestError for text of another form."""
    reader = raw.get("ItemReader")
    if data is None or not isinstance(reader, dict):
        return []
    config = reader.get("ReaderConfig")
    config = config if isinstance(config, dict) else {}
    kind = config.get("InputType", "JSON")
    try:
        found = _csv(data, config) if kind == "CSV" else _lines(data) if kind == "JSONL" else _json(data, config)
    except (ValueError, KeyError, IndexError, TypeError, csv.Error):
        raise RequestError("ValidationException", f"mapItemReaderData is not {kind} with an array of items") from None
    most = config.get("MaxItems")
    return found[:most] if isinstance(most, int) and most > 0 else found


def pointed(raw: Mapping[str, Any]) -> bool:
    """Whether an ItemReader takes a part of what it reads only."""
    reader = raw.get("ItemReader")
    config = reader.get("ReaderConfig") if isinstance(reader, dict) else None
    return isinstance(config, dict) and "ItemsPointer" in config


def _json(data: str, config: Mapping[str, Any]) -> list[Any]:
    value = loads(data)
    pointer = config.get("ItemsPointer")
    for step in pointer.split("/")[1:] if isinstance(pointer, str) else ():
        step = step.replace("~1", "/").replace("~0", "~")
        value = value[int(step)] if isinstance(value, list) else value[step]
    if isinstance(value, dict):  # an object's items are its fields
        return [{"Key": name, "Value": inner} for name, inner in value.items()]
    if not isinstance(value, list):
        raise ValueError
    return value


def _lines(data: str) -> list[Any]:
    return [loads(line) for line in data.splitlines() if line.strip()]


def _csv(data: str, config: Mapping[str, Any]) -> list[Any]:
    rows = list(csv.reader(io.StringIO(data), delimiter=_DELIMITERS.get(str(config.get("CSVDelimiter")), ",")))
    if config.get("CSVHeaderLocation") == "GIVEN":
        header = config["CSVHeaders"]
    else:
        header, rows = rows[0], rows[1:]
    return [dict(zip(header, row, strict=False)) for row in rows if row]

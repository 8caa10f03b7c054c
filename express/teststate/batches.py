"""The items of a Distributed Map and its ItemBatcher in, what each of its iterations is given out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from express.runtime.limits import PAYLOAD
from express.runtime.values import dumps


def template(batcher: Mapping[str, Any], *, jsonata: bool) -> dict[str, Any]:
    """The fields of an ItemBatcher as a template: what a Pass makes of it is what ``batches`` takes."""
    if jsonata:
        return dict(batcher)
    return {f"{name.removesuffix('Path')}.$" if name.endswith("Path") else name: value for name, value in batcher.items()}


def batches(items: list[Any], batcher: Mapping[str, Any]) -> list[Any]:
    """``{"Items": [...]}`` with BatchInput if there is one, no more items and bytes in each than the evaluated ``batcher`` says; an item
    that is too large alone is alone."""
    given = {"BatchInput": batcher["BatchInput"]} if "BatchInput" in batcher else {}
    around = len(dumps({**given, "Items": []}))
    most, room = _whole(batcher, "MaxItemsPerBatch"), _whole(batcher, "MaxInputBytesPerBatch") or PAYLOAD
    return [{**given, "Items": batch} for batch in _split(items, most or len(items), room - around)]


def _split(items: list[Any], most: int, room: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    size = 0
    for item in items:
        added = len(dumps(item)) + 1
        if batch and (len(batch) >= most or size + added > room + 1):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += added
    if batch:
        yield batch


def _whole(batcher: Mapping[str, Any], field: str) -> int:
    value = batcher.get(field)
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 1 else 0

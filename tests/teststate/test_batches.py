"""How a Distributed Map puts items together."""

from __future__ import annotations

from typing import Any

import pytest

from express.teststate.batches import batches, template


@pytest.mark.parametrize(
    ("batcher", "expected"),
    [
        ({}, [[1, 2, 3, 4, 5]]),
        ({"MaxItemsPerBatch": 2}, [[1, 2], [3, 4], [5]]),
        ({"MaxItemsPerBatch": 2.0}, [[1, 2], [3, 4], [5]]),
        ({"MaxItemsPerBatch": 9}, [[1, 2, 3, 4, 5]]),
        ({"MaxInputBytesPerBatch": len('{"Items":[1,2,3]}')}, [[1, 2, 3], [4, 5]]),
        ({"MaxInputBytesPerBatch": len('{"Items":[1,2,3]}') - 1}, [[1, 2], [3, 4], [5]]),
        ({"MaxInputBytesPerBatch": 1}, [[1], [2], [3], [4], [5]]),
        ({"MaxItemsPerBatch": "two"}, [[1, 2, 3, 4, 5]]),
    ],
)
def test_a_batch_has_no_more_items_and_bytes_than_allowed(batcher: dict[str, Any], expected: list[list[int]]) -> None:
    assert [each["Items"] for each in batches([1, 2, 3, 4, 5], batcher)] == expected


def test_every_batch_has_the_batch_input() -> None:
    assert batches([1, 2], {"MaxItemsPerBatch": 1, "BatchInput": {"a": None}}) == [
        {"BatchInput": {"a": None}, "Items": [1]},
        {"BatchInput": {"a": None}, "Items": [2]},
    ]
    assert batches([], {"BatchInput": 1}) == []


def test_paths_become_fields_of_a_template() -> None:
    assert template({"MaxItemsPerBatchPath": "$.n", "BatchInput": {"x.$": "$"}}, jsonata=False) == {
        "MaxItemsPerBatch.$": "$.n",
        "BatchInput": {"x.$": "$"},
    }

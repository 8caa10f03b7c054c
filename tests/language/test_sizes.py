"""Constants that are too large to be data."""

from __future__ import annotations

from typing import Any

import pytest

from express.language import check
from tests.language.definitions import ending, machine, said

LARGEST = "x" * (256 * 1024 - 2)  # with its quotes 256 KiB


def warned(definition: Any) -> list[str]:
    return said(check(definition), "WARNING")


@pytest.mark.parametrize("name", ["Result", "Parameters"])
def test_a_constant_may_have_what_a_payload_may_have(name: str) -> None:
    assert warned(ending("Pass", **{name: LARGEST})) == []
    assert warned(ending("Pass", **{name: LARGEST + "y"})) == [
        f"/States/A/{name}: a state's data may have 262144 bytes, this alone has 262145: the state fails with States.DataLimitExceeded"
    ]


def test_bytes_count_not_characters() -> None:
    assert len(warned(ending("Pass", Result="é" * (128 * 1024)))) == 1
    assert warned(ending("Pass", Result="é" * (128 * 1024 - 1))) == []


def test_constants_are_found_at_any_depth() -> None:
    branch = {"StartAt": "B", "States": {"B": {"Type": "Pass", "Result": LARGEST + "y", "End": True}}}
    (line,) = warned(machine({"Type": "Parallel", "Branches": [branch], "End": True}))
    assert line.startswith("/States/A/Branches/0/States/B/Result: ")


def test_many_constants_that_fit_one_by_one_fit() -> None:
    half = {"Type": "Pass", "Result": LARGEST[: 200 * 1024]}
    assert warned(machine({**half, "Next": "B"}, B={**half, "Next": "C"}, C={**half, "End": True})) == []

"""What lasts longer than an Express execution may."""

from __future__ import annotations

from typing import Any

import pytest

from express.language import check
from tests.language.definitions import ending, machine, said, task

INNER = {"StartAt": "B", "States": {"B": {"Type": "Wait", "Seconds": 900, "End": True}}}


def warned(definition: Any) -> list[str]:
    return said(check(definition), "WARNING")


@pytest.mark.parametrize(
    ("definition", "line"),
    [
        (ending("Wait", Seconds=300), "/States/A/Seconds: an execution may last 300 seconds: it ends while it waits here for 300"),
        (
            task(TimeoutSeconds=301),
            "/States/A/TimeoutSeconds: an execution may last 300 seconds: it ends before the 301 of this Task are over",
        ),
        (
            machine({"Type": "Map", "ItemProcessor": INNER, "End": True}),
            "/States/A/ItemProcessor/States/B/Seconds: an execution may last 300 seconds: it ends while it waits here for 900",
        ),
    ],
)
def test_what_cannot_end_in_time_is_named(definition: dict[str, Any], line: str) -> None:
    assert warned(definition) == [line]


@pytest.mark.parametrize(
    "definition",
    [
        ending("Wait", Seconds=299),
        ending("Wait", SecondsPath="$.seconds"),
        ending("Wait", Timestamp="2099-01-01T00:00:00Z"),
        task(TimeoutSeconds=300),
        task(),
        {**ending("Succeed"), "TimeoutSeconds": 3600},
    ],
)
def test_what_may_end_in_time_is_fine(definition: dict[str, Any]) -> None:
    assert warned(definition) == []

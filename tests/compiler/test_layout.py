"""Whatever is written over several lines is still Python."""

from __future__ import annotations

import gc
from typing import Any

import express
from express.testing import VirtualClock


def test_a_parallel_of_one_branch_with_a_long_name_inside_a_map() -> None:
    wait = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}}
    name = "A name that is long enough for more than one line of code, whatever the line is"
    processor = {"StartAt": name, "States": {name: {"Type": "Parallel", "Branches": [wait], "End": True}}}
    workflow: dict[str, Any] = {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemProcessor": processor, "End": True}}}
    assert express.compile(workflow).run([1, 2], clock=VirtualClock()).output == [[1], [2]]


def test_compiling_leaves_the_collector_as_it_was() -> None:
    workflow = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    express.compile(workflow)
    assert gc.isenabled()
    gc.disable()
    try:
        express.compile(workflow)
        assert not gc.isenabled()
    finally:
        gc.enable()

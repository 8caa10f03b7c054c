"""Parsers raise only what they declare, whatever they are given, and the longest text costs little."""

from __future__ import annotations

import gc
import time
import tracemalloc

import pytest

from tests.fuzz.targets import BYTES, SECONDS, TARGETS, mutated

MUTATIONS = {"definition": 60, "path": 800, "intrinsic": 600, "jsonata": 600}  # `make fuzz` has more
SLACK = 5  # times the budget, on a machine that does other things too; `make fuzz` measures against the budget itself


@pytest.mark.parametrize("name", TARGETS)
def test_a_damaged_text_raises_only_what_is_declared(name: str) -> None:
    target = TARGETS[name]
    valid = sum(target.takes(mutated(target, seed)) for seed in range(MUTATIONS[name]))
    assert valid > 0


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "definition"])
def test_valid_texts_are_valid(name: str) -> None:
    target = TARGETS[name]
    assert all(target.takes(target.sample(seed)) for seed in range(300))


@pytest.mark.parametrize(("name", "bomb"), [(name, number) for name in TARGETS for number in range(len(TARGETS[name].bombs))])
def test_the_longest_text_is_read_in_time_and_memory(name: str, bomb: int) -> None:
    target = TARGETS[name]
    text = target.bomb(bomb)
    assert any(_seconds(name, text) < SLACK * SECONDS for _ in range(2))
    gc.collect()
    tracemalloc.start()
    try:
        target.takes(text)
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()


def _seconds(name: str, text: str) -> float:
    began = time.process_time()
    TARGETS[name].takes(text)
    return time.process_time() - began

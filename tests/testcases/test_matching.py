"""What differs between two JSON values, place by place."""

from __future__ import annotations

from typing import Any

import pytest

from express.testcases.matching import differences, has

SAME: list[tuple[Any, Any]] = [(1, 1.0), (True, True), (None, None), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ((1, 2), [1, 2]), ("", "")]
DIFFERENT: list[tuple[Any, Any, list[str]]] = [
    (1, True, ["$: expected 1, found true"]),
    (0, False, ["$: expected 0, found false"]),
    (1, "1", ['$: expected 1, found "1"']),
    (None, {}, ["$: expected null, found {}"]),
    ([], {}, ["$: expected [], found {}"]),
    ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["$.a.b[1]: expected 2, found 3"]),
    ({"a": 1}, {"b": 1}, ["$.a: expected 1, it is not there", "$.b: not expected, found 1"]),
    ([1, 2], [1], ["$[1]: expected 2, the list ends before it"]),
    ([1], [1, 2], ["$[1]: not expected, found 2"]),
    ({"a b": 1, 'q"': 2}, {"a b": 2, 'q"': 3}, ['$["a b"]: expected 1, found 2', '$["q\\""]: expected 2, found 3']),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal_json_has_no_differences(one: Any, other: Any) -> None:
    assert list(differences(one, other)) == list(differences(other, one)) == []


@pytest.mark.parametrize(("expected", "found", "lines"), DIFFERENT)
def test_each_difference_is_a_line_with_its_place(expected: Any, found: Any, lines: list[str]) -> None:
    assert list(differences(expected, found)) == lines


def test_in_part_means_that_more_fields_may_be_there_but_not_more_items() -> None:
    assert has({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1}})
    assert not has({"a": [1, 2]}, {"a": [1]})
    assert not has({"a": 1}, {"a": 1, "b": 1})


def test_long_values_are_cut() -> None:
    (line,) = differences("x" * 1000, 1)
    assert len(line) < 250

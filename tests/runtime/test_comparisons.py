"""Every operator of Choice, over every type, against a table written from the specification."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from express.runtime import timestamps
from express.runtime.comparisons import TABLE, glob

EXAMPLES: list[Any] = [None, True, False, 0, 0.0, 1, 1.1, -1, "", " ", "A", "2016-03-14T01:59:00Z", [], [1], {}, {"a": 1}]


@pytest.mark.parametrize("operator", [name for name in TABLE if not name.startswith("Is")])
def test_a_value_of_another_type_never_holds(operator: str) -> None:
    holds = TABLE[operator]
    of_type = {"String": (str,), "Numeric": (int, float), "Boolean": (bool,), "Timestamp": (str,)}
    types = next(types for start, types in of_type.items() if operator.startswith(start))
    for value in EXAMPLES:
        for operand in EXAMPLES:
            if type(value) not in types or type(operand) not in types:
                assert holds(value, operand) is False, (value, operand)
            else:
                assert isinstance(holds(value, operand), bool)


@pytest.mark.parametrize(
    ("kind", "pairs"),
    [
        ("Numeric", [(1, 2), (-1.5, 1), (2**70, 2**70 + 1), (0.1, 1)]),
        ("String", [("A", "B"), ("", "a"), ("A", "AB"), ("B", "a"), ("\U0001f600", "\uffff"), ("é", "\U0001f600"), ("z", "é")]),
        (
            "Timestamp",
            [
                ("2016-03-14T01:59:00Z", "2016-03-14T01:59:01Z"),
                ("2016-03-14T01:59:00.1Z", "2016-03-14T01:59:00.12Z"),
                ("2016-03-14T01:59:00.000000000000001Z", "2016-03-14T01:59:00.00000000000001Z"),
                ("2016-03-14T01:59:00+02:00", "2016-03-14T01:59:00Z"),
                ("2016-03-14T01:59:00Z", "2016-03-14T00:59:00-05:00"),
            ],
        ),
    ],
)
def test_smaller_equal_greater(kind: str, pairs: list[tuple[Any, Any]]) -> None:
    def held(one: Any, other: Any) -> list[str]:
        operators = ["Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals"]
        return [operator for operator in operators if TABLE[kind + operator](one, other)]

    for small, large in pairs:
        assert held(small, large) == ["LessThan", "LessThanEquals"]
        assert held(large, small) == ["GreaterThan", "GreaterThanEquals"]
        assert held(small, small) == ["Equals", "LessThanEquals", "GreaterThanEquals"]


def test_numbers_compare_across_their_spelling() -> None:
    assert TABLE["NumericEquals"](1, 1.0)
    assert not TABLE["NumericEquals"](2**53 + 1, float(2**53))
    assert not TABLE["NumericEquals"](True, 1)


def test_instants_are_equal_whatever_their_zone() -> None:
    assert TABLE["TimestampEquals"]("2016-03-14T01:59:00.50Z", "2016-03-14T03:59:00.5+02:00")


@pytest.mark.parametrize("operator", ["IsNull", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp", "IsPresent"])
def test_type_tests_hold_for_true_or_for_false(operator: str) -> None:
    true_for: dict[str, list[Any]] = {
        "IsNull": [None],
        "IsNumeric": [0, 0.0, 1, 1.1, -1],
        "IsString": ["", " ", "A", "2016-03-14T01:59:00Z"],
        "IsBoolean": [True, False],
        "IsTimestamp": ["2016-03-14T01:59:00Z"],
        "IsPresent": EXAMPLES,
    }
    for value in EXAMPLES:
        expected = any(type(value) is type(one) and value == one for one in true_for[operator])
        assert TABLE[operator](value, True) is expected
        assert TABLE[operator](value, False) is not expected


@pytest.mark.parametrize(
    "text",
    [
        "2016-03-14T01:59:00Z",
        "2016-03-14T01:59:00.123456789Z",
        "2016-03-14T01:59:00+01:00",
        "2016-03-14T01:59:00.5-23:59",
        "2016-02-29T23:59:59Z",
        "0001-01-01T00:00:00Z",
    ],
)
def test_timestamps(text: str) -> None:
    assert timestamps.parse(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2016-03-14",
        "2016-03-14T01:59:00",
        "2016-03-14 01:59:00Z",
        "2016-03-14t01:59:00Z",
        "2016-03-14T01:59:00z",
        "2016-13-05T21:29:29Z",
        "2015-02-29T00:00:00Z",
        "05-12-2016T21:29:29Z",
        "2016-12-05T25:29:29Z",
        "2016-12-05T24:00:00Z",
        "2016-12-05T21:60:29Z",
        "2016-12-05T21:29:60Z",
        "2016-12-05T21:29Z",
        "2016-12-05T21:29:29.Z",
        "2016-12-05T21:29:29+0100",
        "2016-12-05T21:29:29+24:00",
        "2016-12-05T21:29:29+01:60",
        "2016-12-05T21:29:29Z ",
        "2016-12-05T21:29:29Z\n",
        "٢٠١٦-03-14T01:59:00Z",
        "2016-12-05T21:29:29." + "1" * 100 + "Z",
        "0000-01-01T00:00:00Z",
    ],
)
def test_not_timestamps(text: str) -> None:
    assert timestamps.parse(text) is None
    assert timestamps.seconds(text) is None
    assert TABLE["IsTimestamp"](text, False)


def test_seconds_and_text_of_a_timestamp() -> None:
    assert timestamps.seconds("1970-01-01T00:00:01.5Z") == 1.5
    assert timestamps.seconds("1970-01-01T00:00:00-01:00") == 3600
    assert timestamps.seconds("1969-12-31T23:59:59.25Z") == -0.75
    assert timestamps.text(1_458_863_999.0004) == "2016-03-24T23:59:59.000Z"
    assert timestamps.text(0.9996) == "1970-01-01T00:00:01.000Z"


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    instant = timestamps.parse(timestamps.text(milliseconds / 1_000))
    assert instant is not None
    whole, fraction = instant
    assert whole * 1_000 + int(fraction.ljust(3, "0")) == milliseconds  # '' is 000


# --- StringMatches ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("log-*.txt", "log-2016.txt", True),
        ("log-*.txt", "log-.txt", True),
        ("log-*.txt", "log-2016.txt.gz", False),
        ("*.log", "zebra.log", True),
        ("foo*.*", "foobar.zebra", True),
        ("foo*.*", "foobar", False),
        ("foo\\*", "foo*", True),
        ("foo\\*", "foobar", False),
        ("foo\\\\*", "foo\\bar", True),
        ("\\n", "\\n", True),
        ("a\\", "a\\", True),
        ("*", "", True),
        ("**", "x", True),
        ("", "", True),
        ("", "x", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a?c", "abc", False),
        ("a?c", "a?c", True),
        ("[a]", "a", False),
        ("*ab*ab*", "abab", True),
        ("*ab*ab*", "aba", False),
        ("ab*ba", "aba", False),
        ("*\n*", "a\nb", True),
    ],
)
def test_string_matches(pattern: str, text: str, matches: bool) -> None:
    assert TABLE["StringMatches"](text, pattern) is matches


@given(st.text("ab*", max_size=10), st.text("ab", max_size=14))
def test_string_matches_agrees_with_a_shell(pattern: str, text: str) -> None:
    assert glob(pattern)(text) == fnmatchcase(text, pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*a" * 30 + "*b", "a" * 262_000),
        ("*" + "a" * 30_000 + "b*", "a" * 262_000),
        ("*" + ("a" * 500 + "b") * 20 + "*c", ("a" * 499 + "b") * 500),
        ("*" * 10_000, "a" * 262_000),
    ],
)
def test_no_pattern_takes_long(pattern: str, text: str) -> None:
    started = time.process_time()
    TABLE["StringMatches"](text, pattern)
    assert time.process_time() - started < 0.5  # about 1 ms

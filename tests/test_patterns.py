"""Event patterns as EventBridge has them: what each condition matches, and every mistake of a pattern with its place, all at once."""

from __future__ import annotations

import time
from typing import Any

import pytest

from express.patterns import compiled


def matches(pattern: Any, event: Any) -> bool:
    test, problems = compiled(pattern)
    assert problems == []
    return test(event)


# What a field must be, values that match, values that do not; "absent" stands for a field that is not there
ABSENT = object()
LEAVES: list[tuple[Any, list[Any], list[Any]]] = [
    (["paid"], ["paid", ["new", "paid"], [["paid"]]], ["Paid", "", None, 1, [], {"paid": 1}, ABSENT]),
    ([1, "1"], [1, 1.0, "1"], [True, 2, "1.0", ABSENT]),
    ([0], [0, 0.0], [False, None, "", ABSENT]),
    ([True], [True], [1, "true", False, ABSENT]),
    ([None], [None, [None]], ["null", 0, ABSENT]),
    ([""], [""], [" ", None, ABSENT]),
    ([{"prefix": "eu-"}], ["eu-", "eu-west", ["x", "eu-1"]], ["EU-west", "xeu-", 7, None, ABSENT]),
    ([{"prefix": {"equals-ignore-case": "EU-"}}], ["eu-west", "Eu-1"], ["u-", ABSENT]),
    ([{"suffix": ".png"}], [".png", "a.png"], ["a.PNG", "png", 1, ABSENT]),
    ([{"suffix": {"equals-ignore-case": ".Png"}}], ["a.PNG"], ["a.jpg", ABSENT]),
    ([{"equals-ignore-case": "Alice"}], ["alice", "ALICE"], ["alic", 1, ABSENT]),
    ([{"anything-but": "paid"}], ["new", 1, True, None, ["paid", "new"]], ["paid", ["paid"], ABSENT, []]),
    ([{"anything-but": ["paid", "sent"]}], ["new"], ["paid", "sent"]),
    ([{"anything-but": 5}], [4, "5", True], [5, 5.0]),
    ([{"anything-but": [1, 2]}], [3, True], [1, 2]),
    ([{"anything-but": {"prefix": "eu-"}}], ["us-1"], ["eu-1", ABSENT]),
    ([{"anything-but": {"prefix": ["eu-", "us-"]}}], ["ap-1"], ["eu-1", "us-1"]),
    ([{"anything-but": {"suffix": ".png"}}], ["a.gif"], ["a.png"]),
    ([{"anything-but": {"equals-ignore-case": ["a", "B"]}}], ["c"], ["A", "b"]),
    ([{"anything-but": {"wildcard": "*/lib/*"}}], ["a/src/b"], ["a/lib/b"]),
    ([{"numeric": ["=", 5]}], [5, 5.0, [1, 5]], ["5", 4, True, None, ABSENT]),
    ([{"numeric": [">", 0, "<=", 5]}], [0.1, 5], [0, 5.1, "3", True]),
    ([{"numeric": ["<", 0]}], [-1], [0, 1]),
    ([{"numeric": [">=", 3, "<=", 3]}], [3], [2, 4]),
    ([{"exists": True}], ["", 0, None, False, ["x"]], [ABSENT, {"inner": 1}, [], [{"inner": 1}]]),
    ([{"exists": False}], [ABSENT, {"inner": 1}, []], ["", 0, None, ["x"]]),
    ([{"exists": False}, "old"], [ABSENT, "old"], ["new"]),
    ([{"wildcard": "*"}], ["", "anything"], [1, ABSENT]),
    ([{"wildcard": "a*c"}], ["ac", "abc", "abcc"], ["a", "c", "abcd", "xac"]),
    ([{"wildcard": "*a*b*"}], ["ab", "xaxbx"], ["ba"]),
    ([{"wildcard": "aba*aba"}], ["abaaba", "abaXaba"], ["aba", "ababa"]),
    ([{"wildcard": r"1\*2"}], ["1*2"], ["1x2", "12"]),
    ([{"wildcard": r"a\\*"}], ["a\\b"], ["ab"]),
    ([{"cidr": "10.0.0.0/24"}], ["10.0.0.0", "10.0.0.255"], ["10.0.1.0", "10.0.0", "::1", 1, ABSENT]),
    ([{"cidr": "2001:db8::/32"}], ["2001:db8::1"], ["2001:db9::1", "10.0.0.1"]),
]


@pytest.mark.parametrize(("condition", "yes", "no"), LEAVES, ids=[str(leaf[0]) for leaf in LEAVES])
def test_a_condition_matches_these_values_and_not_those(condition: list[Any], yes: list[Any], no: list[Any]) -> None:
    def event(value: Any) -> Any:
        return {"other": 1} if value is ABSENT else {"field": value, "other": 1}

    assert [value for value in yes if not matches({"field": condition}, event(value))] == []
    assert [value for value in no if matches({"field": condition}, event(value))] == []


def test_all_fields_have_to_match_and_any_of_their_values() -> None:
    pattern = {"status": ["paid", "sent"], "total": [{"numeric": [">", 10]}]}
    assert matches(pattern, {"status": "sent", "total": 11, "more": None})
    assert not matches(pattern, {"status": "sent", "total": 10})
    assert not matches(pattern, {"total": 11})


def test_fields_are_inside_of_fields_and_of_lists_match_within_one_element() -> None:
    pattern = {"order": {"lines": {"sku": ["s1"], "count": [{"numeric": [">", 1]}]}}}
    assert matches(pattern, {"order": {"lines": [{"sku": "s2", "count": 9}, {"sku": "s1", "count": 2}]}})
    assert not matches(pattern, {"order": {"lines": [{"sku": "s1", "count": 1}, {"sku": "s2", "count": 9}]}})
    assert not matches(pattern, {"order": {"lines": []}})
    assert not matches(pattern, {"order": "s1"})


def test_what_must_not_be_there_is_not_there_where_nothing_around_it_is() -> None:
    assert matches({"order": {"cancelled": [{"exists": False}]}}, {})
    assert matches({"order": {"cancelled": [{"exists": False}]}}, {"order": None})
    assert not matches({"order": {"cancelled": [{"exists": False}]}}, {"order": {"cancelled": False}})


def test_one_of_several_patterns_is_enough_beside_what_all_of_them_need() -> None:
    pattern = {"kind": ["order"], "$or": [{"total": [{"numeric": [">", 100]}]}, {"customer": {"vip": [True]}}]}
    assert matches(pattern, {"kind": "order", "total": 101})
    assert matches(pattern, {"kind": "order", "total": 1, "customer": {"vip": True}})
    assert not matches(pattern, {"kind": "order", "total": 1, "customer": {"vip": False}})
    assert not matches(pattern, {"kind": "refund", "total": 101})
    nested = {"order": {"$or": [{"a": [1]}, {"b": [1]}]}}
    assert matches(nested, {"order": {"b": 1}})
    assert not matches(nested, {"order": {"c": 1}})


def test_a_wildcard_is_linear_in_its_text() -> None:
    began = time.process_time()
    assert not matches({"field": [{"wildcard": "*a*a*a*a*a*a*a*b"}]}, {"field": "a" * 200_000})
    assert not matches({"field": [{"wildcard": "*a*a*a*a*a*a*a*b*"}]}, {"field": "a" * 200_000})
    assert time.process_time() - began < 0.5


WRONG: list[tuple[Any, str, str]] = [
    ([], "", "expected fields, each with a list of the values that match, found a list"),
    ({}, "", "expected at least one field: an empty pattern would let everything through"),
    ({"a": {}}, "a", "expected at least one field: an empty pattern would let everything through"),
    ({"a": "x"}, "a", "expected a list of the values that match, such as ['x'], or fields, found 'x'"),
    ({"a": []}, "a", "expected at least one value: nothing is in an empty list"),
    ({"a": [["x"]]}, "a[0]", "expected a value, or one condition such as {prefix: a}, found a list"),
    ({"a": [{"prefix": "x", "suffix": "y"}]}, "a[0]", "expected a value, or one condition such as {prefix: a}, found fields"),
    (
        {"a": [{"perfix": "x"}]},
        "a[0].perfix",
        (
            "there is no condition of this name, expected one of "
            "prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, exists, cidr"
        ),
    ),
    ({"a": [{"prefix": 1}]}, "a[0].prefix", "expected a text, found 1"),
    ({"a": [{"suffix": {"equals-ignore-case": 1}}]}, "a[0].suffix.equals-ignore-case", "expected a text, found 1"),
    ({"a": [{"equals-ignore-case": None}]}, "a[0].equals-ignore-case", "expected a text, found null"),
    ({"a": [{"wildcard": "a**"}]}, "a[0].wildcard", "two * behind each other mean no more than one"),
    ({"a": [{"wildcard": "a\\b"}]}, "a[0].wildcard", "expected \\* or \\\\ after a backslash: nothing else needs one"),
    ({"a": [{"exists": "yes"}]}, "a[0].exists", "expected true or false, found 'yes'"),
    (
        {"a": [{"anything-but": [1, "x"]}]},
        "a[0].anything-but",
        "expected a text, a number, a list of texts or of numbers, or one condition such as {prefix: a}",
    ),
    (
        {"a": [{"anything-but": {"cidr": "10.0.0.0/8"}}]},
        "a[0].anything-but.cidr",
        "there is no such condition in anything-but, expected prefix, suffix, equals-ignore-case or wildcard",
    ),
    ({"a": [{"numeric": ["!=", 1]}]}, "a[0].numeric", "expected one of =, <, <=, >, >=, found '!='"),
    ({"a": [{"numeric": [">", "1"]}]}, "a[0].numeric", "expected a number after >, found '1'"),
    ({"a": [{"numeric": [">", 5, "<", 1]}]}, "a[0].numeric", "no number is in this range"),
    (
        {"a": [{"numeric": [">"]}]},
        "a[0].numeric",
        'expected one comparison such as [">", 0], or two that bound a range, such as [">", 0, "<=", 5], found a list',
    ),
    ({"a": [{"cidr": "10.0.0/24"}]}, "a[0].cidr", "expected a network such as 10.0.0.0/24 or 2001:db8::/32, found '10.0.0/24'"),
    ({"$or": [{"a": [1]}]}, "$or", "expected a list of at least two patterns"),
    ({"$or": [{"a": [1]}, {"b": 2}]}, "$or[1].b", "expected a list of the values that match, such as [2], or fields, found 2"),
]


@pytest.mark.parametrize(("pattern", "place", "sentence"), WRONG, ids=[str(each[0]) for each in WRONG])
def test_a_mistake_is_one_sentence_with_its_place(pattern: Any, place: str, sentence: str) -> None:
    assert compiled(pattern)[1] == [(place, sentence)]


def test_all_mistakes_are_named_at_once_and_so_are_fields_that_no_event_has() -> None:
    pattern = {"value": {"a": 1, "b": [{"prefix": 1}]}, "boby": [1], "$or": [{"kye": ["x"]}, {"key": []}]}
    assert [place for place, _ in compiled(pattern, {"value": "", "key": ""})[1]] == [
        "value.a",
        "value.b[0].prefix",
        "$or[1].key",
        "boby",
        "kye",
    ]

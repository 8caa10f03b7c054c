"""The intrinsic functions: AWS's documented examples, their errors, and arguments that mean harm."""

from __future__ import annotations

import hashlib
import re
import time
from contextlib import suppress
from typing import Any

import pytest

from express.runtime.failures import StateError
from express.runtime.intrinsics import FUNCTIONS

ARGUMENTS = {  # too few or too many for each is a matter of the definition, and checked there
    "Array", "ArrayPartition", "ArrayContains", "ArrayRange", "ArrayGetItem", "ArrayLength", "ArrayUnique", "Base64Encode", "Base64Decode",
    "Hash", "JsonMerge", "StringToJson", "JsonToString", "MathRandom", "MathAdd", "StringSplit", "UUID", "Format",
}  # fmt: skip


def test_there_are_the_eighteen() -> None:
    assert set(FUNCTIONS) == ARGUMENTS


@pytest.mark.parametrize(
    ("function", "arguments", "result"),
    [
        ("Array", (), []),
        ("Array", (1, "a", None, [2]), [1, "a", None, [2]]),
        ("ArrayPartition", ([1, 2, 3, 4, 5, 6, 7, 8, 9], 4), [[1, 2, 3, 4], [5, 6, 7, 8], [9]]),
        ("ArrayPartition", ([1, 2, 3], 1.5), [[1, 2], [3]]),
        ("ArrayPartition", ([], 4), []),
        ("ArrayContains", ([1, 2, 3, 4, 5], 5), True),
        ("ArrayContains", ([1, 2], True), False),
        ("ArrayContains", ([1, 2], 1.0), True),
        ("ArrayContains", ([{"a": [1, {"b": 2}]}], {"a": [1.0, {"b": 2}]}), True),
        ("ArrayContains", ([], None), False),
        ("ArrayRange", (1, 9, 2), [1, 3, 5, 7, 9]),
        ("ArrayRange", (0, 10, 3), [0, 3, 6, 9]),
        ("ArrayRange", (5, 1, -2), [5, 3, 1]),
        ("ArrayRange", (1, 0, 1), []),
        ("ArrayRange", (1, 1000, 1), list(range(1, 1001))),
        ("ArrayGetItem", ([1, 2, 3, 4], 3), 4),
        ("ArrayGetItem", ([[1], {"a": 1}], 1), {"a": 1}),
        ("ArrayLength", ([1, 2, 3],), 3),
        ("ArrayUnique", ([1, 2, 3, 3, 3, 3, 3, 3, 4],), [1, 2, 3, 4]),
        ("ArrayUnique", ([1, True, 1.0, "1", None, False, 0, [1], [1.0]],), [1, True, "1", None, False, 0, [1]]),
        ("ArrayUnique", ([{"a": 1, "b": 2}, {"b": 2, "a": 1}],), [{"a": 1, "b": 2}]),
        ("Base64Encode", ("Data to encode",), "RGF0YSB0byBlbmNvZGU="),
        ("Base64Encode", ("é",), "w6k="),
        ("Base64Encode", ("",), ""),
        ("Base64Decode", ("RGF0YSB0byBlbmNvZGU=",), "Data to encode"),
        ("Base64Decode", ("RGF0YSB0\r\nbyBlbmNvZGU",), "Data to encode"),
        ("Base64Decode", ("w6k=",), "é"),
        ("Base64Decode", ("/w==",), "\ufffd"),
        ("Base64Decode", ("",), ""),
        ("Hash", ("input data", "SHA-1"), "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("Hash", ("é", "SHA-256"), hashlib.sha256("é".encode()).hexdigest()),
        ("Hash", ("", "MD5"), "d41d8cd98f00b204e9800998ecf8427e"),
        ("JsonMerge", ({"a": {"a1": 1, "a2": 2}, "b": 2}, {"a": {"a3": 1}, "c": 3}, False), {"a": {"a3": 1}, "b": 2, "c": 3}),
        ("StringToJson", ('{"foo": "bar"}',), {"foo": "bar"}),
        ("StringToJson", (" \t",), None),
        ("StringToJson", ("123456789012345678901234567890",), 123456789012345678901234567890),
        ("JsonToString", ({"foo": "bar", "n": [1, 1.5, None, True]},), '{"foo":"bar","n":[1,1.5,null,true]}'),
        ("JsonToString", ("a",), '"a"'),
        ("MathAdd", (111, -1), 110),
        ("MathAdd", (1.5, -2.5), 0),
        ("MathAdd", (0.49999999999999994, 2**31 - 1), 2**31 - 1),
        ("StringSplit", ("1,2,3,4,5", ","), ["1", "2", "3", "4", "5"]),
        ("StringSplit", ("This.is+a,test=string", ".+,="), ["This", "is", "a", "test", "string"]),
        ("StringSplit", (",a,,b,", ","), ["a", "b"]),
        ("StringSplit", ("a^b]c", "]^"), ["a", "b", "c"]),
        ("StringSplit", ("abc", ""), ["abc"]),
        ("StringSplit", ("", ","), []),
        ("Format", ("Hello, my name is {}.", "Arnav"), "Hello, my name is Arnav."),
        ("Format", ("no place",), "no place"),
        ("Format", (r"\{\} {} \\ \' { } \x", 1), r"{} 1 \ ' { } \x"),
        ("Format", ("{}{}{}{}{}", "{}", None, True, 1.5, -1), "{}nulltrue1.5-1"),
        ("Format", ("{}", {"a": 1, "b": ["x", {"c": None}], "d": {}}), "{a=1, b=[x, {c=null}], d={}}"),
        ("Format", ("{}", []), "[]"),
    ],
)  # fmt: skip
def test_results(function: str, arguments: tuple[Any, ...], result: Any) -> None:
    actual = FUNCTIONS[function](*arguments)
    assert actual == result
    assert [type(item) for item in actual] == [type(item) for item in result] if isinstance(result, list) else type(actual) is type(result)


@pytest.mark.parametrize(
    ("function", "arguments", "reason"),
    [
        ("ArrayPartition", ([1], 0), "the chunk size must be greater than 0, but is 0"),
        ("ArrayPartition", ({}, 1), "an array is expected, but the argument is an object"),
        ("ArrayPartition", ([], "1"), "a number is expected, but the argument is a string"),
        ("ArrayContains", ("abc", "a"), "an array is expected, but the argument is a string"),
        ("ArrayRange", (0, 1000, 1), "the array would have 1001 items, at most 1000 are allowed"),
        ("ArrayRange", (0, 2**31 - 1, 1), "the array would have 2147483648 items, at most 1000 are allowed"),
        ("ArrayRange", (0, 9, 0), "the increment must not be 0"),
        ("ArrayRange", (0, 9, 0.4), "the increment must not be 0"),
        ("ArrayRange", (0, True, 1), "a number is expected, but the argument is a boolean"),
        ("ArrayGetItem", ([1], 1), "index 1 is out of bounds for an array of 1"),
        ("ArrayGetItem", ([1], -1), "index -1 is out of bounds for an array of 1"),
        ("ArrayLength", (None,), "an array is expected, but the argument is null"),
        ("ArrayUnique", (1,), "an array is expected, but the argument is a number"),
        ("Base64Encode", (1,), "a string is expected, but the argument is a number"),
        ("Base64Encode", ("a" * 10_001,), "a string of at most 10000 characters is expected, but the argument has 10001"),
        ("Base64Decode", ("a" * 10_001,), "a string of at most 10000 characters is expected, but the argument has 10001"),
        ("Base64Decode", ("A",), "the argument is not Base64"),
        ("Base64Decode", ("RGF0*SB0",), "the argument is not Base64"),
        ("Base64Decode", ("é",), "the argument is not Base64"),
        ("Hash", ("a", "sha1"), "the algorithm must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512"),
        ("Hash", ("a", ["MD5"]), "the algorithm must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512"),
        ("Hash", ("a" * 10_001, "MD5"), "a string of at most 10000 characters is expected, but the argument has 10001"),
        ("JsonMerge", ({}, {}, True), "the third argument must be false: only shallow merging is supported"),
        ("JsonMerge", ({}, {}, 0), "the third argument must be false: only shallow merging is supported"),
        ("JsonMerge", ({}, [], False), "the first two arguments must be JSON objects"),
        ("StringToJson", ("{",), "the argument cannot be parsed: it is not JSON: input data was truncated"),
        ("StringToJson", ("[" * 100_000,), "the argument cannot be parsed: it nests deeper than 64 levels"),
        ("StringToJson", ({},), "a string is expected, but the argument is an object"),
        ("MathRandom", (1, 1), "the start number 1 must be less than the end number 1"),
        ("MathRandom", (2, 1.4), "the start number 2 must be less than the end number 1"),
        ("MathAdd", (2**31, 1), "the number 2147483648 is not between -2147483648 and 2147483647"),
        ("MathAdd", ("1", 1), "a number is expected, but the argument is a string"),
        ("MathAdd", (True, 1), "a number is expected, but the argument is a boolean"),
        ("StringSplit", (1, ","), "a string is expected, but the argument is a number"),
        ("StringSplit", ("a", None), "a string is expected, but the argument is null"),
        ("Format", ("{} {}", 1), "the template has more occurrences of {} than values, which are 1"),
        ("Format", ("{}", 1, 2), "the template has 1 occurrences of {}, but 2 values were given"),
        ("Format", (["{}"], 1), "a string is expected, but the argument is an array"),
    ],
)
def test_failures(function: str, arguments: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(StateError) as raised:
        FUNCTIONS[function](*arguments)
    assert raised.value.error == "States.IntrinsicFailure"
    assert raised.value.cause == f"The function 'States.{function}' had the following error: {reason}"


def test_random_numbers_lie_from_the_start_to_before_the_end() -> None:
    assert {FUNCTIONS["MathRandom"](-2, 2) for _ in range(200)} == {-2, -1, 0, 1}
    assert {FUNCTIONS["MathRandom"](11.5, 14.4) for _ in range(200)} == {12, 13}
    assert len({FUNCTIONS["MathRandom"](1, 10**6, 42) for _ in range(5)}) == 1


def test_uuids_are_of_version_4_and_differ() -> None:
    made = {FUNCTIONS["UUID"]() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", each) for each in made)


def deep(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"a": [value]}
    return value


def test_no_depth_breaks_a_function() -> None:
    value = deep(20_000)
    assert FUNCTIONS["ArrayContains"]([deep(20_000)], value)
    assert FUNCTIONS["ArrayUnique"]([value, deep(20_000)]) == [value]
    assert len(FUNCTIONS["JsonToString"](value)) > 100_000
    assert FUNCTIONS["Format"]("{}", value).startswith("{a=[{a=[")


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("JsonToString", ([{"a": "x" * 200_000}] * 1_000_000,)),
        ("ArrayUnique", ([{"a": "x" * 200_000}] * 1_000_000,)),
        ("ArrayContains", ([{"a": "x" * 200_000}] * 1_000_000, {"a": 1})),
        ("ArrayContains", ([1], [{"a": "x" * 200_000}] * 1_000_000)),
        ("Format", ("{}", [{"a": "x" * 200_000}] * 1_000_000)),
        ("Format", ("{}" * 255, *["x" * 200_000] * 255)),
        ("ArrayUnique", ([{"a": number} for number in range(30_000)],)),
        ("ArrayUnique", ([list(range(100)) for _ in range(1_000)],)),
        ("StringSplit", ("a," * 130_000, "," + "".join(map(chr, range(1_000, 60_000))))),
        ("ArrayPartition", (list(range(130_000)), 1)),
        ("Format", ("{" * 260_000,)),
        ("Format", ("\\" * 260_000,)),
        ("StringToJson", ("[" + "1," * 130_000 + "1]",)),
        ("ArrayRange", (-(2**31), 2**31 - 1, 1)),
    ],
)  # fmt: skip
def test_hostile_arguments_end_quickly(function: str, arguments: tuple[Any, ...]) -> None:
    started = time.process_time()
    with suppress(StateError):
        FUNCTIONS[function](*arguments)
    assert time.process_time() - started < 1  # 1 to 100 ms

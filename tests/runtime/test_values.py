"""JSON values at the boundary: what comes in, what goes out, what is refused; at any depth and with integers of any size."""

from __future__ import annotations

import json
from collections import OrderedDict, defaultdict
from enum import Enum, IntEnum, StrEnum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from express.runtime import values
from express.runtime.failures import StateError
from express.runtime.limits import DEPTH, PAYLOAD, RESULT_DEPTH

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
documents = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=25)


def nested(depth: int, wrap: Any = lambda inner: [inner]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


def same(one: Any, other: Any) -> bool:
    """Equal with equal types: 1 is neither 1.0 nor True."""
    return json.dumps(one) == json.dumps(other) and one == other


@given(documents)
def test_what_is_written_is_read_back_exactly(value: Any) -> None:
    assert same(values.loads(values.dumps(value)), value)


@given(documents)
def test_the_text_for_any_depth_is_json_too(value: Any) -> None:
    assert same(json.loads(values._text(value, ordered=False)), value)


@given(documents, documents)
def test_equality_agrees_with_identity(one: Any, other: Any) -> None:
    assert values.equal(one, one)
    assert values.equal(one, other) == (values.identity(one) == values.identity(other))


@pytest.mark.parametrize(
    ("one", "other", "are"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ([1, {"a": 1}], [1.0, {"a": 1.0}], True),
        ([True], [1], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ({"a": 1}, {"b": 1}, False),
        ([], {}, False),
        ("1", 1, False),
        (None, False, False),
        (2**70, 2**70, True),
        (-0.0, 0, True),
        ("[]", [], False),
    ],
)
def test_json_equality(one: Any, other: Any, are: bool) -> None:
    assert values.equal(one, other) is are
    assert values.equal(other, one) is are
    assert (values.identity(one) == values.identity(other)) is are
    assert hash(values.identity(one)) is not None


# --- loads ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2**63 - 1, 2**64, -(2**63) - 1, 10**400])
def test_integers_stay_exact_beyond_64_bits(number: int) -> None:
    assert values.loads(b'{"n":%d}' % number) == {"n": number}
    assert values.dumps({"n": [number, "é"]}) == b'{"n":[%d,"\xc3\xa9"]}' % number


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "it is not JSON: input data was truncated"),
        (b"{", "it is not JSON: input data was truncated"),
        (b"?", "it is not JSON: invalid character (byte 0)"),
        (b"NaN", "it is not JSON: invalid character (byte 0)"),
        (b"[1,]", "it is not JSON: trailing comma in array (byte 3)"),
        (b"{}   {}", "it is not JSON: trailing characters (byte 6)"),
        (b"1e999", "it holds a number that cannot be kept: number out of range"),
        (b"1" * 5_000, "it holds a number that cannot be kept: integer value out of range"),
        (b'"\xff"', "it is not valid UTF-8"),
        (b'"\xed\xa0\x80"', "it is not valid UTF-8"),
        (b"[" * 65 + b"]" * 65, "it nests deeper than 64 levels"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "it nests deeper than 64 levels"),
        (b"[" * 100_000, "it nests deeper than 64 levels"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError) as raised:
        values.loads(data)
    assert str(raised.value) == sentence


@pytest.mark.parametrize("data", [b'"\\ud800"', b'"\\udc00a"', b'{"\\ud800":1}', b'["\\ud83d\\u0041"]'])
def test_lone_surrogates_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        values.loads(data)


def test_the_deepest_event_is_read() -> None:
    assert values.loads(b"[" * DEPTH + b"]" * DEPTH) == nested(DEPTH - 1, lambda inner: [inner] if inner != 1 else [[]])
    wide = b"[" + b",".join([b"[1]"] * 1_000) + b"]"
    assert values.loads(wide) == [[1]] * 1_000


# --- Depth ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_no_depth_is_too_deep_for_a_value_that_a_workflow_built(wrap: Any) -> None:
    value = nested(60_000, wrap)
    text = values.dumps(value)
    assert len(text) == values.size(value) == len(text)
    assert values.at_most(value, len(text))
    assert not values.at_most(value, len(text) - 1)
    assert not values.surely_over(value, len(text))
    copied = values.copy(value)
    assert values.equal(copied, value)
    assert values.identity(copied) == values.identity(value)
    assert values.deeper_than(value, 59_999)
    assert not values.deeper_than(value, 60_000)


# --- copy -------------------------------------------------------------------------------------------------------------------------


def containers(value: Any) -> list[int]:
    found, left = [], [value]
    while left:
        item = left.pop()
        if isinstance(item, dict | list):
            found.append(id(item))
            left.extend(item.values() if isinstance(item, dict) else item)
    return found


@given(documents)
def test_a_copy_is_equal_and_shares_no_container(value: Any) -> None:
    copied = values.copy(value)
    assert same(copied, value)
    assert not set(containers(copied)) & set(containers(value))


# --- adopt ------------------------------------------------------------------------------------------------------------------------


class Colour(IntEnum):
    RED = 1


class Size(StrEnum):
    LARGE = "L"


class Point(NamedTuple):
    x: int
    y: int


class Text(str):
    def __str__(self) -> str:
        return "something else"

    def __repr__(self) -> str:
        return "something else"


class Number(float):
    pass


@given(documents)
def test_plain_json_is_adopted_as_an_equal_copy(value: Any) -> None:
    adopted = values.adopt(value)
    assert same(adopted, value)
    assert not set(containers(adopted)) & set(containers(value))


@given(documents)
def test_the_careful_way_to_adopt_agrees_with_the_fast_one(value: Any) -> None:
    assert same(values._adopt(value, PAYLOAD, ""), value)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, (2, [3])), [1, [2, [3]]]),
        (Point(1, 2), [1, 2]),
        (Colour.RED, 1),
        ({"c": Colour.RED, "s": Size.LARGE}, {"c": 1, "s": "L"}),
        ({Size.LARGE: 1}, {"L": 1}),
        (Text("it"), "it"),
        ({"a": Text("it"), Text("b"): Number(1.5)}, {"a": "it", "b": 1.5}),
        (OrderedDict(b=1, a=OrderedDict(c=2)), {"b": 1, "a": {"c": 2}}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        ([True, False, None], [True, False, None]),
        ({"big": 10**100}, {"big": 10**100}),
        ("", ""),
        ({}, {}),
    ],
)
def test_subclasses_become_plain(value: Any, plain: Any) -> None:
    adopted = values.adopt(value)
    assert adopted == plain
    assert all(type(item) in values.PLAIN for item in walk(adopted))


def walk(value: Any) -> list[Any]:
    found, left = [], [value]
    while left:
        item = left.pop()
        found.append(item)
        if isinstance(item, dict):
            left.extend([*item, *item.values()])
        elif isinstance(item, list):
            left.extend(item)
    return found


class Odd(Enum):
    A = 1


class Rude(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise RuntimeError("no")


cycle: list[Any] = []
cycle.append(cycle)
looped: dict[str, Any] = {}
looped["a"] = {"b": [looped]}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "Out of range float values are not JSON compliant: nan"),
        ({"a": None, "b": float("inf")}, "Out of range float values are not JSON compliant: inf"),
        ([{"a": [float("-inf")]}], "Out of range float values are not JSON compliant: -inf"),
        ({1: 2}, "keys must be str, not int"),
        ({"a": {None: 2}}, "keys must be str, not NoneType"),
        ({1, 2}, "Object of type set is not JSON serializable"),
        (b"bytes", "Object of type bytes is not JSON serializable"),
        ({"a": Odd.A}, "Object of type Odd is not JSON serializable"),
        ([object()], "Object of type object is not JSON serializable"),
        ("\ud800", "a text holds a lone surrogate, which has no UTF-8 form"),
        ({"\udfff": 1}, "a text holds a lone surrogate, which has no UTF-8 form"),
        ({"a": 10**5_000}, "an integer has more than 4300 digits"),
        (cycle, "Circular reference, or nested deeper than 254 levels"),
        (looped, "Circular reference, or nested deeper than 254 levels"),
        (nested(100_000), "Circular reference, or nested deeper than 254 levels"),
        (Rude(a=1), "RuntimeError: no"),
    ],
)
def test_what_is_not_json_fails_as_in_lambda(value: Any, reason: str) -> None:
    with pytest.raises(StateError) as raised:
        values.adopt(value)
    assert raised.value.error == "Runtime.MarshalError"
    cause = json.loads(raised.value.cause or "")
    assert cause["errorType"] == "Runtime.MarshalError"
    assert cause["errorMessage"] == f"Unable to marshal response: {reason}"
    assert set(cause) == {"errorMessage", "errorType", "requestId", "stackTrace"}


def test_results_may_nest_as_deep_as_the_limit_says() -> None:
    assert same(values.adopt(nested(RESULT_DEPTH)), nested(RESULT_DEPTH))
    with pytest.raises(StateError, match=r"Runtime\.MarshalError"):
        values.adopt(nested(RESULT_DEPTH + 1))


def test_results_over_the_limit_fail_as_on_aws() -> None:
    exact = "x" * (PAYLOAD - 2)
    assert values.adopt(exact) == exact
    for value in (exact + "x", {"a": exact}, [exact, 1], ["é" * (PAYLOAD // 2)]):
        with pytest.raises(StateError) as raised:
            values.adopt(value, PAYLOAD, "State_1")
        assert raised.value.error == "States.DataLimitExceeded"
        assert (
            raised.value.cause
            == "The state/task 'State_1' returned a result with a size exceeding the maximum number of bytes service limit."
        )


def test_lists_that_share_lists_do_not_explode() -> None:
    value: list[Any] = []
    for _ in range(60):
        value = [value, value]
    with pytest.raises(StateError, match=r"States\.DataLimitExceeded"):
        values.adopt(value)
    assert not values.at_most_shared(value, PAYLOAD)
    assert not values.at_most_shared([{"a": "x" * 200_000}] * 1_000_000, PAYLOAD)
    assert values.at_most_shared({"a": [1, "x", None, 1.5]}, PAYLOAD)

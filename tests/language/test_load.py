"""Loading as a whole: identity, substitutions, speed; and that nothing that may be thrown at it is thrown back."""

from __future__ import annotations

import json
import random
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from express.errors import Problem
from express.language import Loaded, check, intrinsics, load, paths
from express.language.scanner import SyntaxProblem
from tests.language.definitions import ending, errors, said, task, workflow


def test_the_hash_is_of_the_definition_and_not_of_its_spelling() -> None:
    definition = task(Comment="é")
    made = workflow(definition)
    assert len(made.sha256) == 64
    assert workflow(json.dumps(definition, indent=4)).sha256 == made.sha256
    assert workflow(json.dumps(definition, sort_keys=True, ensure_ascii=False)).sha256 == made.sha256
    assert workflow(task(Comment="e")).sha256 != made.sha256


def test_substitutions_replace_what_they_name_and_leave_the_rest() -> None:
    definition = ending(
        "Task",
        Resource="${ChargeArn}",
        Parameters={"${Key}": "${A}-${B}", "x.$": "$.${Field}", "unknown": "${Nobody} $A"},
        TimeoutSeconds="${Seconds}",
    )
    values = {"ChargeArn": "arn:aws:lambda:::function:charge", "Key": "k", "A": 'a"', "B": True, "Field": "total", "Seconds": 30}
    made = workflow(definition, substitutions=values).states["A"]
    assert made.resource == "arn:aws:lambda:::function:charge"  # type: ignore[attr-defined]
    assert made.timeout_seconds.value == 30  # type: ignore[attr-defined]
    fields = dict(made.parameters.fields)  # type: ignore[attr-defined]
    assert fields["k"].value == 'a"-true'
    assert fields["x"] == paths.parse("$.total")
    assert fields["unknown"].value == "${Nobody} $A"
    assert workflow(task(), substitutions={"A": "x"}).sha256 == workflow(task()).sha256


def test_a_substitution_nobody_has_given_is_wrong_only_where_its_value_matters() -> None:
    assert errors(ending("Task", Resource="${ChargeArn}")) == []
    assert errors(ending("Wait", Seconds="${Seconds}")) == ["/States/A/Seconds: the substitution ${Seconds} has no value"]


@pytest.mark.parametrize(
    "value", [None, [1], {}, float("nan"), "\ud800", 10**5000], ids=["null", "list", "dict", "nan", "surrogate", "huge"]
)
def test_a_substitution_that_no_definition_can_hold_is_a_problem(value: Any) -> None:
    assert errors(task(), substitutions={"A": value}) == ["/: the value of the substitution 'A' must be a text, a number, true or false"]


def test_check_is_what_load_finds() -> None:
    assert check(ending("Pass")) == []
    assert check(ending("Pass", Foo=1)) == load(ending("Pass", Foo=1)).problems
    assert said(check("5")) == ["/: a definition is an object with States and StartAt, found 5"]


def thousand() -> dict[str, Any]:
    one = task(Parameters={"a.$": "$.a.b", "c.$": "States.Format('{}', $.x)"}, Retry=[{"ErrorEquals": ["States.ALL"]}])["States"]["A"]
    states = {f"S{number}": {**one, "End": False, "Next": f"S{number + 1}"} for number in range(999)}
    return {"StartAt": "S0", "States": {**states, "S999": {"Type": "Succeed"}}}


def test_a_thousand_states_load_in_well_under_a_second() -> None:
    text = json.dumps(thousand())
    assert min(_seconds(text) for _ in range(3)) < 0.7  # 0.1 s where nothing else runs


def _seconds(text: str) -> float:
    start = time.process_time()
    workflow(text)
    return time.process_time() - start


# --- Hostile ----------------------------------------------------------------------------------------------------------------------

SIZE = 65_536


def pointed(value: str) -> str:
    return json.dumps(ending("Pass", Parameters={"x.$": value}))


def numbered(text: str, number: int) -> list[str]:
    return [f"{text}{index}" for index in range(number)]


HOSTILE = {
    "a long path": pointed("$" + ".a" * 30_000),
    "many indexes": pointed("$" + "[0]" * 20_000),
    "nested filters": pointed("$" + "[?(@.a" * 9_000),
    "parentheses": pointed("$[?" + "(" * 60_000),
    "negations": pointed("$[?(" + "!" * 60_000),
    "conditions": pointed("$[?(" + "@.a&&" * 12_000 + "@.a)]"),
    "an open quote": pointed("$['" + "a" * 60_000),
    "backslashes": pointed("$." + "\\" * 30_000),
    "names": pointed("$['a'" + ",'a'" * 15_000 + "]"),
    "a long number": pointed("$[" + "1" * 60_000 + "]"),
    "calls in calls": pointed("States.Array(" * 5_000),
    "arguments": pointed("States.Array(" + "1," * 30_000),
    "spaces": pointed("$" + " " * 60_000 + "x"),
    "placeholders": pointed("${" * 30_000),
    "missing targets": json.dumps({"StartAt": "A", "States": {f"Astate{n}": {"Type": "Pass", "Next": f"Bstate{n}"} for n in range(1_250)}}),
    "names that nearly agree": json.dumps(
        {"StartAt": "A", "States": {"A" * 76 + f"{n:03}": {"Type": "Pass", "Next": "A" * 76 + f"B{n:03}"} for n in range(330)}}
    ),
    "unknown fields": json.dumps(ending("Pass", **dict.fromkeys(numbered("Parametres", 3_000), 1))),
    "unknown functions": json.dumps(ending("Pass", Parameters=dict.fromkeys([f"{n}.$" for n in numbered("", 2_000)], "States.Foramt()"))),
    "equal keys": "{" + ",".join(['"a":1'] * 10_000) + "}",
    "equal keys in YAML": "a: 1\n" * 12_000,
    "brackets in YAML": "a: " + "[" * 60_000,
    "YAML that multiplies": "a: &a [1,1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1 if n else ''},*a{n - 1 if n else ''}]\n" for n in range(60)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_answered_with_problems_soon(text: str) -> None:
    assert len(text) <= 2 * SIZE
    start = time.process_time()
    loaded = load(text)
    seconds = time.process_time() - start
    assert all(isinstance(problem, Problem) for problem in loaded.problems)
    assert seconds < 0.5  # 0.1 s where nothing else runs


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PIECES = [
    "$",
    "$$",
    ".",
    "..",
    "[",
    "]",
    "'",
    '"',
    "a",
    "*",
    "?(",
    "@",
    ")",
    "==",
    "<",
    "1",
    "-",
    ":",
    ",",
    "&&",
    "||",
    "!",
    "in",
    "/",
    "=~",
    "\\",
    "States.",
    "Format(",
    "Array(",
    "null",
    "{}",
    "true",
    "é",
    "\\u0041",
    "length()",
    "\n",
]
expression = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


@settings(max_examples=500, deadline=None)
@given(expression, st.sampled_from(["", "$", "$[?(", "$['", "States.Array(", "States.Format('"]))
def test_paths_and_calls_raise_only_their_own_error(text: str, start: str) -> None:
    for parse in (paths.parse, intrinsics.parse):
        with suppress(SyntaxProblem):
            parse(start + text)


@settings(max_examples=300, deadline=None)
@given(
    st.text()
    | st.binary()
    | anything
    | st.lists(st.sampled_from(["a: ", "- ", "\n", "  ", "{", "}", "[", "]", "&a ", "*a", "? ", "!x", "|", "<<: "])).map("".join)
)
def test_any_text_or_value_gives_problems_and_no_exception(definition: Any) -> None:
    _judge(load(definition))


SEEDS: list[dict[str, Any]] = [
    thousand() | {"States": dict(list(thousand()["States"].items())[-3:]), "StartAt": "S997"},
    ending(
        "Parallel", Branches=[ending("Choice", Choices=[{"And": [{"Variable": "$.a", "StringMatches": "*"}], "Next": "A"}], Default="A")]
    ),
    ending(
        "Map",
        ItemProcessor=ending("Wait", SecondsPath="$.a"),
        ItemSelector={"x.$": "$$.Map.Item.Value"},
        Catch=[{"ErrorEquals": ["E"], "Next": "A"}],
    ),
    ending("Fail", CausePath="States.Format('{}', $.a)", Error="E"),
]


def _mutate(value: Any, random_: random.Random, junk: Any) -> Any:
    """A copy with some part replaced, renamed, removed or cut."""
    if isinstance(value, dict) and value:
        chosen = random_.choice(list(value))
        what = random_.random()
        if what < 0.1:
            return {key: inner for key, inner in value.items() if key != chosen}
        if what < 0.2:
            return {(key + ".$" if key == chosen else key): inner for key, inner in value.items()}
        if what < 0.3:
            return {**value, chosen: junk}
        return {key: _mutate(inner, random_, junk) if key == chosen else inner for key, inner in value.items()}
    if isinstance(value, list) and value:
        place = random_.randrange(len(value))
        return [*value[:place], _mutate(value[place], random_, junk), *value[place + 1 :]]
    if isinstance(value, str) and value and random_.random() < 0.5:
        place = random_.randrange(len(value))
        return value[:place] + random_.choice("$.[]()'\"{}\\@?*,:1 ") + value[place + 1 :]
    return junk


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False), st.lists(anything, min_size=1, max_size=4), st.booleans())
def test_a_definition_that_has_been_tampered_with_gives_problems_and_no_exception(
    definition: dict[str, Any], random_: random.Random, junk: list[Any], as_text: bool
) -> None:
    for piece in junk:
        definition = _mutate(definition, random_, piece)
    _judge(load(json.dumps(definition) if as_text else definition))


def _judge(loaded: Loaded) -> None:
    assert (loaded.workflow is None) == any(problem.severity == "ERROR" for problem in loaded.problems)
    for problem in loaded.problems:
        assert problem.location.startswith("/")
        assert problem.message
        assert len(str(problem).splitlines()) == 1


@pytest.mark.parametrize(
    ("substitute", "value"),
    [(3, 3), ("3", 3), (True, True), ("[1, 2]", [1, 2]), ("orders", "orders"), ('say "hi"', 'say "hi"'), (1.5, 1.5)],
)
def test_a_placeholder_outside_of_quotes_takes_its_value_s_type(substitute: Any, value: Any) -> None:
    definition = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": [${X}, "${X}", "\\"${X}"], "End": true}}}'
    loaded = load(definition, {"X": substitute})
    assert loaded.problems == []
    assert loaded.raw["States"]["A"]["Result"][0] == value


def test_a_placeholder_outside_of_quotes_without_a_value_hides_no_other_problem() -> None:
    definition = '{"StartAt": "A",\n "TimeoutSeconds": ${Patience}, "States": {"A": {"Type": "Pass", "Nxt": "A", "End": true}}}'
    assert said(load(definition).problems) == [
        "/: the substitution ${Patience} has no value, at line 2 column 20",
        "/TimeoutSeconds: the substitution ${Patience} has no value",
        "/States/A/Nxt: Field is not supported: a Pass state has no field 'Nxt' (did you mean 'Next'?)",
    ]
    assert said(check(definition)) == ["/States/A/Nxt: Field is not supported: a Pass state has no field 'Nxt' (did you mean 'Next'?)"]
    assert load(definition.replace("Nxt", "Comment"), {"Patience": 5}).problems == []


def test_what_is_no_json_but_for_a_placeholder_is_said_with_it() -> None:
    (problem,) = load('{"StartAt": ${First}, "States": {}').problems
    assert problem.message.startswith("not JSON: ")
    assert problem.message.endswith(" at line 1 column 13 (the substitution ${First} has no value)")


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        (ending("Wait", Seconds="${N}"), "Seconds"),
        (ending("Wait", Timestamp="${Day}T00:00:00Z"), "Timestamp"),
        (task(TimeoutSeconds="${N}"), "TimeoutSeconds"),
        (task(Retry=[{"ErrorEquals": ["E"], "MaxAttempts": "${N}"}]), "Retry/0/MaxAttempts"),
        (ending("Pass", InputPath="${Path}"), "InputPath"),
        (ending("Pass", Parameters={"a.$": "${Path}"}), "Parameters/a.$"),
        (ending("Choice", Choices=[{"Variable": "$.a", "NumericEquals": "${N}", "Next": "A"}], Default="A"), "Choices/0/NumericEquals"),
    ],
)
def test_a_placeholder_where_its_value_matters_is_an_error_of_compile_alone(definition: dict[str, Any], place: str) -> None:
    (problem,) = [problem for problem in load(definition).problems if problem.code != "MISSING_END_STATE"]
    assert (problem.code, problem.location) == ("SUBSTITUTION_WITHOUT_VALUE", f"/States/A/{place}")
    assert [problem for problem in check(definition) if problem.location == f"/States/A/{place}"] == []
    (portable,) = [problem for problem in check(definition, portable=True) if problem.location == f"/States/A/{place}"]
    assert portable.code == "NOT_PORTABLE"


def test_a_placeholder_makes_no_unknown_field_known() -> None:
    assert len(said(check(ending("Pass", Foo="${N}")))) == 1

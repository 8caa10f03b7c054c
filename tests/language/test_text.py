"""Reading: what is malformed, too large, given twice or unreadable, with its line and column."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from express.language import load
from tests.language.definitions import ending, errors, said, workflow

GOOD = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
YAML = """
# a comment
StartAt: A
States:
  A:
    Type: Pass
    Result: {on: yes, number: 0x10, half: 1.5, none: ~, text: "1", list: [1, a]}
    End: true
    Comment: 2016-03-14T01:59:00Z
"""


def test_the_same_definition_as_dict_as_text_as_bytes_and_as_a_file_is_the_same_workflow(tmp_path: Path) -> None:
    text = json.dumps(GOOD)
    (tmp_path / "orders.asl.json").write_text(text)
    (tmp_path / "orders.yaml").write_text("StartAt: A\nStates: {A: {Type: Pass, End: true}}\n")
    forms = [GOOD, text, text.encode(), bytearray(text.encode()), b"\xef\xbb\xbf" + text.encode(), "\n  " + text]
    made = [workflow(form) for form in [*forms, tmp_path / "orders.asl.json", tmp_path / "orders.yaml"]]
    assert all(other == made[0] for other in made)


def test_yaml_is_read_with_the_types_of_json_and_no_others() -> None:
    made = workflow(YAML).states["A"]
    assert made.comment == "2016-03-14T01:59:00Z"
    assert made.result.value == {  # type: ignore[attr-defined]
        "on": "yes",
        "number": 16,
        "half": 1.5,
        "none": None,
        "text": "1",
        "list": [1, "a"],
    }


def test_yaml_anchors_aliases_and_merge_keys_work() -> None:
    text = """
StartAt: A
States:
  A: &pass {Type: Pass, Result: &result {x: 1}, Next: B}
  B: {<<: *pass, Result: *result, Next: C}
  C: {<<: [*pass, {Comment: c}], Next: D}
  D: {Type: Succeed}
"""
    made = workflow(text)
    assert [state.name for state in made.states.values()] == ["A", "B", "C", "D"]
    assert made.states["C"].comment == "c"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "/: the definition is empty"),
        (" \n ", "/: the definition is empty"),
        (b"", "/: the definition is empty"),
        ("# nothing\n", "/: the definition is empty"),
        ('{"StartAt": "A",\n "States" {}}', "/: not JSON: ... at line 2 column 11"),
        ('{"StartAt": "A",}', "/: not JSON: ... at line 1 column 16"),
        ('{"é": 1,\n"ü": x}', "/: not JSON: ... at line 2 column 6"),
        ('{"a": NaN}', "/: not JSON: ... at line 1 column 7"),
        ('{"a": 1e999}', "/: not JSON: ... at line 1 column 7"),
        ('{"a": "\\ud800"}', "/: not JSON: ... at line 1 column 8"),
        ("[1]", "/: a definition is an object with States and StartAt, found an array"),
        ('"x"', "/: a definition is an object with States and StartAt, found 'x'"),
        ("orders.asl.json", "/: a definition is an object with States and StartAt, found 'orders.asl.json'"),
        (b'{"a": "\xff"}', "/: not UTF-8 text: byte 7 cannot be read"),
        ('{"a": "\ud800"}', "/: not UTF-8 text: character 7 cannot be read"),
        ("StartAt: A\n  States: {}", "/: not YAML: mapping values are not allowed in this context at line 2 column 9"),
        ("a: [1, 2", "/: not YAML: while parsing a flow sequence, did not find expected ',' or ']' at line 2 column 1"),
        (
            "a: [b:c]",
            (
                "/: not YAML: while scanning a plain scalar, "
                "found unexpected ':' at line 1 column 6: a text with ':' in it needs quotes here"
            ),
        ),
        ("a: *x", "/: there is no anchor '&x' before this alias at line 1 column 4"),
        ("a: &x [*x]", "/: there is no anchor '&x' before this alias at line 1 column 8"),
        ("a: !Sub x", "/: the tag !Sub has no meaning in a definition at line 1 column 4"),
        ("a: !!python/object:os.system x", "/: the tag !!python/object:os.system has no meaning in a definition at line 1 column 4"),
        ("a: !!set {x}", "/: the tag !!set has no meaning in a definition at line 1 column 4"),
        ("? [a]\n: 1", "/: a key must be text at line 1 column 3"),
        ("a: 1\n---\nb: 1", "/: a second document begins at line 2 column 1"),
        ("a: 1e999", "/: the number 1e999 is too large at line 1 column 4"),
        ("<<: 1", "/: '<<' takes an object or a list of objects at line 1 column 5"),
        (None, "/: a definition is an object, JSON or YAML text, or a path, found NoneType"),
        (5, "/: a definition is an object, JSON or YAML text, or a path, found int"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_with_its_place(text: Any, expected: str) -> None:
    assert [_without_orjsons_words(error) for error in errors(text)] == [expected]


def _without_orjsons_words(error: str) -> str:
    """Its words change with its versions, the place does not."""
    return re.sub("not JSON: .* at line", "not JSON: ... at line", error)


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        (
            '{"StartAt": "A",\n "StartAt": "B", "States": {}}',
            "INVALID_JSON_DESCRIPTION",
            "/StartAt: the field 'StartAt' is given twice, the second time at line 2 column 2",
        ),
        (
            '{"StartAt": "A", "States": {\n"A": {"Type": "Pass", "End": true},\n"A": {"Type": "Succeed"}}}',
            "DUPLICATE_STATE_NAME",
            "/States/A: there are two states named 'A', the second at line 3 column 1",
        ),
        (
            '{"States": {"P": {"Branches": [{}, {"States": {"A": {}, "A": {}}}]}}}',
            "DUPLICATE_STATE_NAME",
            "/States/P/Branches/1/States/A: there are two states named 'A', the second at line 1 column 57",
        ),
        (
            '{"a": [{"b": "\\"}{,", "c": [1, 2]}, {"d": {}, "e/f": 1, "e/f": 2}]}',
            "INVALID_JSON_DESCRIPTION",
            "/a/1/e~1f: the field 'e/f' is given twice, the second time at line 1 column 57",
        ),
        (
            "StartAt: A\nStates:\n  A: {Type: Pass}\n  A: {Type: Pass}",
            "DUPLICATE_STATE_NAME",
            "/States/A: there are two states named 'A', the second at line 4 column 3",
        ),
        (
            "a:\n  - b: 1\n    b: 2",
            "INVALID_JSON_DESCRIPTION",
            "/a/0/b: the field 'b' is given twice, the second time at line 3 column 5",
        ),
    ],
)
def test_a_key_given_twice_is_found_with_both_its_pointer_and_its_line(text: str, code: str, expected: str) -> None:
    problems = load(text).problems
    assert said(problems)[0] == expected
    assert problems[0].code == code
    assert load(text).workflow is None


@pytest.mark.parametrize(
    "text",
    ['{"StartAt": "A", "StartAt": "A", "States": {"A": {"Type": "Pass"}}}', "StartAt: A\nStartAt: A\nStates: {A: {Type: Pass}}"],
    ids=["JSON", "YAML"],
)
def test_what_else_is_wrong_is_said_beside_a_duplicate(text: str) -> None:
    found = errors(text)
    assert "the field 'StartAt' is given twice" in found[0]
    assert "/States/A: One of these fields is required: [Next, End]" in found


def test_every_duplicate_is_reported() -> None:
    assert errors('{"a": {"x": 1, "x": 2, "x": 3}, "a": 1}')[:3] == [
        "/a/x: the field 'x' is given twice, the second time at line 1 column 16",
        "/a/x: the field 'x' is given twice, the second time at line 1 column 24",
        "/a: the field 'a' is given twice, the second time at line 1 column 33",
    ]


def cyclic() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["StartAt"] = value
    return value


DEEP = "objects and arrays may be nested 160 deep, these are deeper"
ALIASES = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "\n".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ('{"a":' * 161 + "1" + "}" * 161, f"/: {DEEP}"),
        ('{"a":' * 60_000, "/: not JSON: ... at line 1 column 5122"),
        ("a: " + "[" * 60_000, f"/: {DEEP} at line 1 column 163"),
        ("- " * 30_000, f"/: {DEEP} at line 1 column 321"),
        (ALIASES, "/: a definition may have 300000 values, this one has more at line 6 column 20"),
        (cyclic(), f"/: {DEEP}"),
        ({"StartAt": float("nan")}, "/StartAt: nan is not a JSON number"),
        ({"StartAt": {1, 2}}, "/StartAt: set is not a JSON type"),
        ({"StartAt": "\ud800"}, "/StartAt: the text holds a lone surrogate, which JSON cannot carry"),
        ({5: "A"}, "/: the keys of an object are texts, found 5"),
        ({"StartAt": 1 << 2000}, "/StartAt: a number may have 1024 bits, this one has 2001"),
        (json.dumps({"Comment": "x" * 1024 * 1024}), "/: a definition may have 1048576 bytes, this one has more"),
        ({"Comment": "x" * 1024 * 1024}, "/: a definition may have 1048576 bytes, this one has 1048590"),
    ],
    ids=["nested", "bottomless", "yaml flow", "yaml block", "aliases", "cycle", "nan", "set", "surrogate", "key", "number", "text", "dict"],
)
def test_what_is_too_deep_too_large_or_not_json_is_a_problem_and_no_exception(definition: Any, expected: str) -> None:
    assert [_without_orjsons_words(error) for error in errors(definition)] == [expected]


def test_a_file_that_is_missing_or_a_directory_is_a_problem(tmp_path: Path) -> None:
    missing = load(tmp_path / "missing.json")
    assert said(missing.problems) == [f"/: the file {tmp_path / 'missing.json'} cannot be read: No such file or directory"]
    assert missing.problems[0].code == "DEFINITION_UNREADABLE"
    assert errors(tmp_path) == [f"/: the file {tmp_path} cannot be read: Is a directory"]


def test_a_file_named_json_is_not_taken_for_yaml(tmp_path: Path) -> None:
    (tmp_path / "orders.json").write_text("StartAt: A")
    assert [_without_orjsons_words(error) for error in errors(tmp_path / "orders.json")] == ["/: not JSON: ... at line 1 column 1"]


def test_integers_beyond_64_bits_stay_exact() -> None:
    made = workflow('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": 123456789012345678901234567890, "End": true}}}')
    assert made.states["A"].result.value == 123456789012345678901234567890  # type: ignore[attr-defined]


def test_what_the_caller_does_to_its_dict_afterwards_changes_nothing() -> None:
    mine = ending("Pass", Result={"x": [1]})
    made = workflow(mine)
    mine["States"]["A"]["Result"]["x"].append(2)
    assert made.states["A"].result.value == {"x": [1]}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "code"),
    [("orders.asl.json", "INVALID_JSON_DESCRIPTION"), ("[]", "SCHEMA_VALIDATION_FAILED"), ("5", "SCHEMA_VALIDATION_FAILED")],
)
def test_a_text_that_is_no_json_at_all_has_aws_s_code_for_it(text: str, code: str) -> None:
    assert [problem.code for problem in load(text).problems] == [code]

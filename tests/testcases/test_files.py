"""Files that cannot work: one sentence each, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from express.errors import ConfigurationError, DefinitionError
from express.testcases import collect

# The file's text; what is said of it, after the file's name
WRONG = {
    "no cases": ("definition: order.asl.json\n", [":1: the field 'cases' is missing"]),
    "an empty list of cases": ("cases: {}\n", [":1: cases: there is no case: nothing would be tested"]),
    "not YAML": ("cases: [\n", [":2: not YAML: while parsing a flow node, expected the node content, but found '<stream end>'"]),
    "a case twice": ("cases:\n  a: {}\n  a: {}\n", [":3: the key 'a' is there twice"]),
    "an unknown field": (
        "cases:\n  a:\n    expect: {ouput: 1}\n",
        [":3: cases.a.expect.ouput: there is no field of this name, did you mean 'output'?"],
    ),
    "several things at once": (
        "cases:\n  a:\n    name: 5\n    expect:\n      takes: soon\n",
        [
            ":3: cases.a.name: expected a text, found 5",
            ":5: cases.a.expect.takes: expected a duration such as 200ms, 20s or 5m, found 'soon'",
        ],
    ),
    "an answer that says nothing": (
        "cases:\n  a:\n    mocks:\n      Charge: {}\n",
        [":4: cases.a.mocks.Charge: expected one of result and errorOutput"],
    ),
    "an answer that says both": (
        "cases:\n  a:\n    mocks:\n      Charge:\n        - {result: 1, errorOutput: {error: E}}\n",
        [":5: cases.a.mocks.Charge[0]: expected one of result and errorOutput"],
    ),
    "no answers": ("cases:\n  a:\n    mocks: {Charge: []}\n", [":3: cases.a.mocks.Charge: expected at least one answer"]),
    "a mock that is neither an answer nor a list": (
        "mocks: {Charge: 5}\ncases: {a: {}}\n",
        [":1: mocks.Charge: expected fields such as result, errorOutput, after, times, when, index, found 5"],
    ),
    "times that are none": (
        "cases:\n  a:\n    mocks:\n      Charge: [{result: 1, times: 0}]\n",
        [":4: cases.a.mocks.Charge[0].times: expected a number from 1, found 0"],
    ),
    "times of what answers always": (
        "cases:\n  a:\n    mocks:\n      Charge: {result: 1, times: 2}\n",
        [":4: cases.a.mocks.Charge.times: one answer that is no list answers every call: times has no meaning for it"],
    ),
    "an output of a failure": (
        "cases:\n  a:\n    expect: {output: 1, error: E}\n",
        [":3: cases.a.expect: an execution that fails has no output: expected output, or error and cause"],
    ),
    "an error of a success": (
        "cases:\n  a:\n    expect: {status: SUCCEEDED, error: E}\n",
        [":3: cases.a.expect: an execution that succeeds has no error and no cause"],
    ),
    "a status that there is not": (
        "cases:\n  a:\n    expect: {status: OK}\n",
        [":3: cases.a.expect.status: expected one of SUCCEEDED, FAILED, TIMED_OUT, ABORTED, found 'OK'"],
    ),
    "a step that is no state": (
        "cases:\n  a:\n    expect: {path: [HasItems, 5]}\n",
        [":3: cases.a.expect.path[1]: expected a state's name, or {name: [[states of the first branch or iteration], ...]}"],
    ),
    "a date that wants to be a text": (
        "cases:\n  a:\n    input:\n      day: 2026-01-31\n",
        [":4: cases.a.input.day: expected a JSON value, found the date 2026-01-31: a text needs quotes here"],
    ),
    "a number that JSON does not have": (
        "cases:\n  a:\n    input:\n      x: .nan\n",
        [":4: cases.a.input.x: expected a JSON value, found nan"],
    ),
    "a time that is none": (
        "cases:\n  a:\n    start: noon\n",
        [":3: cases.a.start: expected a time such as 2026-01-31T12:00:00Z, found 'noon'"],
    ),
    "an input twice": (
        "cases:\n  a:\n    input: 1\n    input_file: order.asl.json\n",
        [":4: cases.a.input_file: input and input_file cannot both be given"],
    ),
    "variables of a whole workflow": (
        "cases:\n  a:\n    variables: {x: 1}\n",
        [":3: cases.a.variables: variables are given to the state that start_at names: a whole workflow begins without any"],
    ),
    "a state that there is not": (
        "mocks: {Chrage: {result: 1}}\ncases:\n  a:\n    expect:\n      calls: {Nobody: []}\n      path: [HasItems, {Price: [[Knwon]]}]\n",
        [
            ":1: mocks.Chrage: order.asl.json has no state 'Chrage': did you mean 'Charge'?",
            ":5: cases.a.expect.calls.Nobody: order.asl.json has no state 'Nobody'",
            ":6: cases.a.expect.path[1].Price[0][0]: order.asl.json has no state 'Knwon': did you mean 'Known'?",
        ],
    ),
    "a state that calls nothing": (
        "cases:\n  a:\n    mocks: {HasItems: {result: 1}}\n",
        [":3: cases.a.mocks.HasItems: HasItems is a Choice: only Task, Parallel and Map can be mocked"],
    ),
    "a start in a branch": (
        "cases:\n  a:\n    start_at: Mail\n",
        [":3: cases.a.start_at: a state inside a Parallel or Map cannot be the first: 'Mail'"],
    ),
    "a start nowhere": ("cases:\n  a:\n    start_at: Nowhere\n", [":3: cases.a.start_at: there is no such state: 'Nowhere'"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_everything_that_is_wrong_is_a_sentence_with_its_line(folder: Path, name: str) -> None:
    text, sentences = WRONG[name]
    path = folder / "order.test.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        collect(path)
    assert list(raised.value.problems) == [f"{path}{sentence}" for sentence in sentences]


def test_files_that_are_not_there_are_named(folder: Path) -> None:
    path = folder / "refund.test.yaml"
    path.write_text("functions: [gone.py]\ncases:\n  a:\n    input_file: gone.json\n")
    with pytest.raises(ConfigurationError) as raised:
        collect(path)
    assert list(raised.value.problems) == [
        f"{path}:1: definition: there is no file {folder / 'refund.asl.json'}; name one in the field definition",
        f"{path}:1: functions[0]: there is no file {folder / 'gone.py'}",
        f"{path}:4: cases.a.input_file: there is no file {folder / 'gone.json'}",
    ]


def test_the_problems_of_all_files_come_at_once(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / f"{name}.test.yaml").write_text("definition: order.asl.json\ncases: 5\n")
    with pytest.raises(ConfigurationError) as raised:
        collect(folder)
    assert len(raised.value.problems) == 2


def test_a_definition_that_is_wrong_says_so_with_its_own_places(folder: Path) -> None:
    (folder / "order.asl.json").write_text('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}')
    (folder / "order.test.yaml").write_text("cases: {a: {}}\n")
    with pytest.raises(DefinitionError) as raised:
        collect(folder)
    assert f"{folder / 'order.asl.json'}: /States/A/Next" in [problem.location for problem in raised.value.problems]


def test_a_path_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        collect(tmp_path / "gone.test.yaml")


def test_texts_are_what_they_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration's ``${NAME}`` means nothing here: test data may look like anything."""
    monkeypatch.setenv("HOME", "/root")
    (folder / "echo.asl.json").write_text('{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}')
    (folder / "echo.test.yaml").write_text(
        "cases:\n  a:\n    input: &it {a: '${HOME}', b: {file: x}, c: '$${d}'}\n    expect: {output: *it}\n"
    )
    (case,) = collect(folder / "echo.test.yaml")
    assert case.run().outcome.output == {"a": "${HOME}", "b": {"file": "x"}, "c": "$${d}"}
    assert case.run().problems == []


def test_folders_are_searched_and_a_keyword_chooses(folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / ".hidden").mkdir()
    for place in (folder, folder / "inner", folder / ".hidden"):
        (place / "x.test.yaml").write_text(f"definition: {folder / 'order.asl.json'}\ncases: {{One: {{}}, two: {{}}}}\n")
    assert [str(case.file.path.parent.name) for case in collect(folder)] == ["inner", "inner", folder.name, folder.name]
    assert [case.name for case in collect(folder, keyword="one")] == ["One", "One"]
    assert [case.name for case in collect(folder, keyword="inner")] == ["One", "two"]

"""What cases have reached: every state, every transition."""

from __future__ import annotations

from pathlib import Path

import pytest

from express.errors import ConfigurationError
from express.testcases import collect, coverage, suite

CASES = """
functions: [functions.py]
cases:
  empty: {input: {items: []}, expect: {error: Empty}}
  declined: {input: {items: [{sku: s1}]}, expect: {error: Declined}}
"""


def test_what_no_case_has_reached_is_named(folder: Path) -> None:
    (folder / "order.test.yaml").write_text(CASES)
    (found,) = suite.run(collect(folder)).coverages
    inner = "/States/Price/ItemProcessor/States"
    assert found.missing == [
        "never entered: /States/Tell",
        f"never entered: {inner}/Unknown",
        "never entered: /States/Tell/Branches/0/States/Mail",
        "never entered: /States/Tell/Branches/1/States/Log",
        "never taken: /States/Charge -> Tell",
        f"never taken: {inner}/Known -> Unknown (Default)",
    ]
    assert (len(found.states), len(found.transitions), found.total) == (12, 8, 20)
    assert found.percent == 100 * 14 / 20
    assert found.states["/States/HasItems"] == 2


def test_the_way_through_a_catch_is_another_than_next(folder: Path) -> None:
    (folder / "order.test.yaml").write_text(CASES)
    (found,) = suite.run(collect(folder)).coverages
    ways = {str(taken): taken.count for taken in found.transitions if taken.source == "/States/Charge"}
    assert ways == {"/States/Charge -> Tell": 0, "/States/Charge -> Cancel (Catch[0])": 1}


def test_a_catch_to_where_next_leads_is_told_apart(folder: Path) -> None:
    (folder / "same.asl.json").write_text(
        '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:a", "Next": "B",'
        ' "Catch": [{"ErrorEquals": ["X"], "Next": "B"}, {"ErrorEquals": ["Y"], "Next": "B"}]}, "B": {"Type": "Succeed"}}}'
    )
    (folder / "same.test.yaml").write_text("cases: {y: {mocks: {A: {errorOutput: {error: Y}}}}}\n")
    (found,) = suite.run(collect(folder / "same.test.yaml")).coverages
    assert [taken.count for taken in found.transitions] == [0, 0, 1]


def test_rules_to_the_same_state_are_told_apart(folder: Path) -> None:
    (folder / "rules.asl.json").write_text(
        '{"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": true, "Next": "B"},'
        ' {"Variable": "$.b", "IsPresent": true, "Next": "B"}], "Default": "B"}, "B": {"Type": "Succeed"}}}'
    )
    (folder / "rules.test.yaml").write_text("cases: {x: {}, y: {input: {b: 1}}, z: {input: {a: 1, b: 1}}, again: {input: {a: 1}}}\n")
    (found,) = suite.run(collect(folder / "rules.test.yaml")).coverages
    assert [(str(taken), taken.count) for taken in found.transitions] == [
        ("/States/A -> B (Choices[0])", 2),
        ("/States/A -> B (Choices[1])", 1),
        ("/States/A -> B (Default)", 1),
    ]


def test_the_coverage_of_one_definition_is_the_sum_over_its_files(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / f"{name}.test.yaml").write_text(f"definition: order.asl.json\n{CASES}")
    (found,) = suite.run(collect(folder)).coverages
    assert found.states["/States/HasItems"] == 4


def test_a_written_file_is_read_again_for_the_same_definition_only(folder: Path) -> None:
    (folder / "order.test.yaml").write_text(CASES)
    (found,) = suite.run(collect(folder)).coverages
    path = folder / "coverage.json"
    path.write_bytes(coverage.text([found]))
    assert coverage.read(path, found.sha256) == found
    with pytest.raises(ConfigurationError, match="has no coverage of this version of the definition") as raised:
        coverage.read(path, "0" * 64)
    assert str(folder / "order.asl.json") in str(raised.value)
    path.write_text("{}")
    with pytest.raises(ConfigurationError, match="expected what express test --coverage-file writes"):
        coverage.read(path, found.sha256)


def test_a_mock_of_the_file_that_no_case_has_used_is_named(folder: Path) -> None:
    path = folder / "order.test.yaml"
    path.write_text("mocks: {Mail: {result: 1}, Ask: {result: 1}}\n" + CASES.lstrip())
    assert suite.run(collect(path)).unused == [f"{path}:1: mocks.Mail: no case has used this mock"]
    assert suite.run(collect(path, keyword="empty")).unused == [], "what the other cases use is not known"

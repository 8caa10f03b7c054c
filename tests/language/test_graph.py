"""Transitions: targets that exist, states that are reached, an end; names and limits across the whole definition."""

from __future__ import annotations

from typing import Any

import pytest

from express.language import load, refusals
from tests.language.definitions import ending, errors, machine, task, workflow

END: dict[str, Any] = {"Type": "Pass", "End": True}
NO_END = "there is no terminal state: a Succeed, a Fail or a state with End: true"


def branches(*parts: dict[str, Any]) -> dict[str, Any]:
    return ending("Parallel", Branches=list(parts))


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ({"StartAt": "Charge", "States": {"Chagre": END}}, ["/StartAt: no state is named 'Charge' (did you mean 'Chagre'?)"]),
        (
            machine({"Type": "Pass", "Next": "Chrage"}, Charge=END),
            [
                "/States/A/Next: no state is named 'Chrage' (did you mean 'Charge'?)",
                "/States/Charge: State 'Charge' is not reachable: no state that is reached leads to it",
            ],
        ),
        (machine({"Type": "Pass", "Next": "b"}, B=END), ["/States/A/Next: no state is named 'b' (did you mean 'B'?)", "..."]),
        (
            machine({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "X"}], "Default": "Y"}),
            [
                "/States/A/Default: no state is named 'Y'",
                "/States/A/Choices/0/Next: no state is named 'X'",
                f"/States: {NO_END}",
            ],
        ),
        (
            machine(END, B={"Type": "Pass", "Next": "C"}, C={"Type": "Pass", "Next": "B"}),
            [
                "/States/B: State 'B' is not reachable: no state that is reached leads to it",
                "/States/C: State 'C' is not reachable: no state that is reached leads to it",
            ],
        ),
        (machine({"Type": "Pass", "Next": "B"}, B={"Type": "Wait", "Seconds": 1, "Next": "A"}), [f"/States: {NO_END}"]),
        (
            branches({"StartAt": "B", "States": {"B": {"Type": "Pass", "Next": "A"}}}),
            [
                "/States/A/Branches/0/States/B/Next: no state is named 'A' here: the one at /States/A is out of reach",
                f"/States/A/Branches/0/States: {NO_END}",
            ],
        ),
        (
            machine({"Type": "Parallel", "Branches": [{"StartAt": "B", "States": {"B": END}}], "Next": "B"}, C=END),
            [
                "/States/A/Next: no state is named 'B' here: the one at /States/A/Branches/0/States/B is out of reach",
                "/States/C: State 'C' is not reachable: no state that is reached leads to it",
            ],
        ),
        (
            branches({"StartAt": "B", "States": {"B": END}}, {"StartAt": "B", "States": {"B": END}}),
            ["/States/A/Branches/1/States/B: there are two states named 'B', the other at /States/A/Branches/0/States/B"],
        ),
        (
            branches({"StartAt": "A", "States": {"A": END}}),
            ["/States/A/Branches/0/States/A: there are two states named 'A', the other at /States/A"],
        ),
        (
            {"StartAt": "x" * 81, "States": {"x" * 81: END}},
            [f"/States/{'x' * 81}: a state's name has 1 to 80 characters, found one of 81"],
        ),
        ({"StartAt": "", "States": {"": END}}, ["/States/: a state's name has 1 to 80 characters, found none"]),
        (
            machine({"Type": "Pass", "Next": "a\nb"}, B=END),
            ["/States/A/Next: no state is named 'a\\nb'", "..."],
        ),
    ],
)
def test_what_is_wrong_between_states_is_said_with_its_place(definition: dict[str, Any], expected: list[str]) -> None:
    found = errors(definition)
    assert found[:1] == expected[:1] if expected[-1] == "..." else found == expected


def test_a_line_break_in_a_name_does_not_break_the_line_of_its_problem() -> None:
    assert errors({"StartAt": "a\nb", "States": {"a\nb": {"Type": "Pass"}}})[0] == (
        "/States/a\\nb: One of these fields is required: [Next, End]"
    )


def test_states_are_reached_through_catch_default_and_rules() -> None:
    definition = machine(
        {**task()["States"]["A"], "Catch": [{"ErrorEquals": ["E"], "Next": "B"}]},
        B={"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "C"}], "Default": "D"},
        C=END,
        D=END,
    )
    assert errors(definition) == []


def nested(levels: int) -> dict[str, Any]:
    part: dict[str, Any] = {"StartAt": "S0", "States": {"S0": END}}
    for level in range(1, levels + 1):
        kind = {"Type": "Map", "ItemProcessor": part} if level % 2 else {"Type": "Parallel", "Branches": [part]}
        part = {"StartAt": f"S{level}", "States": {f"S{level}": {**kind, "End": True}}}
    return part


def test_sixteen_maps_and_parallels_may_be_nested_and_seventeen_not() -> None:
    workflow(nested(16))
    problems = load(nested(17)).problems
    assert [problem.code for problem in problems] == ["TOO_DEEPLY_NESTED"]
    assert str(problems[0]).endswith("/ItemProcessor: Map and Parallel states may be nested 16 deep, these are deeper")


def line_of(number: int) -> dict[str, Any]:
    states: dict[str, Any] = {f"S{index}": {"Type": "Pass", "Next": f"S{index + 1}"} for index in range(number - 1)}
    return {"StartAt": "S0", "States": {**states, f"S{number - 1}": {"Type": "Succeed"}}}


def test_ten_thousand_states_may_be_defined_and_no_more() -> None:
    assert len(workflow(line_of(10_000)).states) == 10_000
    assert errors(line_of(10_001)) == ["/States: a definition may have 10000 states, this one has more"]


def test_labels_are_unique() -> None:
    part = {"StartAt": "I", "States": {"I": END}}
    inner = {"StartAt": "B", "States": {"B": {"Type": "Map", "Label": "L", "ItemProcessor": part, "End": True}}}
    problems = load(ending("Map", Label="L", ItemProcessor=inner)).problems
    assert [(problem.code, str(problem)) for problem in problems] == [
        ("DUPLICATE_LABEL_NAME", "/States/A/Label: there are two labels 'L', the other at /States/A/ItemProcessor/States/B/Label")
    ]


def test_a_distributed_map_loads_and_is_refused_by_its_own_code() -> None:
    part = {"StartAt": "I", "States": {"I": END}, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}}
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 5},
        "Parameters": {"Bucket": "b", "Key.$": "$.key"},
    }
    batcher = {"BatchInput": {"x.$": "$.a"}, "MaxItemsPerBatch": 5, "MaxInputBytesPerBatchPath": "$.bytes"}
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b"}}
    made = workflow(
        branches(
            {
                "StartAt": "B",
                "States": {
                    "B": {
                        "Type": "Map",
                        "ItemProcessor": part,
                        "ItemReader": reader,
                        "ItemBatcher": batcher,
                        "ResultWriter": writer,
                        "End": True,
                    }
                },
            }
        )
    )
    assert [(problem.severity, problem.code, str(problem)) for problem in refusals(made)] == [
        (
            "ERROR",
            "DISTRIBUTED_MAP",
            "/States/A/Branches/0/States/B: a Distributed Map cannot be run: Express workflows have the inline Map only",
        )
    ]


def test_a_reader_without_the_mode_is_a_warning_and_still_a_distributed_map() -> None:
    part = {"StartAt": "I", "States": {"I": END}}
    loaded = load(ending("Map", ItemProcessor=part, ItemReader={"Resource": "arn:aws:states:::s3:getObject"}))
    assert [problem.code for problem in loaded.problems] == ["NOT_DISTRIBUTED"]
    assert loaded.workflow is not None
    assert [problem.code for problem in refusals(loaded.workflow)] == ["DISTRIBUTED_MAP"]


def test_what_can_be_run_is_not_refused() -> None:
    assert refusals(workflow(nested(5))) == []

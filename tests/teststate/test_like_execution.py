"""A state tested alone does what it did in an execution: random machines are recorded, and every visit is repeated by TestState."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from typing import Any

import pytest

import express
from express.testing import Recording, VirtualClock, Visit
from tests.reference import machines
from tests.reference.differential import NAME, START, functions

# What another moment, another execution or another place sees differently, and what is set elsewhere
ELSEWHERE = re.compile(r"\$\$|context|Assign|UUID|Random|\$uuid|\$random|\$now|\$millis|\$(v|total|x_|Gr.{12}e)\d")


def state_at(definition: Any, location: str) -> dict[str, Any]:
    for step in location.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        definition = definition[int(step)] if isinstance(definition, list) else definition[step]
    found: dict[str, Any] = definition
    return found


def repeated(definition: dict[str, Any], visit: Visit) -> dict[str, Any]:
    """The visit's state, given what it was given, its task answering as it did."""
    options: dict[str, Any] = {}
    if visit.type in ("Task", "Map", "Parallel"):
        options["mock"] = {"result": visit.data.get("result"), "fieldValidationMode": "NONE"}
        if "result" not in visit.data:
            options["mock"] = {"errorOutput": {"error": visit.error, **({"cause": visit.cause} if visit.cause is not None else {})}}
        options["state_configuration"] = {"retrierRetryCount": 99}
    return express.test_state(definition, visit.input, state_name=visit.name, **options)


def timeless(value: Any) -> Any:
    """Without the number of the event that a state was entered by, which causes hold: it depends on what came before."""
    return json.loads(re.sub(r"event id #\d+", "event id #", json.dumps(value)))


@pytest.mark.parametrize("batch", range(2))
def test_every_visit_of_an_execution_is_repeated_alone(batch: int) -> None:
    compared = Counter[str]()
    for seed in range(batch * 60, batch * 60 + 45):
        case = machines.case(seed)
        names = Counter(re.findall(r'"States": \{|"([^"]+)": \{"Type"', json.dumps(case.definition)))
        program = express.compile(copy.deepcopy(case.definition), name="differential", functions=functions(case), trace=True)
        for data in case.inputs[:2]:
            recording = Recording()
            program.run(copy.deepcopy(data), clock=VirtualClock(START.timestamp()), name=NAME, trace=recording)
            for visit in recording.visits[:20]:
                if visit.status not in ("SUCCEEDED", "CAUGHT") or visit.input is None or names[visit.name] > 1:
                    continue
                if ELSEWHERE.search(json.dumps(state_at(case.definition, visit.location))) or visit.type == "Wait":
                    continue
                if visit.status == "CAUGHT" and "result" not in visit.data and visit.error in (None, "States.Runtime"):
                    continue
                answer = repeated(case.definition, visit)
                wanted = {"SUCCEEDED": "SUCCEEDED", "CAUGHT": "CAUGHT_ERROR"}[visit.status]
                got = (answer["status"], timeless(answer.get("output")), answer.get("nextState"))
                assert got == (wanted, timeless(visit.output), visit.next), (seed, visit.trail)
                compared[f"{visit.type} {visit.status}"] += 1
    assert set(compared) >= {"Pass SUCCEEDED", "Choice SUCCEEDED", "Task SUCCEEDED", "Task CAUGHT", "Parallel SUCCEEDED"}, compared

"""Code that records: it does what it does without, and takes down every state on every way."""

from __future__ import annotations

import asyncio
import copy
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import express
from express.observers import recording as names
from express.testing import Recording, VirtualClock, Visit
from tests.compiler.machines import choice, counts, machine, map_, pass_, run, task
from tests.reference import machines
from tests.reference.differential import NAME, functions
from tests.reference.made_values import START

Compiled = Callable[..., express.Program]
ANY = {"ErrorEquals": ["States.ALL"]}


def visits(program: express.Program, event: Any, **options: Any) -> list[Visit]:
    recording = Recording()
    run(program, event, trace=recording, **options)
    return recording.visits


def test_without_tracing_the_code_records_nothing(compiled: Compiled) -> None:
    program = compiled(machine(A=pass_(Parameters={"a": 1}), M=map_(machine(B=pass_())), T=task("f", Retry=[ANY])), functions={"f": len})
    assert not any(name in program.source for name in (*names.NAMES, "visit", "within"))
    with pytest.raises(ValueError, match=r"workflow machine: nothing can be recorded; expected a program compiled with trace=True"):
        program.run({}, trace=Recording())


def test_states_may_have_the_names_that_recording_uses(compiled: Compiled) -> None:
    definition = machine(
        visit=choice(
            {"Variable": "$.visit", "NumericGreaterThan": 1, "Next": "within"}, {"Variable": "$.visit", "IsNull": True, "Next": "within"}
        ),
        within=task("trace_enter", Next="trace_leave"),
        trace_leave=pass_(Result=1),
    )
    for trace in (False, True):
        program = compiled(definition, functions={"trace_enter": lambda event: event}, trace=trace)
        assert run(program, {"visit": 2}).output == 1
        assert run(program, {"visit": None}).output == 1
        assert run(program, {"visit": 0}).error == "States.NoChoiceMatched"


@pytest.mark.parametrize("batch", range(3))
@pytest.mark.large
def test_recording_changes_nothing_and_misses_nothing(batch: int) -> None:
    """Random machines: outcome, times entered, retries and catches are those of the same program without."""
    for seed in range(batch * 25, batch * 25 + 25):
        case = machines.case(seed)
        plain = express.compile(copy.deepcopy(case.definition), name="differential", functions=functions(case))
        traced = express.compile(copy.deepcopy(case.definition), name="differential", functions=functions(case), trace=True)
        recorded = Recording()
        start = START.timestamp()
        for data in case.inputs:
            recording = Recording()
            random.seed(seed)  # jitter
            expected = plain.run(copy.deepcopy(data), clock=VirtualClock(start), name=NAME)
            random.seed(seed)
            outcome = traced.run(copy.deepcopy(data), clock=VirtualClock(start), name=NAME, trace=recording)
            assert outcome == expected, seed
            if recording.visits:
                assert recording.visits[0].input == data
            if recording.visits and outcome.status == "SUCCEEDED":
                last = next(visit for visit in reversed(recording.visits) if visit.parent is None)
                assert (last.output, last.next) == (outcome.output, None)
            for visit in recording.visits:
                _consistent(visit, recording)
            recorded.visits += recording.visits
        entered = Counter(visit.name for visit in recorded.visits)
        retried = Counter(visit.name for visit in recorded.visits for failure in visit.failures if failure.delay is not None)
        assert +Counter(counts(traced)) == entered, seed
        assert _retries(traced) == retried, seed
        if not any(visit.status == "ABORTED" for visit in recorded.visits):  # how far those come is chance
            assert (+Counter(counts(plain)), _retries(plain)) == (entered, retried), seed


def _retries(program: express.Program) -> Counter[str]:
    assert program.metrics is not None
    return Counter({program.states[number]: count for number, count in program.metrics.retries.items() if count})


def _consistent(visit: Visit, recording: Recording) -> None:
    assert visit.attempts == 1 + sum(failure.delay is not None for failure in visit.failures)
    assert (visit.status == "CAUGHT") is (visit.catcher is not None)
    assert visit.status in ("SUCCEEDED", "CAUGHT") or (visit.next, visit.output) == (None, None)
    if visit.status == "SUCCEEDED":
        assert visit.error is None
    if visit.parent is not None:
        around = recording.visits[visit.parent]
        assert visit.location.startswith(around.location + "/")
        assert visit.trail == f"{around.trail}[{visit.index}]/{visit.name}"


def test_a_visit_says_where_it_was_and_what_came_next(compiled: Compiled) -> None:
    definition = machine(
        Each=map_(machine(A=pass_(), B=pass_(Result=1)), ItemsPath="$.items", ResultPath="$.made"),
        Fan={"Type": "Parallel", "Branches": [machine(L=pass_()), machine(Inner=map_(machine(R=pass_()), ItemsPath="$.items"))]},
        Done={"Type": "Succeed"},
    )
    found = visits(compiled(definition, trace=True), {"items": [7, 8]})
    assert [(visit.trail, visit.next) for visit in found] == [
        ("Each", "Fan"), ("Each[0]/A", "B"), ("Each[0]/B", None), ("Each[1]/A", "B"), ("Each[1]/B", None),
        ("Fan", "Done"), ("Fan[0]/L", None), ("Fan[1]/Inner", None), ("Fan[1]/Inner[0]/R", None), ("Fan[1]/Inner[1]/R", None),
        ("Done", None),
    ]  # fmt: skip
    assert found[1].location == "/States/Each/ItemProcessor/States/A"
    assert found[9].location == "/States/Fan/Branches/1/States/Inner/ItemProcessor/States/R"
    assert [visit.number for visit in found] == list(range(11))
    assert [(visit.parent, visit.index) for visit in found[7:10]] == [(5, 1), (7, 0), (7, 1)]
    assert [visit.input for visit in found if visit.name == "A"] == [7, 8]
    assert [visit.type for visit in found if visit.parent is None] == ["Map", "Parallel", "Succeed"]


def test_every_step_of_the_data_is_recorded_by_awss_name(compiled: Compiled) -> None:
    state = task(
        "double",
        InputPath="$.in",
        Parameters={"n.$": "$.n"},
        ResultSelector={"m.$": "$.n"},
        ResultPath="$.out",
        OutputPath="$.out",
    )
    (visit,) = visits(compiled(machine(T=state), functions={"double": lambda event: {"n": 2 * event["n"]}}, trace=True), {"in": {"n": 4}})
    assert visit.data == {
        "afterInputPath": {"n": 4},
        "afterParameters": {"n": 4},
        "result": {"n": 8},
        "afterResultSelector": {"m": 8},
        "afterResultPath": {"in": {"n": 4}, "out": {"m": 8}},
    }
    assert (visit.input, visit.output) == ({"in": {"n": 4}}, {"m": 8})


def test_jsonata_states_record_their_arguments_and_result(compiled: Compiled) -> None:
    state = {**task("double", Arguments={"n": "{% $states.input.n + 1 %}"}, Output="{% $states.result.n %}"), "QueryLanguage": "JSONata"}
    functions = {"double": lambda event: {"n": 2 * event["n"]}}
    (visit,) = visits(compiled(machine(T=state), functions=functions, trace=True), {"n": 1})
    assert visit.data == {"afterArguments": {"n": 2}, "result": {"n": 4}}
    assert (visit.input, visit.output) == ({"n": 1}, 4)


def test_variables_are_recorded_where_they_are_assigned(compiled: Compiled) -> None:
    def fail(event: Any) -> Any:
        raise express.TaskError("Busy")

    catch = [{"ErrorEquals": ["Busy"], "Next": "C", "Assign": {"error.$": "$.Error"}, "ResultPath": None}]
    rule = {"Variable": "$a", "NumericEquals": 2, "Next": "M", "Assign": {"ruled": True}}
    definition = machine(
        A=pass_(Assign={"a.$": "$.n", "b": [1]}),
        B=pass_(Assign={"a.$": "States.MathAdd($a, 1)"}),
        T=task("f", Catch=catch, Assign={"never": 1}),
        C=choice(rule, default="M") | {"Assign": {"otherwise": True}},
        M=map_(machine(I=pass_(Assign={"i.$": "$"})), ItemsPath="$.items"),
    )
    found = visits(compiled(definition, functions={"f": fail}, trace=True), {"n": 1, "items": [7, 8]})
    assert [(visit.trail, visit.assigned) for visit in found] == [
        ("A", {"a": 1, "b": [1]}), ("B", {"a": 2}), ("T", {"error": "Busy"}), ("C", {"ruled": True}), ("M", {}),
        ("M[0]/I", {"i": 7}), ("M[1]/I", {"i": 8}),
    ]  # fmt: skip


@pytest.mark.parametrize("path", [None, "$.a"])
def test_states_without_a_result_record_their_input_path(compiled: Compiled, path: str | None) -> None:
    definition = machine(
        W={"Type": "Wait", "Seconds": 1, "InputPath": path, "OutputPath": "$", "Next": "C"},
        C=choice(default="S") | {"InputPath": path, "Choices": [{"Variable": "$.n", "IsPresent": True, "Next": "S"}]},
        S={"Type": "Succeed", "InputPath": path},
    )
    found = visits(compiled(definition, trace=True), {"a": {"a": {"a": {}}}})
    expected = [{}, {}, {}] if path is None else [{"a": {"a": {}}}, {"a": {}}, {}]
    assert [visit.data["afterInputPath"] for visit in found] == expected


def test_what_is_recorded_is_not_changed_later(compiled: Compiled) -> None:
    def spoil(event: Any) -> Any:
        event["x"] = "spoilt"
        return event

    definition = machine(
        A=pass_(Parameters={"x": 1}), B=pass_(Result=2, ResultPath="$.y"), T=task("spoil"), C=pass_(Result=3, ResultPath="$.z")
    )
    found = visits(compiled(definition, functions={"spoil": spoil}, trace=True), {})
    assert [visit.output for visit in found] == [
        {"x": 1}, {"x": 1, "y": 2}, {"x": "spoilt", "y": 2}, {"x": "spoilt", "y": 2, "z": 3},
    ]  # fmt: skip
    assert found[2].input == {"x": 1, "y": 2}


def test_failed_attempts_their_delays_and_the_catcher_are_recorded(compiled: Compiled) -> None:
    def fail(event: Any) -> Any:
        raise express.TaskError("Busy", "later")

    retry = [{"ErrorEquals": ["Busy"], "MaxAttempts": 2, "IntervalSeconds": 3}]
    catch = [{"ErrorEquals": ["Other"], "Next": "X"}, {"ErrorEquals": ["States.ALL"], "Next": "Y", "ResultPath": "$.e"}]
    definition = machine(T=task("f", Retry=retry, Catch=catch), X={"Type": "Fail"}, Y=pass_())
    visit, after = visits(compiled(definition, functions={"f": fail}, trace=True), {"n": 1})
    assert (visit.status, visit.next, visit.catcher, visit.attempts) == ("CAUGHT", "Y", 1, 3)
    assert [(each.error, each.cause, each.delay) for each in visit.failures] == [
        ("Busy", "later", 3),
        ("Busy", "later", 6),
        ("Busy", "later", None),
    ]
    assert visit.output == after.input == {"n": 1, "e": {"Error": "Busy", "Cause": "later"}}
    assert visit.seconds == 9


def test_a_failure_ends_every_state_around_it_and_gives_up_those_beside(compiled: Compiled) -> None:
    slow = machine(W={"Type": "Wait", "Seconds": 9})
    definition = machine(P={"Type": "Parallel", "Branches": [machine(F={"Type": "Fail", "Error": "E", "Cause": "c"}), slow]})
    found = {visit.name: visit for visit in visits(compiled(definition, trace=True), {})}
    assert [(name, visit.status, visit.error) for name, visit in found.items()] == [("P", "FAILED", "E"), ("F", "FAILED", "E")]
    definition["States"]["P"]["Branches"].reverse()
    found = {visit.name: visit for visit in visits(compiled(definition, trace=True), {})}
    assert [(name, visit.status) for name, visit in found.items()] == [("P", "FAILED"), ("W", "ABORTED"), ("F", "FAILED")]


def test_an_execution_that_runs_out_of_time_has_timed_out_where_it_was(compiled: Compiled) -> None:
    definition = machine(A=pass_(), W={"Type": "Wait", "Seconds": 90}) | {"TimeoutSeconds": 30}
    found = visits(compiled(definition, trace=True), {})
    assert [(visit.name, visit.status, visit.seconds) for visit in found] == [("A", "SUCCEEDED", 0), ("W", "TIMED_OUT", 30)]
    loop = machine(A=choice({"Variable": "$.n", "IsNull": True, "Next": "S"}, default="A"), S={"Type": "Succeed"}) | {"TimeoutSeconds": 1}
    recording = Recording()
    outcome = compiled(loop, trace=True).run({"n": 1}, trace=recording)
    assert outcome.status == "TIMED_OUT"
    assert {visit.status for visit in recording.visits} == {"SUCCEEDED"}  # it ended between two of them


def test_an_output_over_the_limit_fails_the_state_that_made_it(compiled: Compiled) -> None:
    definition = machine(A=pass_(), B=pass_(Parameters={"a.$": "$.x", "b.$": "$.x"}), C=pass_(), D=pass_())
    program = compiled(definition, trace=True)
    found = visits(program, {"x": "x" * 200_000})
    assert [(visit.name, visit.status, visit.error) for visit in found] == [
        ("A", "SUCCEEDED", None), ("B", "FAILED", "States.DataLimitExceeded"),
    ]  # fmt: skip
    assert program.metrics is not None
    assert [program.metrics.entries(number) for number in range(4)] == [1, 1, 0, 0]


async def test_executions_of_one_program_are_recorded_apart(compiled: Compiled) -> None:
    async def wait(event: Any) -> Any:
        await asyncio.sleep(0.01)
        return event

    waiting = {"wait": express.function("wait")(wait)}
    program = compiled(machine(A=pass_(), W=task("wait"), B=pass_()), functions=waiting, trace=True)
    recordings = [Recording() for _ in range(5)]
    await asyncio.gather(*(program.execute(number, trace=recording) for number, recording in enumerate(recordings)))
    await program.execute("nobody records this")
    for number, recording in enumerate(recordings):
        assert [(visit.name, visit.input) for visit in recording.visits] == [("A", number), ("W", number), ("B", number)]
        assert recording.visited("/States/W")[0].seconds > 0
        assert recording.trail == ["A", "W", "B"]


def test_a_program_that_records_still_turns_text_into_text(compiled: Compiled) -> None:
    from express.runtime.context import Execution

    program = compiled(machine(A=pass_(Parameters={"b.$": "$.a"})), trace=True)
    assert program.process(b'{"a": 1}', Execution(program, None, 0, 9)) == b'{"b":1}'


def test_the_variables_that_a_state_set_are_recorded_on_every_way(compiled: Compiled) -> None:
    def declined(event: Any) -> Any:
        raise express.TaskError("Declined", "no money")

    rule = {"Variable": "$.n", "NumericEquals": 1, "Assign": {"way": "one"}, "Next": "T"}
    catcher = {"ErrorEquals": ["Declined"], "Assign": {"why.$": "$.Cause"}, "Next": "J"}
    definition = machine(
        A=pass_(Assign={"visit": 1, "within.$": "$.n"}),
        C={**choice(rule, default="T"), "Assign": {"way": "other"}},
        T=task("declined", Catch=[catcher], Assign={"why": "none"}),
        J={**pass_(Output="{% $visit %}", Assign={"visit": "{% $visit + $within %}"}), "QueryLanguage": "JSONata"},
        End=pass_(),
    )
    program = compiled(definition, functions={"declined": declined}, trace=True)
    for number, way in ((1, "one"), (2, "other")):
        found = visits(program, {"n": number})
        assert [visit.assigned for visit in found] == [
            {"visit": 1, "within": number},
            {"way": way},
            {"why": "no money"},
            {"visit": 1 + number},
            {},
        ]
        assert found[-1].output == 1


RULES = [("$.a", "Y"), ("$.b", "Y"), ("$.c", "Z"), ("$.d", "Y")]


@pytest.mark.parametrize(("event", "rule"), [({"a": 1, "b": 1}, 0), ({"b": 1}, 1), ({"c": 1}, 2), ({"d": 1}, 3), ({}, None)])
def test_the_rule_by_which_a_choice_is_left_is_recorded(compiled: Compiled, event: dict[str, int], rule: int | None) -> None:
    """Also where the rules are one condition in the code, as those are that lead to the same state in a row."""
    rules = [{"Variable": path, "IsPresent": True, "Next": target} for path, target in RULES]
    row = machine(X=choice(*rules, default="Z"), Y=pass_(End=True), Z=pass_())
    first = visits(compiled(row, trace=True), event)[0]
    assert (first.rule, first.next) == (rule, "Z" if rule in (2, None) else "Y")

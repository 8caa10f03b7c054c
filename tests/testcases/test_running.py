"""Cases run: what mocks answer, what time does, what is said when something differs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from express.testcases import collect, suite
from tests.testcases.conftest import RunCase

GOOD = "mocks: {Ask: {result: 5}, Charge: {result: {id: 1}}, Mail: {result: mailed}}\n"
ONE = "input: {items: [{sku: s1}]}\n"


def test_a_case_that_comes_out_as_expected_has_no_problems(run_case: RunCase) -> None:
    result = run_case(f"{ONE}{GOOD}expect: {{output: {{items: [{{sku: s1}}], prices: [5], receipt: {{id: 1}}, told: [mailed, logged]}}}}")
    assert result.problems == []
    assert result.passed


def test_without_an_expectation_an_execution_must_succeed(run_case: RunCase) -> None:
    assert run_case("input: {items: []}").problems == [
        "status: expected SUCCEEDED, found FAILED with Empty: an order without items, in /States/Empty"
    ]


def test_an_expected_failure_passes_and_another_says_what_was_found(run_case: RunCase) -> None:
    case = "input: {items: []}\nexpect: "
    assert run_case(f"{case}{{error: Empty, cause: an order without items, status: FAILED}}").passed
    assert run_case(f"{case}{{cause_has: without}}").passed
    assert run_case(f"{case}{{error: Full}}").problems == [
        "error: expected Full, found FAILED with Empty: an order without items, in /States/Empty"
    ]
    assert run_case(f"{case}{{cause_has: with items}}").problems == [
        'cause_has: expected a cause with "with items" in it, found "an order without items"'
    ]


def test_an_expected_failure_that_does_not_come_says_what_came_out(run_case: RunCase) -> None:
    (problem,) = run_case(f"{ONE}{GOOD}expect: {{error: Empty}}").problems
    assert problem.startswith('status: expected FAILED, found SUCCEEDED with {"items"')


def test_an_output_may_be_expected_in_part(run_case: RunCase) -> None:
    assert run_case(f"{ONE}{GOOD}expect: {{output_has: {{prices: [5], receipt: {{id: 1}}}}}}").passed
    assert run_case(f"{ONE}{GOOD}expect: {{output_has: {{receipt: {{id: 2, to: x}}}}}}").problems == [
        "output_has: $.receipt.id: expected 2, found 1",
        'output_has: $.receipt.to: expected "x", it is not there',
    ]


def test_a_sequence_answers_one_call_after_the_other_and_backoff_takes_no_time(run_case: RunCase) -> None:
    began = time.monotonic()
    result = run_case(
        f"""
        {ONE.strip()}
        mocks:
          Ask: {{result: 5}}
          Charge:
            - {{errorOutput: {{error: Busy, cause: later}}, times: 2}}
            - {{result: {{id: 3}}}}
          Mail: {{result: mailed}}
        expect: {{output_has: {{receipt: {{id: 3}}}}, takes: 30s}}
        """
    )
    assert result.problems == []
    assert result.elapsed == pytest.approx(30)
    assert time.monotonic() - began < 5


def test_an_answer_that_takes_longer_than_the_timeout_is_a_timeout(run_case: RunCase) -> None:
    result = run_case(
        f"{ONE}mocks: {{Ask: {{result: 5}}, Charge: {{result: 1, after: 6s}}}}\nexpect: {{error: States.Timeout, takes: 65s}}"
    )
    assert result.problems == []


def test_an_answer_may_be_for_certain_payloads_as_those_of_an_iteration(run_case: RunCase) -> None:
    result = run_case(
        """
        input: {items: [{sku: s1}, {sku: x}, {sku: s2, size: 4}]}
        mocks:
          Ask:
            - {when: {sku: s2}, result: 22}
            - {when: {sku: s1}, result: 11}
          Charge: {result: 1}
          Mail: {result: mailed}
        expect: {output_has: {prices: [11, 0, 22]}}
        """
    )
    assert result.problems == []


def test_a_call_in_an_iteration_without_an_answer_says_which(run_case: RunCase) -> None:
    result = run_case("input: {items: [{sku: s1}, {sku: s2}]}\nmocks: {Ask: {index: 0, result: 5}}\nexpect: {status: FAILED}")
    assert result.problems == ['Ask was called with {"sku": "s2"}, but none of its mocks is for this payload in iteration 1']


NESTED = """
StartAt: Each
States:
  Each:
    Type: Map
    ItemProcessor:
      StartAt: Both
      States:
        Both:
          Type: Parallel
          Branches:
            - StartAt: One
              States: {One: {Type: Pass, End: true}}
            - StartAt: Two
              States:
                Two:
                  Type: Task
                  Resource: "arn:aws:lambda:us-east-1:123456789012:function:two"
                  Retry: [{ErrorEquals: [Busy]}]
                  End: true
          ResultSelector: {two.$: "$[1]"}
          End: true
    End: true
"""


def test_an_answer_may_be_for_one_iteration_of_the_map_around_whatever_is_between_and_whoever_waits(tmp_path: Path) -> None:
    (tmp_path / "nested.asl.yaml").write_text(NESTED)
    path = tmp_path / "nested.test.yaml"
    path.write_text(
        """
cases:
  a:
    input: [1, 1, 1]
    mocks:
      Two:
        - {index: 2, result: c, after: 3s}
        - {index: 0, errorOutput: {error: Busy}}
        - {index: 1, result: b}
        - {index: 0, result: a}
    expect: {output: [{two: a}, {two: b}, {two: c}]}
"""
    )
    (case,) = collect(path)
    case.check()


def test_a_whole_map_or_parallel_can_be_mocked(run_case: RunCase) -> None:
    result = run_case(
        f"{ONE}mocks: {{Price: {{result: [9]}}, Charge: {{result: 1}}, Tell: {{result: told}}}}\n"
        "expect: {output_has: {prices: [9], told: told}, path: [HasItems, Price, Charge, Tell]}"
    )
    assert result.problems == []
    assert [visit.name for visit in result.visits] == ["HasItems", "Price", "Charge", "Tell"]


def test_a_mocked_map_is_called_with_the_inputs_of_its_iterations(run_case: RunCase) -> None:
    mocks = "mocks: {Price: {result: [9]}, Charge: {result: 1}, Tell: {result: told}}"
    assert run_case(f"{ONE}{mocks}\nexpect: {{calls: {{Price: [[{{sku: s1}}]]}}}}").problems == []


def test_a_mocked_map_can_fail_and_be_retried(folder: Path) -> None:
    (folder / "m.asl.json").write_text(
        '{"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 5}],'
        ' "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}}}}'
    )
    (folder / "m.test.yaml").write_text(
        "cases:\n  a:\n    input: [1]\n    mocks: {M: [{errorOutput: {error: E}}, {result: 2}]}\n    expect: {output: 2, takes: 5s}\n"
    )
    (case,) = collect(folder / "m.test.yaml")
    assert case.run().problems == []


def test_a_map_that_is_mocked_in_one_case_runs_in_the_next(folder: Path) -> None:
    (folder / "order.test.yaml").write_text(
        "mocks: {Charge: {result: 1}, Mail: {result: m}}\n"
        f"cases:\n  a:\n    {ONE}    mocks: {{Price: {{result: [9]}}}}\n    expect: {{output_has: {{prices: [9]}}}}\n"
        f"  b:\n    {ONE}    mocks: {{Ask: {{result: 5}}}}\n    expect: {{output_has: {{prices: [5]}}}}\n"
    )
    assert [case.run().problems for case in collect(folder)] == [[], []]


def test_functions_run_for_tasks_that_no_case_mocks(run_case: RunCase) -> None:
    top = "functions: [functions.py]"
    assert run_case(f"{ONE}expect: {{error: Declined, cause: no money}}", top).passed
    assert run_case(f"{ONE}mocks: {{Charge: {{result: 1}}}}\nexpect: {{output_has: {{prices: [2], told: [mailed, logged]}}}}", top).passed


def test_a_function_that_the_data_names_is_one_of_the_file_s(folder: Path) -> None:
    (folder / "any.asl.json").write_text(
        '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": '
        '{"FunctionName.$": "$.name", "Payload": {"sku": "s1"}}, "OutputPath": "$.Payload", "End": true}}}'
    )
    (folder / "any.test.yaml").write_text("functions: [functions.py]\ncases:\n  a:\n    input: {name: ask}\n    expect: {output: 2}\n")
    (case,) = collect(folder / "any.test.yaml")
    assert case.run().problems == []
    (folder / "any.test.yaml").write_text("cases:\n  a: {input: {name: ask}, expect: {status: FAILED}}\n")
    (case,) = collect(folder / "any.test.yaml")
    (problem,) = case.run().problems
    assert problem.startswith(
        'A was called with {"FunctionName": "ask", "Payload": {"sku": "s1"}}, but it has neither a mock nor a function'
    )


def test_async_functions_live_in_virtual_time(folder: Path) -> None:
    (folder / "functions.py").write_text(
        "import asyncio, express\n\n\n@express.function('charge')\nasync def charge(event):\n    await asyncio.sleep(3)\n    return 1\n"
    )
    (folder / "order.test.yaml").write_text(
        "functions: [functions.py]\ncases:\n  a:\n    start_at: Charge\n    input: {prices: []}\n    mocks: {Tell: {result: 1}}\n"
        "    expect: {takes: 3s, output_has: {receipt: 1}}\n"
    )
    (case,) = collect(folder)
    assert case.run().problems == []  # three seconds, exactly: the machine's clock would give some more


def test_a_task_without_a_mock_is_a_problem_whatever_a_catch_makes_of_it(run_case: RunCase) -> None:
    problems = run_case(f"{ONE}mocks: {{Ask: {{result: 5}}}}\nexpect: {{error: States.TaskFailed}}").problems
    assert problems == [
        (
            'Charge was called with {"prices": [5]}, but it has neither a mock nor a function: '
            "give one of mocks: {Charge: {result: ...}} and functions"
        )
    ]


def test_a_sequence_that_is_used_up_is_a_problem(run_case: RunCase) -> None:
    problems = run_case(
        f"{ONE}mocks: {{Ask: {{result: 5}}, Charge: [{{errorOutput: {{error: Busy}}}}]}}\nexpect: {{status: FAILED}}"
    ).problems
    assert problems == ['Charge was called with {"prices": [5]}, but its mocks have answered 1 time and are used up']


def test_a_call_for_which_no_answer_is_meant_is_a_problem(run_case: RunCase) -> None:
    problems = run_case(f"{ONE}mocks: {{Ask: {{result: 5, when: {{sku: s2}}}}}}\nexpect: {{status: FAILED}}").problems
    assert 'Ask was called with {"sku": "s1"}, but none of its mocks is for this payload' in problems
    assert "mocks: no call of Ask had a payload for its answer" in problems


def test_mocks_of_a_case_that_nobody_asks_for_are_problems(run_case: RunCase) -> None:
    problems = run_case(
        f"{ONE}mocks: {{Ask: {{result: 5}}, Charge: [{{result: 1}}, {{result: 2}}, {{result: 3}}], Mail: {{result: m}}}}"
    ).problems
    assert problems == ["mocks: 2 of the answers of Charge were not asked for"]
    assert run_case("input: {items: []}\nmocks: {Ask: {result: 1}}\nexpect: {error: Empty}").problems == ["mocks: Ask was never called"]


def test_the_path_is_compared_state_by_state(run_case: RunCase) -> None:
    assert run_case(f"{ONE}{GOOD}expect: {{path: [HasItems, Price, Charge, Cancel]}}").problems == [
        "path: differs at step 4",
        "  expected  HasItems -> Price -> Charge -> [Cancel]",
        "  found     HasItems -> Price -> Charge -> [Tell]",
    ]
    assert run_case(f"{ONE}{GOOD}expect: {{path: [HasItems, Price]}}").problems[1:] == [
        "  expected  HasItems -> Price -> [the end]",
        "  found     HasItems -> Price -> [Charge] -> Tell",
    ]


def test_the_path_can_look_into_branches_and_iterations(run_case: RunCase) -> None:
    case = f"input: {{items: [{{sku: s1}}, {{sku: x}}]}}\n{GOOD}expect: "
    assert run_case(f"{case}{{path: [HasItems, {{Price: [[Known, Ask], [Known, Unknown]]}}, Charge, {{Tell: [[Mail], [Log]]}}]}}").passed
    assert run_case(f"{case}{{path: [HasItems, {{Price: [[Known, Ask], [Known, Ask]]}}, Charge, Tell]}}").problems == [
        "path in Price[1]: differs at step 2",
        "  expected  Known -> [Ask]",
        "  found     Known -> [Unknown]",
    ]
    assert run_case(f"{case}{{path: [HasItems, {{Price: [[Known, Ask]]}}, Charge, Tell]}}").problems == [
        "path: Price has 2 branches or iterations with states, expected 1"
    ]


def test_what_tasks_are_called_with_can_be_expected(run_case: RunCase) -> None:
    case = f"input: {{items: [{{sku: s1}}, {{sku: s2}}]}}\n{GOOD}expect: "
    assert run_case(f"{case}{{calls: {{Charge: [{{prices: [5, 5]}}], Ask: [{{sku: s1}}, {{sku: s2}}]}}}}").passed
    assert run_case(f"{case}{{calls: {{Charge: [{{prices: [5, 6]}}], Mail: []}}}}").problems[0] == (
        "calls of Charge: [0].prices[1]: expected 6, found 5"
    )
    assert run_case(f"{case}{{calls: {{Mail: []}}}}").problems[0].startswith('calls: expected 0 of Mail, found 1: [{"items"')


def test_an_execution_may_begin_in_another_state(run_case: RunCase) -> None:
    result = run_case(
        "start_at: Charge\ninput: {prices: [1]}\nmocks: {Charge: {result: 1}, Tell: {result: t}}\nexpect: {path: [Charge, Tell]}"
    )
    assert result.problems == []


def test_the_context_object_name_and_time_are_the_case_s_own(tmp_path: Path) -> None:
    (tmp_path / "now.asl.json").write_text(
        '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"name.$": "$$.Execution.Name", "at.$": "$$.Execution.StartTime",'
        ' "from.$": "$$.Source.topic"}, "End": true}}}'
    )
    (tmp_path / "now.test.yaml").write_text(
        "context: {Source: {topic: orders}}\ncases:\n"
        "  by itself: {expect: {output_has: {at: '2026-01-01T00:00:00.000Z', from: orders}}}\n"
        "  given:\n    name: first\n    start: 2026-02-03T04:05:06Z\n    context: {Source: {topic: others}}\n"
        "    expect: {output: {name: first, at: '2026-02-03T04:05:06.000Z', from: others}}\n"
    )
    assert [case.run().problems for case in collect(tmp_path)] == [[], []]


def test_the_input_may_be_a_file_of_its_own(folder: Path, run_case: RunCase) -> None:
    (folder / "event.json").write_text('{"items": [{"sku": "s1"}]}')
    assert run_case(f"input_file: event.json\n{GOOD}").passed


def test_a_result_that_is_null_is_a_result(run_case: RunCase) -> None:
    mocks = "mocks: {Ask: {result: null}, Charge: {result: null}, Mail: {result: null}}"
    result = run_case(f"{ONE}{mocks}\nexpect: {{output_has: {{prices: [null], receipt: null}}}}")
    assert result.problems == []


def test_a_case_for_anybody_s_own_pytest_raises_what_differs(folder: Path) -> None:
    path = folder / "order.test.yaml"
    path.write_text("cases:\n  good: {input: {items: []}, expect: {error: Empty}}\n  bad:\n    input: {items: []}\n")
    good, bad = collect(path)
    good.check()
    with pytest.raises(AssertionError) as raised:
        bad.check()
    assert str(raised.value).splitlines() == [
        f"{path}:3: bad",
        "  status: expected SUCCEEDED, found FAILED with Empty: an order without items, in /States/Empty",
    ]


JSONATA = """
{"QueryLanguage": "JSONata", "StartAt": "Quote", "States": {
  "Quote": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:quote", "Arguments": "{% $states.input.sku %}",
            "Assign": {"price": "{% $states.result.price %}"}, "Output": "{% $states.input %}", "Next": "Dear",
            "Catch": [{"ErrorEquals": ["None"], "Assign": {"price": 0}, "Output": "{% $states.input %}", "Next": "Dear"}]},
  "Dear": {"Type": "Choice", "Choices": [{"Condition": "{% $price > 100 %}", "Next": "Ask"}], "Default": "Buy"},
  "Ask": {"Type": "Wait", "Seconds": "{% $price %}", "Next": "Buy"},
  "Buy": {"Type": "Pass", "Output": {"sku": "{% $states.input.sku %}", "paid": "{% $price %}"}, "End": true}
}}
"""


def test_jsonata_and_variables_are_tested_alike(folder: Path) -> None:
    (folder / "buy.asl.json").write_text(JSONATA)
    (folder / "buy.test.yaml").write_text(
        """
        cases:
          dear:
            input: {sku: s1}
            mocks: {Quote: {result: {price: 120}}}
            expect:
              {output: {sku: s1, paid: 120}, path: [Quote, Dear, Ask, Buy], takes: 120s, calls: {Quote: [s1]}, variables: {price: 120}}
          unknown:
            input: {sku: s1}
            mocks: {Quote: {errorOutput: {error: None, cause: who knows}}}
            expect: {output_has: {paid: 0}, path: [Quote, Dear, Buy]}
          from the middle:
            start_at: Dear
            variables: {price: 300}
            input: {sku: s2}
            expect: {output: {sku: s2, paid: 300}, path: [Dear, Ask, Buy], takes: 5m}
          a variable that nobody has set:
            start_at: Buy
            input: {sku: s2}
            expect: {error: States.QueryEvaluationError}
        """
    )
    cases = collect(folder / "buy.test.yaml")
    assert [(case.name, case.run().problems) for case in cases] == [(case.name, []) for case in cases]
    assert [each.missing for each in suite.run(cases).coverages] == [[]]


def test_variables_at_the_end_are_compared(folder: Path) -> None:
    (folder / "buy.asl.json").write_text(JSONATA)
    (folder / "buy.test.yaml").write_text(
        "cases:\n  a:\n    start_at: Dear\n    variables: {price: 3}\n    input: {sku: s}\n    expect: {variables: {price: 4, cost: 1}}\n"
    )
    (case,) = collect(folder / "buy.test.yaml")
    assert case.run().problems == [
        "variables: $price: expected 4, found 3",
        "variables: expected cost to be 1, nothing has assigned it",
    ]

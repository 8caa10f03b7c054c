"""Advice: each piece where it is due, with its place, and silence where it is not."""

from __future__ import annotations

from typing import Any

import pytest

import express
from express.language import check
from tests.language.definitions import FUNCTION, machine

INVOKE = "arn:aws:states:::lambda:invoke"
RETRY = [{"ErrorEquals": ["States.TaskFailed"]}]
NEVER = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 0}]
DATA: dict[str, Any] = {"Type": "Pass", "Parameters": {"a": 1}}


def advice(definition: Any, code: str, **options: Any) -> list[str]:
    """The places of one piece of advice."""
    problems = check(definition, **options)
    assert not [problem for problem in problems if problem.severity == "ERROR"], problems
    return [problem.location for problem in problems if problem.code == code]


def good(**fields: Any) -> dict[str, Any]:
    """A Task about which there is nothing to say."""
    task = {"Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": 5, "Retry": RETRY, **fields}
    return {name: value for name, value in task.items() if value is not None} | ({} if "Next" in fields else {"End": True})


def test_a_careful_workflow_gets_no_advice() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Tell"}]
    definition = machine(
        good(Next="Many", Catch=catch),
        Many={
            "Type": "Map",
            "ItemProcessor": {"StartAt": "One", "States": {"One": good(ResultSelector={"id.$": "$.id"})}},
            "ResultPath": "$.many",
            "Next": "Done",
        },
        Done={"Type": "Succeed"},
        Tell=good(Parameters={"order.$": "$.id", "cause.$": "$.error.Cause"}, Next="Failed"),
        Failed={"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
    )
    assert check(definition) == []


def test_advice_is_neither_an_error_nor_a_warning_and_can_be_left_out() -> None:
    definition = machine(good(TimeoutSeconds=None))
    assert [problem.severity for problem in check(definition)] == ["ADVICE"]
    assert check(definition, advice=False) == []


def test_there_is_no_advice_about_what_has_errors() -> None:
    assert {problem.severity for problem in check(machine(good(TimeoutSeconds=None, Foo=1)))} == {"ERROR"}


# --- Timeouts and retries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "due"),
    [
        (good(), False),
        (good(TimeoutSeconds=None, TimeoutSecondsPath="$.patience"), False),
        (good(TimeoutSeconds=None), True),
        (good(TimeoutSeconds=None, HeartbeatSeconds=3), True),
        (DATA | {"End": True}, False),
    ],
)
def test_a_task_has_a_timeout(task: dict[str, Any], due: bool) -> None:
    assert advice(machine(task), "TASK_WITHOUT_TIMEOUT") == (["/States/A"] if due else [])


def test_the_timeout_of_the_workflow_is_none_of_its_tasks() -> None:
    assert advice({**machine(good(TimeoutSeconds=None)), "TimeoutSeconds": 60}, "TASK_WITHOUT_TIMEOUT") == ["/States/A"]


@pytest.mark.parametrize(
    ("task", "due"),
    [(good(), False), (good(Retry=NEVER), False), (good(Retry=None), True), (good(Retry=[]), True), (DATA | {"End": True}, False)],
)
def test_a_task_is_retried(task: dict[str, Any], due: bool) -> None:
    assert advice(machine(task), "TASK_WITHOUT_RETRY") == (["/States/A"] if due else [])


@pytest.mark.parametrize(
    ("errors", "due"),
    [
        (["MyBusiness"], True),
        (["OutOfStock", "States.Permissions"], True),
        (["States.Runtime", "States.IntrinsicFailure"], True),
        (["MyBusiness", "States.Timeout"], False),
        (["States.TaskFailed"], False),
        (["States.ALL"], False),
        (["Lambda.ServiceException", "Lambda.SdkClientException"], False),
        (["DynamoDB.ProvisionedThroughputExceededException"], False),
        (["ConnectionError"], False),
        (["TooManyRequests"], False),
    ],
)
def test_a_retry_counts_that_means_errors_which_pass(errors: list[str], due: bool) -> None:
    assert advice(machine(good(Retry=[{"ErrorEquals": errors}])), "TASK_WITHOUT_RETRY") == (["/States/A"] if due else [])
    branch = {"StartAt": "B", "States": {"B": good(Retry=None)}}
    around = {"Type": "Parallel", "Branches": [branch], "Retry": [{"ErrorEquals": errors}], "End": True}
    assert advice(machine(around), "TASK_WITHOUT_RETRY") == (["/States/A/Branches/0/States/B"] if due else [])


@pytest.mark.parametrize(("retry", "due"), [(RETRY, False), (None, True)])
def test_the_retry_of_the_state_around_a_task_counts(retry: Any, due: bool) -> None:
    branch = {"StartAt": "B", "States": {"B": good(Retry=None)}}
    around = {"Type": "Parallel", "Branches": [branch], **({"Retry": retry} if retry else {}), "End": True}
    assert advice(machine(around), "TASK_WITHOUT_RETRY") == (["/States/A/Branches/0/States/B"] if due else [])


@pytest.mark.parametrize("words", ["Charges the card. Not idempotent!", "non-idempotent", "express: not idempotent"])
def test_a_task_that_says_it_is_not_idempotent_is_not_to_be_retried(words: str) -> None:
    assert advice(machine(good(Comment=words)), "RETRY_NOT_IDEMPOTENT") == ["/States/A/Retry/0"]
    assert advice(machine(good(Comment=words, Retry=NEVER)), "RETRY_NOT_IDEMPOTENT") == []
    assert advice(machine(good(Comment=words, Retry=None)), "TASK_WITHOUT_RETRY") == [], "the other advice would contradict"


def test_a_comment_about_something_else_is_no_such_word() -> None:
    assert advice(machine(good(Comment="idempotent, so it may be tried again")), "RETRY_NOT_IDEMPOTENT") == []


@pytest.mark.parametrize(
    "task",
    [
        good(),
        good(Resource=f"{FUNCTION}:live"),
        good(Resource=INVOKE, Parameters={"FunctionName": "charge", "Payload.$": "$"}),
        good(Resource=INVOKE, Parameters={"FunctionName": f"{FUNCTION}:$LATEST"}),
    ],
)
def test_a_function_may_say_it_too(task: dict[str, Any]) -> None:
    careful = express.function("charge", idempotent=False)(print)
    assert advice(machine(task), "RETRY_NOT_IDEMPOTENT", functions={"charge": careful}) == ["/States/A/Retry/0"]
    assert advice(machine(task), "RETRY_NOT_IDEMPOTENT", functions={"refund": careful, "charge": print}) == []


@pytest.mark.parametrize(("run", "due"), [("inline", True), ("thread", False), ("process", False)])
def test_the_timeout_of_a_function_that_nothing_can_interrupt_comes_late(run: Any, due: bool) -> None:
    def charge(event: Any) -> Any:
        return event

    functions = {"charge": express.function("charge", run=run)(charge)}
    assert advice(machine(good()), "INLINE_TIMEOUT", functions=functions) == (["/States/A"] if due else [])
    assert advice(machine(good(TimeoutSeconds=None)), "INLINE_TIMEOUT", functions=functions) == []


def test_the_retry_around_a_task_runs_it_again_too() -> None:
    branch = {"StartAt": "B", "States": {"B": good(Retry=None, Comment="not idempotent")}}
    definition = machine({"Type": "Parallel", "Branches": [branch], "Retry": RETRY, "End": True})
    assert advice(definition, "RETRY_NOT_IDEMPOTENT") == ["/States/A/Branches/0/States/B"]


# --- Catch ------------------------------------------------------------------------------------------------------------------------


def catching(handler: dict[str, Any], **catcher: Any) -> dict[str, Any]:
    return machine(good(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Handler", **catcher}]), Handler=handler)


ALWAYS_THE_SAME = {"Type": "Fail", "Error": "OrderFailed", "Cause": "no idea why"}
PASSED_ON = {"Type": "Fail", "ErrorPath": "$.Error", "CausePath": "$.Cause"}


@pytest.mark.parametrize(
    ("handler", "catcher", "due"),
    [
        (DATA | {"End": True}, {"ResultPath": None}, True),
        (DATA | {"End": True}, {"ResultPath": "$.error"}, False),
        (ALWAYS_THE_SAME, {}, True),
        (ALWAYS_THE_SAME, {"ErrorEquals": ["OutOfStock"]}, False),
        ({"Type": "Fail"}, {"ErrorEquals": ["States.TaskFailed"]}, True),
        (PASSED_ON, {}, False),
        (DATA | {"End": True}, {"ResultPath": None, "Assign": {"error.$": "$.Error"}}, False),
        (DATA | {"End": True}, {"ResultPath": None, "Assign": {"failed": True}}, True),
    ],
)
def test_a_catch_keeps_what_went_wrong(handler: dict[str, Any], catcher: dict[str, Any], due: bool) -> None:
    assert advice(catching(handler, **catcher), "CATCH_DROPS_ERROR") == (["/States/A/Catch/0"] if due else [])


@pytest.mark.parametrize(
    ("handler", "catcher", "due"),
    [
        (good(), {}, True),
        (good(Parameters={"order.$": "$.id"}), {}, True),
        (good(Parameters={"said.$": "$.Cause", "name.$": "$.Error"}), {}, False),
        (good(), {"ResultPath": "$.error"}, False),
        (good(), {"ResultPath": "$"}, True),
        (PASSED_ON, {}, False),
        ({"Type": "Succeed"}, {}, False),
        ({"Type": "Pass", "Result": "sorry", "End": True}, {}, False),
    ],
)
def test_a_catch_keeps_the_input_for_a_handler_that_wants_it(handler: dict[str, Any], catcher: dict[str, Any], due: bool) -> None:
    assert advice(catching(handler, **catcher), "CATCH_DROPS_INPUT") == (["/States/A/Catch/0"] if due else [])


def jsonata_catching(handler: dict[str, Any], **catcher: Any) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", **catching(handler, **catcher)}


KEPT = {"Output": {"order": "{% $states.input %}", "error": "{% $states.errorOutput %}"}}


@pytest.mark.parametrize(
    ("handler", "catcher", "code"),
    [
        (good(Arguments={"id": "{% $states.input.id %}"}), {}, "CATCH_DROPS_INPUT"),
        (good(Arguments={"cause": "{% $states.input.Cause %}"}), {}, None),
        ({"Type": "Pass", "End": True}, {}, "CATCH_DROPS_INPUT"),
        ({"Type": "Pass", "Output": "{% $states.input.Error %}", "End": True}, {}, None),
        (good(Arguments={"id": "{% $states.input.order.id %}"}), KEPT, None),
        (good(), {"Output": "{% $states.input %}"}, "CATCH_DROPS_ERROR"),
        (good(), {"Output": "{% $states.input %}", "Assign": {"error": "{% $states.errorOutput.Cause %}"}}, None),
        ({"Type": "Fail", "Error": "OrderFailed"}, {}, "CATCH_DROPS_ERROR"),
        ({"Type": "Fail", "Error": "{% $states.input.Error %}"}, {}, None),
    ],
)
def test_a_catch_in_jsonata_keeps_both_in_its_output(handler: dict[str, Any], catcher: dict[str, Any], code: str | None) -> None:
    found = {code: advice(jsonata_catching(handler, **catcher), code) for code in ("CATCH_DROPS_ERROR", "CATCH_DROPS_INPUT")}
    assert {name for name, places in found.items() if places == ["/States/A/Catch/0"]} == ({code} if code else set())


# --- Growth -----------------------------------------------------------------------------------------------------------------------


def loop(**fields: Any) -> dict[str, Any]:
    """A Pass that is entered again and again."""
    again = {"Type": "Choice", "Choices": [{"Variable": "$.more", "BooleanEquals": True, "Next": "A"}], "Default": "Done"}
    return machine({"Type": "Pass", "Next": "Again", **fields}, Again=again, Done={"Type": "Succeed"})


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        ({"Parameters": {"all.$": "States.Array($.seen.all, $.item)"}, "ResultPath": "$.seen"}, True),
        ({"Parameters": {"all.$": "States.Array($.seen.all[*], $.item)"}, "ResultPath": "$.seen"}, True),
        ({"Parameters": {"log.$": "States.Format('{}, {}', $.log, $.item)", "more.$": "$.more"}}, True),
        ({"Parameters": {"before.$": "$", "more.$": "$.more"}}, True),
        ({"InputPath": "$.seen", "Parameters": {"all.$": "States.Array($.all, 1)"}, "ResultPath": "$.seen"}, True),
        ({"Parameters": {"n.$": "States.MathAdd($.count.n, 1)"}, "ResultPath": "$.count"}, False),
        ({"Parameters": {"pair.$": "States.Array($.a, $.b)"}, "ResultPath": "$.seen"}, False),
        ({"Parameters": {"more.$": "$.more", "log.$": "$.log"}}, False),
        ({"Parameters": {"all.$": "States.Array($.seen.all, $.item)"}, "ResultPath": None}, False),
    ],
)
def test_what_is_made_of_itself_in_a_loop_grows(fields: dict[str, Any], due: bool) -> None:
    assert advice(loop(**fields), "PAYLOAD_GROWS") == (["/States/A"] if due else [])


@pytest.mark.parametrize(
    ("assign", "due"),
    [
        ({"seen.$": "States.Array($seen, $.item)"}, True),
        ({"seen.$": "States.Array($seen[*], $.item)"}, True),
        ({"log.$": "States.Format('{}, {}', $log, $.item)"}, True),
        ({"n.$": "States.MathAdd($n, 1)"}, False),
        ({"seen.$": "States.Array($log, $.item)"}, False),
    ],
)
def test_a_variable_that_is_made_of_itself_in_a_loop_grows(assign: dict[str, Any], due: bool) -> None:
    first = {"Type": "Pass", "Assign": {"n": 0, "seen": [], "log": ""}, "Next": "A"}
    definition = loop(Assign=assign)
    definition["States"]["First"], definition["StartAt"] = first, "First"
    assert advice(definition, "PAYLOAD_GROWS") == (["/States/A"] if due else [])
    rule = definition["States"]["Again"]["Choices"][0]
    rule["Assign"] = definition["States"]["A"].pop("Assign")
    assert advice(definition, "PAYLOAD_GROWS") == (["/States/Again"] if due else []), "in a rule as well"


def jsonata_loop(**fields: Any) -> dict[str, Any]:
    again = {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.more %}", "Next": "A"}], "Default": "Done"}
    first = {"Type": "Pass", "Assign": {"seen": [], "log": "", "n": 0}, "Next": "A"}
    states = {"First": first, "A": {"Type": "Pass", "Next": "Again", **fields}, "Again": again, "Done": {"Type": "Succeed"}}
    return {"QueryLanguage": "JSONata", "StartAt": "First", "States": states}


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        ({"Assign": {"seen": "{% $append($seen, $states.input) %}"}}, True),
        ({"Assign": {"seen": "{% [$seen, $states.input] %}"}}, True),
        ({"Assign": {"seen": "{% $states.input.fresh ? $seen ~> $append(1) : $seen %}"}}, True),
        ({"Assign": {"log": "{% $log & ', ' & $states.input.item %}"}}, True),
        ({"Assign": {"seen": ["{% $seen %}", 1]}}, True),
        ({"Assign": {"seen": "{% $append($seen, $states.input)[[-9..-1]] %}"}}, False),
        ({"Assign": {"n": "{% $n + 1 %}"}}, False),
        ({"Assign": {"n": "{% $count([$n, $seen]) %}"}}, False),
        ({"Output": {"all": "{% $append($states.input.all, 1) %}", "more": "{% $states.input.more %}"}}, True),
        ({"Output": {"before": "{% $states.input %}"}}, True),
        ({"Output": {"all": "{% $states.input.all %}", "pair": "{% [$states.input.a, 1] %}"}}, False),
        ({"Output": "{% $states.input %}"}, False),
    ],
)
def test_what_is_made_of_itself_in_a_loop_grows_in_jsonata(fields: dict[str, Any], due: bool) -> None:
    assert advice(jsonata_loop(**fields), "PAYLOAD_GROWS") == (["/States/A"] if due else [])


@pytest.mark.parametrize(
    ("task", "fields", "due"),
    [
        (good(), {}, True),
        (good(Output="{% $states.input %}"), {}, True),
        (good(Output="{% $states.result.id %}"), {}, False),
        (good(), {"Output": "{% $count($states.result) %}"}, False),
    ],
)
def test_what_the_items_of_a_map_return_adds_up_in_jsonata(task: dict[str, Any], fields: dict[str, Any], due: bool) -> None:
    processor = {"StartAt": "B", "States": {"B": task}}
    definition = machine({"Type": "Map", "Items": "{% $states.input.items %}", "ItemProcessor": processor, "End": True, **fields})
    assert advice({"QueryLanguage": "JSONata", **definition}, "PAYLOAD_GROWS") == (["/States/A"] if due else [])


def test_outside_of_a_loop_it_grows_once() -> None:
    fields = {"Parameters": {"all.$": "States.Array($.seen.all, $.item)"}, "ResultPath": "$.seen"}
    assert advice(machine({"Type": "Pass", **fields, "End": True}), "PAYLOAD_GROWS") == []


def mapping(processor: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return machine({"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "End": True, **fields})


@pytest.mark.parametrize(
    ("task", "fields", "due"),
    [
        (good(), {}, True),
        (good(ResultPath="$.result"), {}, True),
        (good(), {"ResultPath": None}, False),
        (good(), {"ResultSelector": {"ids.$": "$[*].id"}}, False),
        (good(ResultSelector={"id.$": "$.id"}), {}, False),
        (good(OutputPath="$.id"), {}, False),
        ({"Type": "Pass", "End": True}, {}, True),
        (DATA | {"End": True}, {}, False),
    ],
)
def test_what_the_items_of_a_map_return_adds_up(task: dict[str, Any], fields: dict[str, Any], due: bool) -> None:
    found = advice(mapping({"StartAt": "B", "States": {"B": task}}, **fields), "PAYLOAD_GROWS")
    assert found == (["/States/A"] if due else [])


def test_an_item_that_takes_the_whole_list_along_is_named_as_such() -> None:
    processor = {"StartAt": "B", "States": {"B": good(ResultPath="$.result")}}
    selector = {"item.$": "$$.Map.Item.Value", "order.$": "$"}
    (found,) = [problem for problem in check(mapping(processor, ItemSelector=selector)) if problem.code == "PAYLOAD_GROWS"]
    assert found.message.startswith("each item takes the whole list along and returns it")


@pytest.mark.parametrize(
    ("branches", "fields", "due"),
    [
        (["$.a", "$.b"], {}, True),
        (["$.a", "$"], {}, False),
        (["$.a", "$.b"], {"ResultSelector": {"a.$": "$[0].a"}}, False),
        (["$.a", "$.b"], {"Parameters": {"id.$": "$.id"}}, False),
        (["$.a", "$.b"], {"ResultPath": None}, False),
    ],
)
def test_branches_that_return_all_of_their_input_multiply_it(branches: list[str], fields: dict[str, Any], due: bool) -> None:
    parts = [{"StartAt": f"B{n}", "States": {f"B{n}": good(ResultPath=path)}} for n, path in enumerate(branches)]
    definition = machine({"Type": "Parallel", "Branches": parts, "End": True, **fields})
    assert advice(definition, "PAYLOAD_GROWS") == (["/States/A"] if due else [])


# --- Compensation -----------------------------------------------------------------------------------------------------------------


def step(following: str, handler: str | None, **fields: Any) -> dict[str, Any]:
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": handler}] if handler else None
    return good(**{"Next": following, "Catch": catch, **fields})


IF_CAR = {"Variable": "$.car", "IsPresent": True, "Next": "Done"}


def trip(**changed: Any) -> dict[str, Any]:
    """Books a hotel, a flight and a car, and undoes all that was booked when the next fails."""
    states = {
        "Book Hotel": step("Book Flight", "Failed"),
        "Book Flight": step("Book Car", "Cancel Hotel"),
        "Book Car": step("Done", "Cancel Flight"),
        "Done": {"Type": "Succeed"},
        "Cancel Flight": good(Next="Cancel Hotel"),
        "Cancel Hotel": good(Next="Failed"),
        "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
    }
    return {"StartAt": "Book Hotel", "States": {name: state for name, state in (states | changed).items() if state is not None}}


def test_a_saga_that_undoes_every_completed_step_is_whole() -> None:
    assert advice(trip(), "COMPENSATION_INCOMPLETE") == []


@pytest.mark.parametrize(
    ("changed", "places"),
    [
        # the chain of the last step leaves one out
        ({"Cancel Flight": good(Next="Failed")}, ["/States/Book Car/Catch/0"]),
        # it begins too late
        ({"Book Car": step("Done", "Cancel Hotel"), "Book Flight": step("Book Car", "Cancel Flight")}, ["/States/Book Car/Catch/0"]),
        # there is no chain
        ({"Book Car": good(Next="Done"), "Cancel Flight": None}, ["/States/Book Car"]),
        # it is for some errors only
        (
            {"Book Car": step("Done", None, Catch=[{"ErrorEquals": ["CarError"], "ResultPath": "$.error", "Next": "Cancel Flight"}])},
            ["/States/Book Car", "/States/Book Car"],
        ),
        # the workflow gives up by itself
        (
            {
                "Book Car": step("Is it there?", "Cancel Flight"),
                "Is it there?": {
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.car", "IsPresent": True, "Next": "Done"}],
                    "Default": "No car",
                },
                "No car": {"Type": "Fail", "Error": "NoCar"},
            },
            ["/States/No car", "/States/No car"],
        ),
    ],
)
def test_a_completed_step_that_stays_done_is_named(changed: dict[str, Any], places: list[str]) -> None:
    found = advice(trip(**changed), "COMPENSATION_INCOMPLETE")
    if "Cancel Flight" in changed or "Book Flight" in changed:
        assert places[0] in found
    else:
        assert found == places


def test_what_is_left_out_is_in_the_sentence() -> None:
    problems = check(trip(**{"Cancel Flight": good(Next="Failed")}))
    assert [problem.message for problem in problems if problem.code == "COMPENSATION_INCOMPLETE"] == [
        "when 'Book Car' fails what 'Book Hotel' did stays done: no way from here leads to 'Cancel Hotel'"
    ]


def test_a_handler_that_leads_back_into_the_work_has_nothing_to_undo() -> None:
    again = {"Book Car": step("Done", "Note it"), "Note it": good(Next="Book Car", ResultPath=None), "Cancel Flight": None}
    assert advice(trip(**again), "COMPENSATION_INCOMPLETE") == []


def test_a_refund_undoes_a_charge_whatever_it_is_called() -> None:
    def order(handler: str) -> dict[str, Any]:
        return {
            "StartAt": "ChargeCard",
            "States": {
                "ChargeCard": step("ReserveStock", "Failed"),
                "ReserveStock": step("Ship", "RefundPayment"),
                "Ship": step("Done", handler),
                "Done": {"Type": "Succeed"},
                "ReleaseStock": good(Next="RefundPayment"),
                "RefundPayment": good(Next="Failed"),
                "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
            },
        }

    assert advice(order("ReleaseStock"), "COMPENSATION_INCOMPLETE") == []
    whole = order("RefundPayment")
    whole["States"]["ReserveStock"]["Catch"].append({"ErrorEquals": ["Rare"], "ResultPath": "$.error", "Next": "ReleaseStock"})
    whole["States"]["ReserveStock"]["Catch"].reverse()
    assert advice(whole, "COMPENSATION_INCOMPLETE") == ["/States/Ship/Catch/0"]


def test_money_that_was_taken_is_undone_when_anything_is() -> None:
    def order(**changed: Any) -> dict[str, Any]:
        states = {
            "Create Order": step("Take Payment", "Failed"),
            "Take Payment": step("Ship Order", "Cancel Order"),
            "Ship Order": step("Done", "Cancel Order"),
            "Done": {"Type": "Succeed"},
            "Cancel Order": good(Next="Failed"),
            "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
        }
        return {"StartAt": "Create Order", "States": states | changed}

    assert advice(order(), "COMPENSATION_INCOMPLETE") == ["/States/Ship Order/Catch/0"]
    refunded = {"Ship Order": step("Done", "Refund Payment"), "Refund Payment": good(Next="Cancel Order")}
    assert advice(order(**refunded), "COMPENSATION_INCOMPLETE") == []
    somehow = {"Ship Order": step("Done", "Money back"), "Money back": good(Next="Cancel Order")}
    assert advice(order(**somehow), "COMPENSATION_INCOMPLETE") == [], "what it does is not known from its name"


def test_states_that_undo_nothing_make_no_saga() -> None:
    plain = trip(
        **{"Cancel Hotel": None, "Cancel Flight": None, "Book Flight": step("Book Car", "Failed"), "Book Car": step("Done", "Failed")}
    )
    assert advice(plain, "COMPENSATION_INCOMPLETE") == []

"""Tasks that wait to be called back: answered, refused, kept alive, timed out; from the loop, from threads, early and late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import express
from express.callbacks import Callbacks, InvalidOutput, InvalidToken, TaskTimedOut
from express.errors import DefinitionError
from express.executor import Executor
from express.outcome import Outcome
from express.program import Program
from express.runtime.callbacks import WAITING
from express.runtime.context import Execution
from express.runtime.tokens import new_token
from express.testing import VirtualClock

INVOKE = "arn:aws:states:::lambda:invoke.waitForTaskToken"
ANSWERS = Callbacks()


def definition(resource: str = INVOKE, language: str = "JSONPath", **fields: Any) -> dict[str, Any]:
    given = {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token", "order.$": "$.order"}}
    if language == "JSONata":
        given = {"FunctionName": "ask", "Payload": {"token": "{% $states.context.Task.Token %}", "order": "{% $states.input.order %}"}}
    field = "Arguments" if language == "JSONata" else "Parameters"
    state = {"Type": "Task", "Resource": resource, field: given, "End": True, **fields}
    return {
        "QueryLanguage": language,
        "StartAt": "Ask",
        "States": {"Ask": state, "Sorry": {"Type": "Pass", "End": True}} if "Catch" in fields else {"Ask": state},
    }


def asking(ask: Callable[..., Any], **fields: Any) -> Program:
    return express.compile(definition(**fields), functions={"ask": ask}, extensions=["callbacks"])


class Asked:
    """A function that hands out tokens to whoever looks at ``tokens``."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.function = express.function("ask", run="inline")(self.take)

    def take(self, event: Any) -> None:
        self.tokens.append(event["token"])

    async def next(self) -> str:
        while not self.tokens:
            await asyncio.sleep(0)
        return self.tokens.pop(0)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Any:
    yield
    assert not WAITING


# --- Answers ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
async def test_what_is_sent_is_the_result_of_the_task(language: str) -> None:
    asked = Asked()
    running = asyncio.create_task(asking(asked.function, language=language).execute({"order": 1}))
    ANSWERS.succeed(await asked.next(), {"approved": True})
    assert await running == Outcome("SUCCEEDED", {"approved": True})


async def test_a_failure_that_is_sent_is_retried_and_caught_by_its_name() -> None:
    asked = Asked()
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    program = asking(asked.function, Retry=retry, Catch=[{"ErrorEquals": ["Refused"], "Next": "Sorry"}])
    running = asyncio.create_task(program.execute({"order": 1}))
    first = await asked.next()
    ANSWERS.fail(first, "Busy", "later")
    second = await asked.next()
    assert first != second, "every attempt has its own token"
    ANSWERS.fail(second, "Refused", "too dear")
    assert (await running).output == {"Error": "Refused", "Cause": "too dear"}


async def test_only_the_first_answer_counts() -> None:
    asked = Asked()
    running = asyncio.create_task(asking(asked.function).execute({"order": 1}))
    token = await asked.next()
    ANSWERS.succeed(token, 1)
    for late in (lambda: ANSWERS.succeed(token, 2), lambda: ANSWERS.fail(token, "X"), lambda: ANSWERS.heartbeat(token)):
        with pytest.raises(TaskTimedOut, match="Provided task does not exist anymore"):
            late()
    assert (await running).output == 1


async def test_an_output_that_is_no_json_leaves_the_task_waiting() -> None:
    asked = Asked()
    running = asyncio.create_task(asking(asked.function).execute({"order": 1}))
    token = await asked.next()
    for output in (object(), float("nan"), "x" * 300_000):
        with pytest.raises(InvalidOutput):
            ANSWERS.succeed(token, output)
    ANSWERS.succeed(token, "good")
    assert (await running).output == "good"


def test_a_token_that_nobody_made_is_told_from_one_that_is_over() -> None:
    made = new_token()
    with pytest.raises(TaskTimedOut):
        ANSWERS.succeed(made, 1)
    for wrong in (
        "",
        "NoSuchTaskToken",
        made[:-1],
        made + "0",
        made.replace("AQC", "AQB"),
        made[:20] + ("0" if made[20] != "0" else "1") + made[21:],
    ):
        with pytest.raises(InvalidToken, match="Invalid Token"):
            ANSWERS.heartbeat(wrong)


async def test_an_answer_may_come_from_any_thread() -> None:
    asked = Asked()
    running = asyncio.create_task(asking(asked.function).execute({"order": 1}))
    token = await asked.next()
    results: list[Any] = []

    def answer(number: int) -> None:
        try:
            ANSWERS.succeed(token, number)
            results.append(number)
        except TaskTimedOut:
            pass

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(await running).output] == results, "one of eight answers counts, and the others are told so"


@pytest.mark.parametrize("run", ["inline", "thread", None])
async def test_an_answer_may_come_before_the_function_has_returned(run: Any) -> None:
    if run is None:

        async def ask(event: Any) -> None:
            ANSWERS.succeed(event["token"], "at once")
            await asyncio.sleep(0)

        function: Any = ask
    else:
        function = express.function("ask", run=run)(lambda event: ANSWERS.succeed(event["token"], "at once"))
    assert (await asking(function).execute({"order": 1})).output == "at once"


def test_a_script_without_a_loop_is_called_back_too() -> None:
    at_once = express.function("ask", run="inline")(lambda event: ANSWERS.succeed(event["token"], event["order"]))
    assert asking(at_once).run({"order": 7}).output == 7
    assert asking(at_once).run({"order": 7}, clock=VirtualClock()).output == 7


async def test_a_function_that_fails_fails_the_task_and_ends_the_token() -> None:
    tokens = []

    @express.function("ask", run="inline")
    def ask(event: Any) -> None:
        tokens.append(event["token"])
        raise express.TaskError("Mail.Down", "no connection")

    assert (await asking(ask).execute({"order": 1})).error == "Mail.Down"
    with pytest.raises(TaskTimedOut):
        ANSWERS.succeed(tokens[0], 1)


# --- Time -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio_loop_only
async def test_nobody_who_answers_is_a_timeout() -> None:
    asked = Asked()
    clock = VirtualClock()
    outcome = await asking(asked.function, TimeoutSeconds=60).execute({"order": 1}, clock=clock)
    assert (outcome.error, round(clock.time())) == ("States.Timeout", 60)
    with pytest.raises(TaskTimedOut):
        ANSWERS.succeed(asked.tokens[0], 1)


@pytest.mark.asyncio_loop_only
@pytest.mark.parametrize("field", [{"HeartbeatSeconds": 10}, {"HeartbeatSecondsPath": "$.beat"}])
async def test_nobody_who_sends_a_heartbeat_is_a_timeout_of_its_own(field: dict[str, Any]) -> None:
    asked = Asked()
    clock = VirtualClock()
    outcome = await asking(asked.function, TimeoutSeconds=60, **field).execute({"order": 1, "beat": 10}, clock=clock)
    assert (outcome.error, round(clock.time())) == ("States.HeartbeatTimeout", 10)


@pytest.mark.asyncio_loop_only
async def test_heartbeats_put_it_off_but_not_beyond_the_timeout() -> None:
    asked = Asked()
    clock = VirtualClock()
    program = express.compile(
        {
            "StartAt": "Both",
            "States": {
                "Both": {
                    "Type": "Parallel",
                    "Branches": [
                        definition(TimeoutSeconds=25, HeartbeatSeconds=10),
                        {
                            "StartAt": "W",
                            "States": {
                                "W": {"Type": "Wait", "Seconds": 8, "Next": "B"},
                                "B": {"Type": "Task", "Resource": "arn:aws:lambda:::function:beat", "Next": "More"},
                                "More": {
                                    "Type": "Choice",
                                    "Choices": [{"Variable": "$", "IsPresent": False, "Next": "End"}],
                                    "Default": "W",
                                },
                                "End": {"Type": "Succeed"},
                            },
                        },
                    ],
                    "End": True,
                }
            },
        },
        functions={"ask": asked.function, "beat": express.function("beat", run="inline")(lambda event: ANSWERS.heartbeat(asked.tokens[0]))},
        extensions=["callbacks"],
    )
    outcome = await program.execute({"order": 1}, clock=clock)
    assert outcome.error == "States.Timeout", "neither States.HeartbeatTimeout after 10 seconds, nor never"
    assert clock.time() <= 32, "the sleep that was given up may still pass"


@pytest.mark.asyncio_loop_only
async def test_the_five_minutes_of_an_execution_end_it_whatever_its_own_timeout_is() -> None:
    asked = Asked()
    clock = VirtualClock()
    outcome = await asking(asked.function).execute({"order": 1}, clock=clock)
    assert (outcome.status, round(clock.time())) == ("TIMED_OUT", 300)


# --- Parked -----------------------------------------------------------------------------------------------------------------------


async def test_a_thousand_that_wait_hold_neither_threads_nor_tasks_and_block_nobody() -> None:
    asked = Asked()
    program = asking(asked.function)
    executor = Executor()
    ended: dict[Any, Outcome] = {}

    def start(number: int) -> None:
        now = executor.clock.time()
        execution = Execution(program, {"order": number}, now, now + 300)
        assert (
            executor.start(
                program, execution.input, execution, lambda execution, outcome: ended.update({execution.input["order"]: outcome})
            )
            is None
        )

    before = threading.active_count(), len(asyncio.all_tasks())
    for number in range(1_000):
        start(number)
    assert (len(asked.tokens), executor.parked) == (1_000, 1_000)
    assert (threading.active_count(), len(asyncio.all_tasks())) == before
    ANSWERS.succeed(asked.tokens[999], "the last comes first")
    while not ended:
        await asyncio.sleep(0)
    assert list(ended) == [999]
    await executor.close()
    assert {outcome.status for number, outcome in ended.items() if number != 999} == {"ABORTED"}
    for token in asked.tokens[:3]:
        with pytest.raises(TaskTimedOut):  # as after a restart: the event comes again, and with it another token
            ANSWERS.succeed(token, 1)


# --- Off by default ---------------------------------------------------------------------------------------------------------------


def test_without_the_extension_the_definition_is_refused_as_aws_refuses_it() -> None:
    with pytest.raises(DefinitionError, match=r"Express state machine does not support '\.waitForTaskToken' service integration"):
        express.compile(definition(), functions={"ask": print})
    with pytest.raises(DefinitionError, match=r"does not support '\.sync'"):
        express.compile(definition("arn:aws:states:::ecs:runTask.sync"), functions={"ask": print}, extensions=["callbacks", "nested"])


def test_portable_names_it_where_it_is_switched_on() -> None:
    assert express.check(definition(), advice=False, extensions=["callbacks"]) == []
    (problem,) = express.check(definition(), advice=False, extensions=["callbacks"], portable=True)
    assert str(problem) == "/States/Ask/Resource: .waitForTaskToken is an extension of Express: AWS's Express workflows have none"

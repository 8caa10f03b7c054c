"""A recorded case in, how well Express answers it out. What Express does not do yet is counted, never left out in silence."""

from __future__ import annotations

import asyncio
import json
import linecache
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import express
from express.errors import DefinitionError, Problem
from express.options import AwsConnection
from express.testing import VirtualClock
from tests.conformance import data, replay

SLOW = "wait_60_seconds.py"
HANDLER = "/var/task/handler.py"


@dataclass(frozen=True)
class Score:
    """``ok``: status and output, or status and error name; ``strict``: the cause too. ``not_yet`` names what of the language is missing."""

    suite: str
    group: str
    case: str
    ok: bool = False
    strict: bool = False
    not_yet: str | None = None
    wanted: Any = None
    got: Any = None


# --- executions -------------------------------------------------------------------------------------------------------------------


def executions() -> Iterator[Score]:
    verdict = data.tool("compare").verdict
    for case in map(_named, data.cases("executions")):
        actual = execute(case)
        found = verdict(case, actual)
        yield Score("executions", case["group"], case["id"], bool(found["ok"]), bool(found["ok_strict"]), None, case["expected"], actual)


_SHORT = re.compile(r"([_-])u([0-9]{4})(?!\w)")


def _named(case: dict[str, Any]) -> dict[str, Any]:
    """Functions were named with eight random characters on AWS, for which the data has ``u0001`` and the like. Their number shows: in the
    Content-Length of what a function was given that has its name in it."""
    named: dict[str, Any] = json.loads(_SHORT.sub(r"\1u000\2", json.dumps(case)))
    return named


def execute(case: Mapping[str, Any], reached: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Compiles and runs a case, in virtual time; in real time if it reaches anybody through connections."""
    handlers = {handler["name"]: _handler(handler["file"]) for handler in case.get("handlers", {}).values()}
    try:
        program = express.compile(case["definition"], name="conformance", functions=handlers, missing="defer", connections=reached)
    except DefinitionError as error:
        return {"status": "INVALID_DEFINITION", "error": "InvalidDefinition", "cause": str(error)}
    except Exception as error:  # a defect, to be counted like any other wrong answer
        return _crashed(error)
    data_in = _input(case)
    try:
        clock = None if reached else VirtualClock()
        outcome = program.run(data_in, clock=clock, context=_standard(case, data_in))
    except Exception as error:
        return _crashed(error)
    return {"status": outcome.status, "output": outcome.output, "error": outcome.error, "cause": outcome.cause}


def _crashed(error: Exception) -> dict[str, Any]:
    return {"status": "CRASHED", "error": type(error).__name__, "cause": str(error)}


def _input(case: Mapping[str, Any]) -> Any:
    """No input is an empty object; inputs that are empty arrays were lost, but are in the trace."""
    trace = case.get("states_trace") or [{}]
    return case.get("input", [] if trace[0].get("input") == [] else {})


def _standard(case: Mapping[str, Any], data_in: Any) -> dict[str, Any] | None:
    """Standard workflows have one field more in the Context Object, which is seen where a definition reads all of it."""
    if case["sm_type"] != "STANDARD" or '"$$"' not in json.dumps(case["definition"]):
        return None
    any_arn = "arn:aws:states:us-east-1:111111111111"
    return {
        "Execution": {
            "Id": f"{any_arn}:execution:any:any",
            "Input": data_in,
            "Name": "any",
            "RoleArn": "any",
            "StartTime": "any",
            "RedriveCount": 0,
        },
        "StateMachine": {"Id": f"{any_arn}:stateMachine:any", "Name": "any"},
    }


# The functions that fail, as they stood on AWS: the causes quote them
SOURCES = {
    "raise_exception.py": 'def handler(event, context):\n    raise Exception("Some exception was raised.")\n',
    "raise_custom_exception.py": "class CustomException(Exception):\n    pass\n"
    + "\n" * 5
    + "def handler(event, context):\n    raise CustomException()\n",
}


def _handler(file: str) -> Callable[..., Any]:
    """The Lambda function of a case as a function of ours. The one that sleeps sleeps in virtual time."""
    name = file.rsplit("/", 1)[-1]
    if name == SLOW:

        @express.function
        async def wait(event: Any, context: Any) -> Any:
            await asyncio.sleep(60)
            return event

        return wait
    if name in SOURCES:
        linecache.cache[HANDLER] = (len(SOURCES[name]), None, SOURCES[name].splitlines(keepends=True), HANDLER)
        namespace: dict[str, Any] = {}
        exec(compile(SOURCES[name], HANDLER, "exec"), namespace)
        return express.function(run="inline")(namespace["handler"])
    behaviour = data.tool("handlers").for_source(file)

    @express.function(run="inline")
    def call(event: Any, context: Any) -> Any:
        return behaviour(event)

    return call


# --- single states ----------------------------------------------------------------------------------------------------------------

ROLE = "arn:aws:iam::111111111111:role/any"  # the answers were recorded in this account


def test_state() -> Iterator[Score]:
    """Status and output, or status and error; strictly: the whole answer, with what it shows on the way."""
    compare = data.tool("compare")
    for case in data.cases("test_state"):
        actual = tested(case)
        found = compare.verdict(case, actual)
        strict = bool(found["ok_strict"])
        if strict and "response" in case["expected"]:
            strict = compare.eq(_decoded(case["expected"]["response"]), actual["response"], case.get("placeholder_tokens") or ())
        yield Score("test_state", _theme(case), case["id"], bool(found["ok"]), strict, None, case["expected"], actual)


def tested(case: Mapping[str, Any]) -> dict[str, Any]:
    given = case["test_state"]
    names = {
        "stateName": "state_name", "inspectionLevel": "inspection_level", "stateConfiguration": "state_configuration",
        "mock": "mock", "variables": "variables", "context": "context",
    }  # fmt: skip
    handlers = {handler["name"]: _handler(handler["file"]) for handler in case.get("handlers", {}).values()}
    options = {names[name]: value for name, value in given.items()}
    try:
        response = express.test_state(case["definition"], case.get("input"), role_arn=ROLE, functions=handlers, **options)
    except express.RequestError as error:
        return {"status": "API_ERROR", "error": error.code, "cause": error.message}
    except Exception as error:
        return _crashed(error)
    return {**response, "response": response}


test_state.__test__ = False  # type: ignore[attr-defined] # pytest shall not take it for one


def _theme(case: Mapping[str, Any]) -> str:
    """What a case is about: the file that it was recorded for."""
    return str(case["id"]).split("::")[0].rsplit("/", 1)[-1].removesuffix(".py").removeprefix("test_")


def _decoded(value: Any) -> Any:
    """Arrays in the inspection were recorded as text."""
    if isinstance(value, dict):
        return {name: _decoded(inner) for name, inner in value.items()}
    if isinstance(value, str) and value[:1] in ("[", '"'):
        return json.loads(value)
    return value


# --- definitions ------------------------------------------------------------------------------------------------------------------


def validation() -> Iterator[Score]:
    """What AWS rejects must be rejected; strictly: with AWS's code, at AWS's place."""
    for case in data.cases("validation"):
        expected, definition = case["expected"], case.get("definition", {})
        if expected["status"] != "INVALID_DEFINITION":
            continue  # an answer of the API about names and versions, not about the definition
        problems = _errors(express.check(definition))
        if "diagnostics" in expected:
            wanted = {(each["code"], each["location"]) for each in expected["diagnostics"]}
        else:
            cause = expected["cause"]
            code = cause.split("'", 1)[1].split(":", 1)[0] if cause.startswith("Invalid State Machine Definition") else ""
            wanted = {(code, cause.rstrip("'").rsplit(" at ", 1)[1])} if code else set()
        got = {(problem.code, problem.location or "/") for problem in problems}
        yield Score("validation", case["group"], case["id"], bool(problems), bool(problems) and wanted <= got, None, wanted, problems)


def real() -> Iterator[Score]:
    """Definitions that run on AWS: nothing may be complained about but what Express does not offer."""
    for case in data.cases("real_definitions"):
        problems = _errors(express.check(case["definition"]))
        if not problems:
            try:
                express.compile(case["definition"], missing="defer")
            except DefinitionError as error:
                problems = _errors(error.problems)
            except Exception as error:  # a defect
                yield Score("real definitions", "all", case["id"], got=_crashed(error))
                continue
        right = all(_is_forbidden(problem) for problem in problems)
        yield Score("real definitions", "all", case["id"], right, right, None, [], problems)


# What asl-validator calls valid and AWS Express does not, or the other way round
DECIDED_OTHERWISE = {
    "invalid-jsonata-surround-syntax-no-spaces.json": "{% first and %} last is all it takes (developer guide, 'Transforming data')",
    "valid-task-batch.json": "Express workflows have no .sync (developer guide, 'Integrating services')",
    "valid-task-timeout-jsonata.json": "its resource is none that AWS knows (developer guide, 'Task state')",
    "valid-assign.asl.json": "a variable's name is a Unicode identifier (developer guide, 'Passing data between states with variables')",
    "valid-task-credentials.json": "its resource is none that AWS knows, its Credentials lack RoleArn (developer guide, 'Task state')",
}


def lint() -> Iterator[Score]:
    for case in data.cases("lint_definitions"):
        problems = _errors(express.check(case["text"]))
        wanted = case["expected"]
        if case["id"] in DECIDED_OTHERWISE:
            wanted = "invalid" if wanted == "valid" else "valid"
        right = wanted == ("invalid" if problems else "valid")
        yield Score("lint definitions", case["expected"], case["id"], right, right, None, wanted, problems)


def _errors(problems: Iterable[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "ERROR"]


def _is_forbidden(problem: Problem) -> bool:
    """Whether a complaint is about what AWS Express does not have either, or about a distributed Map."""
    return problem.code == "DISTRIBUTED_MAP" or "Express state machine does not support" in problem.message


def services() -> Iterator[Score]:
    """Tasks that ask AWS's services, over HTTP: what is asked must be what AWS was asked, too."""
    verdict = data.tool("compare").verdict
    with replay.serving() as server:
        for case in data.cases("services"):
            named = _recorded_names(case)
            server.replay = replay.Replay(named["task_trace"] or [])
            actual = execute(named, connections(server.url))
            wrong = [*server.replay.wrong, *server.replay.left()]
            found = verdict(named, actual)
            ok, strict = bool(found["ok"] and not wrong), bool(found["ok_strict"] and not wrong)
            yield Score("services", case["group"], case["id"], ok, strict, None, case["expected"], {**actual, "asked otherwise": wrong})


def connections(url: str) -> dict[str, Any]:
    """An account whose services are all at one place."""
    return {"account": AwsConnection(region="us-east-1", endpoint=url, access_key_id="test", secret_access_key="test")}


def _recorded_names(case: dict[str, Any]) -> dict[str, Any]:
    """Where an answer quotes the eight random characters of a name that the case's input has ``u0001`` for, the input gets them."""
    expected, given = json.dumps(case["expected"]), json.dumps({"input": case.get("input"), "definition": case["definition"]})
    for short in set(re.findall(r"[A-Za-z][\w-]*-u\d{4}", given)):
        name = short.rpartition("-")[0]
        if found := re.search(rf"\b{re.escape(name)}-[0-9a-f]{{8}}\b", expected):
            given = given.replace(short, found[0])
    # A header that stands for its own value is a placeholder, also where it is written in small letters
    own = {"x-amzn-requestid"} & set(re.findall(r'"([\w-]+)": "\1"', expected))
    case = {**case, "placeholder_tokens": [*(case.get("placeholder_tokens") or ()), *own]}
    return {**case, **{name: value for name, value in json.loads(given).items() if name in case}}


# What jsonata 2.0.6 answers by way of JavaScript, and not by JSONata's own rules: Step Functions has no JavaScript to answer with
OF_JAVASCRIPT = {
    "joins/library-joins#12": "jsonata stumbles over itself: TypeError: Cannot read properties of undefined (reading '@')",
    "wildcards/case010#0": "the properties of the JavaScript object that is jsonata's function $sum",
    "wildcards/case010#1": "the properties of the JavaScript objects that are jsonata's functions $sum and $count",
}


def jsonata() -> Iterator[Score]:
    """Every expression as the Output of a Pass state; strictly: with jsonata's code for what goes wrong."""
    for case in data.cases("jsonata"):
        group = case["id"].split("/", 1)[0]
        if case["id"] in OF_JAVASCRIPT:
            yield Score("jsonata", group, case["id"], not_yet=OF_JAVASCRIPT[case["id"]])
            continue
        wanted, got = case["aws"], _answer(case["expression"], {"data": case["data"]})
        strict = got == wanted
        yield Score("jsonata", group, case["id"], strict or ("error" in wanted and "error" in got), strict, None, wanted, got)


def _answer(expression: str, data_in: Any) -> dict[str, Any]:
    state = {"Type": "Pass", "Output": f"{{% {expression} %}}", "End": True}
    definition = {"QueryLanguage": "JSONata", "StartAt": "Pass", "States": {"Pass": state}}
    try:
        outcome = express.compile(definition, name="conformance").run(data_in)
    except DefinitionError as error:
        return {"error": next(iter(re.findall(r"S\d{4}", str(error))), "S")}
    except Exception as error:
        return _crashed(error)
    if outcome.status == "SUCCEEDED":
        return {"result": outcome.output}
    if outcome.error != "States.QueryEvaluationError":
        return {"failure": outcome.error}
    cause = outcome.cause or ""
    if cause.endswith("returned nothing (undefined)."):
        return {"undefined": True}
    return {"error": next(iter(re.findall(r" during evaluation\. (\w\d{4}): ", cause)), cause)}


SUITES: dict[str, Callable[[], Iterator[Score]]] = {
    "executions": executions,
    "test_state": test_state,
    "validation": validation,
    "real": real,
    "lint": lint,
    "jsonata": jsonata,
    "services": services,
}


def by_group(scores: list[Score]) -> dict[tuple[str, str], Counter[str]]:
    """Counts of ``cases``, ``ok``, ``strict``, ``not yet`` for each suite and group."""
    groups: dict[tuple[str, str], Counter[str]] = {}
    for score in scores:
        counts = groups.setdefault((score.suite, score.group), Counter())
        counts["cases"] += 1
        counts["ok"] += score.ok
        counts["strict"] += score.strict
        counts["not yet"] += score.not_yet is not None
    return groups

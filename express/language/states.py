"""One function per state type: the fields of a state in, a typed State out. ``KINDS`` finds them by the name in ``Type``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from express.language import conditions, distributed, failures, resources, templates, timestamps, variables
from express.language.fields import LARGEST, Fields, looks_like_a_path
from express.language.findings import HIDDEN, NO_DEFAULT, NO_PATH, STATIC_RESULT, TOO_DEEP, below, shown
from express.language.model import (
    ROOT,
    Assignments,
    Choice,
    Expression,
    Fail,
    Jsonata,
    Literal,
    Machine,
    Map,
    Parallel,
    Pass,
    Path,
    Rule,
    Scalar,
    State,
    Succeed,
    Task,
    Wait,
)

if TYPE_CHECKING:
    from express.language.parse import Reading


class Context(NamedTuple):
    """Where a state is: its name, the location of its machine, the query language that holds there, how many Map and Parallel states are
    around it."""

    reading: Reading
    name: str
    machine: str
    jsonata: bool
    depth: int

    def assign(self, fields: Fields, *members: str) -> Assignments:
        """The Assign of the state, of one of its rules or Catchers. ``members`` of ``$states`` are there besides input and context."""
        return variables.assignments(fields, self.machine, self.reading.scopes, members if self.jsonata else None)


# --- Which fields a state has -----------------------------------------------------------------------------------------------------

_ALL = ("Type", "Comment", "QueryLanguage")
_PATHS = ("InputPath", "OutputPath")
_STEP = ("Next", "End", "Assign")
_FAILURES = ("Retry", "Catch")
_TOLERATED = ("ToleratedFailureCount", "ToleratedFailurePercentage")
_MAP = ("ItemProcessor", "Iterator", "ItemSelector", "MaxConcurrency", "Label", *distributed.FIELDS, *_TOLERATED)

JSONPATH: dict[str, tuple[str, ...]] = {
    "Task": (
        *("Resource", "Parameters", "Credentials", "ResultSelector", "ResultPath"),
        *("TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath"),
        *(*_PATHS, *_STEP, *_FAILURES),
    ),
    "Pass": ("Result", "Parameters", "ResultPath", *_PATHS, *_STEP),
    "Choice": ("Choices", "Default", "Assign", *_PATHS),
    "Wait": ("Seconds", "SecondsPath", "Timestamp", "TimestampPath", *_PATHS, *_STEP),
    "Succeed": _PATHS,
    "Fail": ("Error", "ErrorPath", "Cause", "CausePath"),
    "Parallel": ("Branches", "Parameters", "ResultSelector", "ResultPath", *_PATHS, *_STEP, *_FAILURES),
    "Map": (
        *(*_MAP, *(f"{name}Path" for name in _TOLERATED), "MaxConcurrencyPath", "ItemsPath"),
        *("Parameters", "ResultSelector", "ResultPath", *_PATHS, *_STEP, *_FAILURES),
    ),
}
JSONATA: dict[str, tuple[str, ...]] = {
    "Task": ("Resource", "Arguments", "Credentials", "Output", "TimeoutSeconds", "HeartbeatSeconds", *_STEP, *_FAILURES),
    "Pass": ("Output", *_STEP),
    "Choice": ("Choices", "Default", "Assign", "Output"),
    "Wait": ("Seconds", "Timestamp", "Output", *_STEP),
    "Succeed": ("Output",),
    "Fail": ("Error", "Cause"),
    "Parallel": ("Branches", "Arguments", "Output", *_STEP, *_FAILURES),
    "Map": (*_MAP, "Items", "Output", *_STEP, *_FAILURES),
}


def _known(context: Context, fields: Fields, kind: str) -> None:
    ours, theirs = (JSONATA, JSONPATH) if context.jsonata else (JSONPATH, JSONATA)
    other = "JSONPath" if context.jsonata else "JSONata"
    elsewhere = {name: f"'{name}' needs the query language {other}" for name in theirs[kind] if name not in ours[kind]}
    fields.known((*_ALL, *ours[kind]), f"a {kind} state", elsewhere)


# --- What several types have ------------------------------------------------------------------------------------------------------


def _common(context: Context, fields: Fields, kind: str) -> dict[str, Any]:
    """Name, place, comment; reports fields that are not there for ``kind``."""
    _known(context, fields, kind)
    return {"name": context.name, "location": fields.location, "comment": fields.text("Comment"), "jsonata": context.jsonata}


def _input_output(context: Context, fields: Fields, *members: str) -> dict[str, Any]:
    if context.jsonata:
        return {"output": fields.value("Output", *members)}
    return {"input_path": fields.path("InputPath"), "output_path": fields.path("OutputPath")}


def _step(context: Context, fields: Fields, *members: str) -> dict[str, Any]:
    """A successor, and the variables that are set on the way to it."""
    return {"assign": context.assign(fields, *members), **_next(fields)}


def _next(fields: Fields) -> dict[str, Any]:
    end = fields.flag("End")
    if end and "Next" in fields:
        fields.findings.error(fields.location, "Only one of these fields is allowed: [Next, End]")
    elif not end and "Next" not in fields and fields.raw.get("End", False) is False:
        fields.findings.error(fields.location, "One of these fields is required: [Next, End]")
    return {"next": fields.text("Next")}


def _producer(context: Context, fields: Fields, *members: str) -> dict[str, Any]:
    made = {**_input_output(context, fields, *members), **_step(context, fields, *members)}
    return made if context.jsonata else {"result_path": fields.reference_path("ResultPath"), **made}


def _fallible(context: Context, fields: Fields) -> dict[str, Any]:
    made = {
        "retry": failures.retriers(fields),
        "catch": failures.catchers(fields, context),
        **_producer(context, fields, "result"),
    }
    return made if context.jsonata else {"result_selector": fields.template("ResultSelector"), **made}


def _number(context: Context, fields: Fields, name: str, least: int, most: int = LARGEST, *, whole: bool = True) -> Scalar | None:
    """A field that takes a number, or something that gives one."""
    read = fields.literal_or_jsonata if context.jsonata else fields.literal_or_path
    return read(name, least, most, whole=whole)


# --- The eight types --------------------------------------------------------------------------------------------------------------


def _task(context: Context, fields: Fields) -> Task | None:
    common = _common(context, fields, "Task")
    resource = resources.check(fields, "Arguments" if context.jsonata else "Parameters")
    credentials = _credentials(context, fields)
    timeout = _number(context, fields, "TimeoutSeconds", 1)
    heartbeat = _number(context, fields, "HeartbeatSeconds", 1)
    if isinstance(timeout, Literal) and isinstance(heartbeat, Literal) and heartbeat.value >= timeout.value:
        fields.error("HeartbeatSeconds", f"expected less than TimeoutSeconds, which is {timeout.value}, found {heartbeat.value}")
    fallible = _fallible(context, fields)
    parameters = fields.value("Arguments") if context.jsonata else fields.template("Parameters")
    if resource is None:
        return None
    return Task(
        resource=resource,
        parameters=parameters,
        timeout_seconds=timeout,
        heartbeat_seconds=heartbeat,
        credentials=credentials,
        **fallible,
        **common,
    )


def _credentials(context: Context, fields: Fields) -> Any:
    if "Credentials" not in fields:
        return None
    raw = fields.raw["Credentials"]
    if not isinstance(raw, dict):
        fields.error("Credentials", f"expected an object with RoleArn, found {shown(raw)}")
        return None
    inner = Fields(raw, fields.at("Credentials"), fields.findings)
    if context.jsonata or "RoleArn.$" not in inner:
        inner.required("RoleArn")
    inner.text("RoleArn")
    if context.jsonata:
        return fields.value("Credentials")
    return templates.parse(raw, inner.location, fields.findings)


def _pass(context: Context, fields: Fields) -> Pass:
    common = _common(context, fields, "Pass")
    if context.jsonata:
        return Pass(**_producer(context, fields), **common)
    result = None
    if "Result" in fields:
        raw = fields.raw["Result"]
        result = Literal(raw)
        if _depth(raw) > templates.DEPTH:
            fields.findings.error(fields.at("Result"), f"a value may be nested {templates.DEPTH} deep, this one is deeper", TOO_DEEP)
        elif key := _dynamic_key(raw):
            message = f"Result is taken as it is: {shown(key)} stays a field of that name, use Parameters to look values up"
            fields.findings.warning(fields.at("Result"), message, STATIC_RESULT)
        if "Parameters" in fields:
            fields.findings.warning(fields.at("Parameters"), "Parameters changes nothing: Result is what the state returns", HIDDEN)
    return Pass(result=result, parameters=fields.template("Parameters"), **_producer(context, fields), **common)


def _choice(context: Context, fields: Fields) -> Choice | None:
    common = _common(context, fields, "Choice")
    raw = fields.raw.get("Choices") if fields.required("Choices") else None
    rules: list[Rule | None] = []
    if "Choices" in fields and (not isinstance(raw, list) or not raw):
        fields.error("Choices", f"expected an array of at least one rule, found {shown(raw)}")
    for number, entry in enumerate(raw if isinstance(raw, list) else ()):
        location = below(fields.at("Choices"), number)
        if not isinstance(entry, dict):
            fields.findings.error(location, f"expected an object with a comparison and Next, found {shown(entry)}")
        else:
            rules.append(conditions.rule(entry, location, fields.findings, context))
    default = fields.text("Default")
    if "Default" not in fields:
        message = "there is no Default: an input that matches no rule fails with States.NoChoiceMatched"
        fields.findings.warning(fields.location, message, NO_DEFAULT)
    assign = context.assign(fields)
    made = tuple(rule for rule in rules if rule is not None)
    return Choice(rules=made, default=default, assign=assign, **_input_output(context, fields), **common)


def _wait(context: Context, fields: Fields) -> Wait | None:
    common = _common(context, fields, "Wait")
    seconds: Scalar | None
    timestamp: Scalar | None
    if context.jsonata:
        fields.exactly_one("Seconds", "Timestamp")
        seconds, timestamp = fields.literal_or_jsonata("Seconds", 0), fields.jsonata("Timestamp")
    else:
        fields.exactly_one("Seconds", "SecondsPath", "Timestamp", "TimestampPath")
        number = fields.integer("Seconds", 0)
        seconds = fields.own_path("SecondsPath") if number is None else Literal(number)
        timestamp = fields.own_path("TimestampPath")
    if "Timestamp" in fields and timestamp is None:
        text = fields.raw["Timestamp"]
        if isinstance(text, str) and timestamps.valid(text):
            timestamp = Literal(text)
        else:
            wanted = "expected one such as 2016-03-14T01:59:00Z"
            fields.error("Timestamp", f"String does not match RFC3339 timestamp: {wanted}, found {shown(text)}")
            fields.perhaps_a_path("Timestamp")
    return Wait(seconds=seconds, timestamp=timestamp, **_input_output(context, fields), **_step(context, fields), **common)


def _succeed(context: Context, fields: Fields) -> Succeed:
    return Succeed(**_common(context, fields, "Succeed"), **_input_output(context, fields))


def _fail(context: Context, fields: Fields) -> Fail:
    common = _common(context, fields, "Fail")
    found: dict[str, Any] = {}
    for name in ("Error", "Cause"):
        if context.jsonata:
            text = fields.text(name)
            found[name.lower()] = fields.jsonata(name) or (None if text is None else Literal(text))
            continue
        fields.at_most_one(name, f"{name}Path")
        text = fields.text(name)
        if looks_like_a_path(text):
            message = f"the value looks like a path: use the field '{name}Path' for it"
            fields.findings.warning(fields.at(name), message, NO_PATH)
        found[name.lower()] = Literal(text) if text is not None else fields.path_or_call(f"{name}Path")
    return Fail(**found, **common)


def _parallel(context: Context, fields: Fields) -> Parallel | None:
    common = _common(context, fields, "Parallel")
    raw = fields.raw.get("Branches") if fields.required("Branches") else None
    if "Branches" in fields and (not isinstance(raw, list) or not raw):
        fields.error("Branches", f"expected an array of at least one branch, found {shown(raw)}")
    branches: list[Machine | None] = []
    for number, branch in enumerate(raw if isinstance(raw, list) else ()):
        branches.append(_part(context, branch, below(fields.at("Branches"), number)))
    fallible = _fallible(context, fields)
    parameters = fields.value("Arguments") if context.jsonata else fields.template("Parameters")
    whole = tuple(branch for branch in branches if branch is not None)
    if len(whole) < len(branches):
        return None
    return Parallel(branches=whole, parameters=parameters, **fallible, **common)


def _map(context: Context, fields: Fields) -> Map | None:
    common = _common(context, fields, "Map")
    processor = None
    if fields.exactly_one("ItemProcessor", "Iterator"):
        name = "ItemProcessor" if "ItemProcessor" in fields else "Iterator"
        processor = _part(context, fields.raw[name], fields.at(name), ("ProcessorConfig",))
    mode = distributed.mode(fields)
    label = distributed.label(fields, context.reading.labels)
    distributed.check(fields, context.jsonata)
    concurrency = _number(context, fields, "MaxConcurrency", 0)
    count = _number(context, fields, "ToleratedFailureCount", 0)
    percentage = _number(context, fields, "ToleratedFailurePercentage", 0, 100, whole=False)
    items_path: Path | None = ROOT
    items = None
    if context.jsonata:
        parameters = fields.value("ItemSelector")
        items = _items(fields)
    else:
        fields.at_most_one("ItemSelector", "Parameters")
        selector = fields.template("ItemSelector")
        parameters = selector if selector is not None else fields.template("Parameters")
        items_path = fields.path("ItemsPath")
        if items_path is None and "ItemsPath" in fields and fields.raw["ItemsPath"] is None:
            fields.error("ItemsPath", "expected a path such as $.order.items, found null")
    fallible = _fallible(context, fields)
    if processor is None or items_path is None:
        return None
    return Map(
        processor=processor,
        items_path=items_path,
        items=items,
        parameters=parameters,
        max_concurrency=concurrency if concurrency is not None else Literal(0),
        mode=mode,
        label=label,
        tolerated_failure_count=count,
        tolerated_failure_percentage=percentage,
        **fallible,
        **common,
    )


def _items(fields: Fields) -> Expression | None:
    """Items: an array, or JSONata that gives one."""
    items = fields.value("Items")
    raw = fields.raw.get("Items", [])
    if items is not None and not isinstance(items, Jsonata) and not isinstance(raw, list) and not str(raw).startswith("{%"):
        fields.error("Items", f"expected an array, or a JSONata expression that gives one, found {shown(raw)}")
    return items


def _part(context: Context, raw: Any, location: str, extra: tuple[str, ...] = ()) -> Machine | None:
    # AWS: a state without QueryLanguage has that of the whole definition, whatever the Map or Parallel around it has
    return context.reading.part(raw, location, context.reading.language, context.depth + 1, extra)


KINDS: dict[str, Callable[[Context, Fields], State | None]] = {
    "Task": _task,
    "Pass": _pass,
    "Choice": _choice,
    "Wait": _wait,
    "Succeed": _succeed,
    "Fail": _fail,
    "Parallel": _parallel,
    "Map": _map,
}


# --- JSON values ------------------------------------------------------------------------------------------------------------------


def _depth(value: Any) -> int:
    depth = 0
    level = [value]
    while level := [inner for inner in level if isinstance(inner, dict | list)]:
        depth += 1
        level = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)]
    return depth


def _dynamic_key(value: Any) -> str | None:
    """A key of a constant value that looks as if something were to be looked up."""
    todo = [value]
    while todo:
        inner = todo.pop()
        if isinstance(inner, dict):
            for key, member in inner.items():
                if key.endswith(".$") and looks_like_a_path(member):
                    return str(key)
            todo.extend(inner.values())
        elif isinstance(inner, list):
            todo.extend(inner)
    return None

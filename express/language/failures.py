"""Retry and Catch, as JSON, in; typed Retriers and Catchers out."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from express.language.fields import Fields
from express.language.findings import RESERVED_ERROR, SHORT_DELAY, below, shown
from express.language.model import ROOT, Catcher, Path, Retrier

if TYPE_CHECKING:
    from express.language.states import Context

ALL = "States.ALL"
LONGEST_DELAY = 31_622_399  # AWS: less than 366 days

RESERVED = frozenset(
    {
        ALL,
        "States.BranchFailed",
        "States.DataLimitExceeded",
        "States.ExceedToleratedFailureThreshold",
        "States.HeartbeatTimeout",
        "States.Http.Socket",
        "States.IntrinsicFailure",
        "States.ItemReaderFailed",
        "States.NoChoiceMatched",
        "States.ParameterPathFailure",
        "States.Permissions",
        "States.QueryEvaluationError",
        "States.ResultPathMatchFailure",
        "States.ResultWriterFailed",
        "States.Runtime",
        "States.TaskFailed",
        "States.Timeout",
    }
)

_RETRIER = ("ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "Comment")
_CATCHER = ("ErrorEquals", "Next", "Assign", "Comment")


def retriers(state: Fields) -> tuple[Retrier, ...]:
    made = []
    for fields, errors in _entries(state, "Retry", _RETRIER, {}):
        interval = fields.integer("IntervalSeconds", 1)
        delay = fields.integer("MaxDelaySeconds", 1, LONGEST_DELAY)
        if delay is not None and delay <= (interval or 1):
            message = f"every pause lasts {delay} seconds: MaxDelaySeconds is not more than IntervalSeconds, which is {interval or 1}"
            fields.findings.warning(fields.at("MaxDelaySeconds"), message, SHORT_DELAY)
        attempts = fields.integer("MaxAttempts", 0)
        rate = fields.number("BackoffRate", 1)
        jitter = fields.one_of("JitterStrategy", ("FULL", "NONE"), "NONE")
        made.append(
            Retrier(
                error_equals=errors,
                interval_seconds=1 if interval is None else interval,
                max_attempts=3 if attempts is None else attempts,
                backoff_rate=2.0 if rate is None else rate,
                max_delay_seconds=delay,
                jitter=jitter == "FULL",
            )
        )
    return tuple(made)


def catchers(state: Fields, context: Context) -> tuple[Catcher, ...]:
    made = []
    ours, theirs, other = ("Output", "ResultPath", "JSONPath") if context.jsonata else ("ResultPath", "Output", "JSONata")
    for fields, errors in _entries(state, "Catch", (*_CATCHER, ours), {theirs: f"'{theirs}' needs the query language {other}"}):
        target = fields.text("Next") if fields.required("Next") else None
        assign = context.assign(fields, "errorOutput")
        output, result_path = None, cast("Path | None", ROOT)
        if context.jsonata:
            output = fields.value("Output", "errorOutput")
        else:
            result_path = fields.reference_path("ResultPath")
        if target is not None:
            made.append(Catcher(error_equals=errors, next=target, result_path=result_path, assign=assign, output=output))
    return tuple(made)


def _entries(state: Fields, name: str, known: tuple[str, ...], elsewhere: dict[str, str]) -> list[tuple[Fields, tuple[str, ...]]]:
    """The entries of Retry or Catch that are objects, with their error names."""
    raw = state.raw.get(name, [])
    if not isinstance(raw, list):
        state.error(name, f"expected an array, found {shown(raw)}")
        return []
    found = []
    for number, entry in enumerate(raw):
        location = below(state.at(name), number)
        if not isinstance(entry, dict):
            state.findings.error(location, f"expected an object with ErrorEquals, found {shown(entry)}")
            continue
        fields = Fields(entry, location, state.findings)
        fields.known(known, f"an entry of {name}", elsewhere)
        fields.text("Comment")
        errors = _error_names(fields) if fields.required("ErrorEquals") else ()
        if ALL in errors and len(errors) > 1:
            fields.error("ErrorEquals", f"{ALL} must stand alone, found it among {len(errors)} error names")
        elif ALL in errors and number < len(raw) - 1:
            fields.error("ErrorEquals", f"{ALL} must be in the last entry of {name}, found it in entry {number + 1} of {len(raw)}")
        found.append((fields, errors))
    return found


def _error_names(fields: Fields) -> tuple[str, ...]:
    raw, location, findings = fields.raw["ErrorEquals"], fields.at("ErrorEquals"), fields.findings
    if not isinstance(raw, list) or not raw:
        findings.error(location, f"expected an array of at least one error name, found {shown(raw)}")
        return ()
    names = []
    for number, name in enumerate(raw):
        if not isinstance(name, str):
            findings.error(below(location, number), f"expected an error name, found {shown(name)}")
            continue
        names.append(name)
        # A workflow may fail with a States.* name of its own, though it should not: only what looks misspelt is worth a word
        if name.startswith("States.") and name not in RESERVED and (near := findings.suggestion(name, RESERVED)):
            findings.warning(below(location, number), f"there is no reserved error named {shown(name)}{near}", RESERVED_ERROR)
    return tuple(names)

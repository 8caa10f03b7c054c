"""Definitions in few words, and what becomes of an event."""

from __future__ import annotations

from typing import Any

import express
from express.outcome import Outcome
from express.testing import VirtualClock

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


def machine(**states: dict[str, Any]) -> dict[str, Any]:
    """States in a row: the first one starts, each goes on with the next unless it says otherwise."""
    names = list(states)
    made = {}
    for name, following in zip(names, [*names[1:], None], strict=True):
        state = dict(states[name])
        if state["Type"] not in ("Choice", "Succeed", "Fail") and "Next" not in state and "End" not in state:
            state |= {"End": True} if following is None else {"Next": following}
        made[name] = state
    return {"StartAt": names[0], "States": made}


def task(function: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": ARN + function, **fields}


def pass_(**fields: Any) -> dict[str, Any]:
    return {"Type": "Pass", **fields}


def choice(*rules: dict[str, Any], default: str | None = None) -> dict[str, Any]:
    return {"Type": "Choice", "Choices": list(rules)} | ({} if default is None else {"Default": default})


def map_(processor: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **processor}, **fields}


def run(program: express.Program, event: Any, **options: Any) -> Outcome:
    return program.run(event, clock=options.pop("clock", None) or VirtualClock(), **options)


def output(program: express.Program, event: Any, **options: Any) -> Any:
    outcome = run(program, event, **options)
    assert outcome.status == "SUCCEEDED", outcome
    return outcome.output


def failure(program: express.Program, event: Any, **options: Any) -> tuple[str | None, str | None]:
    outcome = run(program, event, **options)
    assert outcome.status == "FAILED", outcome
    return outcome.error, outcome.cause


def counts(program: express.Program) -> dict[str, int]:
    """How often each state was entered."""
    metrics = program.metrics
    assert metrics is not None
    return {name: metrics.entries(number) for number, (name, _) in enumerate(metrics.states)}

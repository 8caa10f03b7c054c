"""Definitions for tests, and what is said about them, in few words."""

from __future__ import annotations

from typing import Any

from express.errors import Problem
from express.language import load
from express.language.model import State, Workflow

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:charge"


def machine(first: dict[str, Any], **others: dict[str, Any]) -> dict[str, Any]:
    """State ``A`` and others; each ends unless it says where it goes."""
    return {"StartAt": "A", "States": {"A": first, **others}}


def ending(kind: str, **fields: Any) -> dict[str, Any]:
    """A state machine of one state, ``A``, that ends."""
    end = {} if kind in ("Succeed", "Fail", "Choice") else {"End": True}
    return machine({"Type": kind, **fields, **end})


def task(**fields: Any) -> dict[str, Any]:
    return ending("Task", Resource=FUNCTION, **fields)


def said(problems: list[Problem], severity: str | None = "ERROR") -> list[str]:
    """One line a problem: ``/States/A/Next: no state is named ...``"""
    return [str(problem) for problem in problems if severity in (None, problem.severity)]


def errors(definition: Any, **options: Any) -> list[str]:
    return said(load(definition, **options).problems)


def warnings(definition: Any) -> list[str]:
    loaded = load(definition)
    assert loaded.workflow is not None, loaded.problems
    return said(loaded.problems, "WARNING")


def workflow(definition: Any, **options: Any) -> Workflow:
    loaded = load(definition, **options)
    assert loaded.workflow is not None, said(loaded.problems)
    return loaded.workflow


def state(definition: Any) -> State:
    return workflow(definition).states["A"]

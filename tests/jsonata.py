"""A JSONata expression and its input in, what the compiled code answers out: parser, compiler and safety check, without a workflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from express.compiler import data
from express.compiler.module import RUNTIME
from express.compiler.safety import check
from express.compiler.source import flat
from express.compiler.unit import Unit
from express.language.jsonata import parse
from express.language.model import Workflow
from express.runtime.failures import StateError

WORKFLOW = Workflow(location="", start_at="State", states={}, sha256="0" * 64)
UNDEFINED = "UNDEFINED"


class Compiled:
    """``source`` is the Python text of the expression; ``run(input, result)`` evaluates it, StateError when it fails."""

    def __init__(self, text: str) -> None:
        unit = Unit(WORKFLOW, dict(RUNTIME), {}, None, {})
        scope = data.Scope(unit, "State", result="result")
        self.source = flat(data.expression(parse(text), scope, "Output"))
        module = f"def run(data, result, execution):\n    return {self.source}\n"
        check(module, unit.objects, "<expression>")
        namespace: dict[str, Any] = {"__builtins__": {}, **unit.objects}
        exec(compile(module, "<expression>", "exec"), namespace)
        self._run: Callable[..., Any] = namespace["run"]

    def run(self, given: Any = None, result: Any = None, execution: Any = None) -> Any:
        return self._run(given, result, execution)


def answer(text: str, given: Any = None) -> Mapping[str, Any]:
    """``result``, ``undefined`` or ``error`` (JSONata's code), as the conformance data has it."""
    try:
        return {"result": Compiled(text).run(given)}
    except StateError as failure:
        return said(failure.cause or "")


def said(cause: str) -> Mapping[str, Any]:
    """What a cause says of an evaluation."""
    if cause.endswith("returned nothing (undefined)."):
        return {"undefined": True}
    _, _, reason = cause.rpartition("threw an error during evaluation. ")
    return {"error": reason.split(":", 1)[0] if reason else cause}

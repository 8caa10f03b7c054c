"""Definitions validated and single states tested, as the operations of AWS's API: nothing is kept."""

from __future__ import annotations

from typing import Any

import msgspec

from express import checking, teststate
from express.api import shapes
from express.api.machines import Machines
from express.errors import RequestError
from express.language.findings import DISTRIBUTED

MOST = 100  # diagnostics of an answer, AWS's


def validate(machines: Machines, request: shapes.ValidateStateMachineDefinition) -> dict[str, Any]:
    """Everything that ``express check`` finds but advice. What Express cannot run is an error too: it could not be created here."""
    problems = [
        msgspec.structs.replace(each, severity="ERROR") if each.code == DISTRIBUTED else each
        for each in checking.check(request.definition, advice=False, extensions=machines.extensions)
    ]
    if request.type == "STANDARD":
        raise RequestError("ValidationException", "Express validates definitions of Express workflows only: expected type EXPRESS")
    failed = any(problem.severity == "ERROR" for problem in problems)
    shown = [problem for problem in problems if request.severity != "ERROR" or problem.severity == "ERROR"]
    most = request.max_results or MOST
    return {
        "result": "FAIL" if failed else "OK",
        "diagnostics": [
            {"severity": each.severity, "code": each.code, "message": each.message, "location": each.location or "/"}
            for each in shown[:most]
        ],
        "truncated": len(shown) > most,
    }


def test(machines: Machines, body: bytes) -> dict[str, Any]:
    """TestState, which knows its own parameters."""
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RequestError("SerializationException", f"the body is not JSON: {error}") from None
    if not isinstance(request, dict):
        raise RequestError("SerializationException", "the request has the wrong type: expected an object")
    return teststate.answer(request, functions=machines.functions)


test.__test__ = False  # type: ignore[attr-defined] # pytest shall not take it for a test

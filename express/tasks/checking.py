"""What a Task asks of AWS against the model that botocore has of the service: operations and parameters that do not exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from express.errors import Problem
from express.language.codes import MISSING_PARAMETER, NOT_CHECKED, UNKNOWN_OPERATION, UNKNOWN_PARAMETER
from express.language.model import Task
from express.tasks.integration import Resource, resource

_KINDS = {"parameter": UNKNOWN_PARAMETER, "required": MISSING_PARAMETER}


def problems(states: Sequence[Task]) -> list[Problem]:
    """Those of all Tasks of a workflow. Only the models of services that it uses are read; without botocore one warning says that nothing
    was checked."""
    found: list[Problem] = []
    from express.tasks import aws_models

    for state in states:
        asked = resource(state.resource)
        if asked is None:
            continue
        try:
            found += _problems(state, asked)
        except aws_models.Unavailable:
            sentence = f"{asked.name} and what else it asks of AWS is not checked: {aws_models.MISSING}"
            return [Problem("WARNING", NOT_CHECKED, f"{state.location}/Resource", sentence)]
    return found


def _problems(state: Task, asked: Resource) -> Iterator[Problem]:
    from express.tasks import aws_models, aws_optimised, aws_sdk, own

    if asked.service.startswith("express:"):
        check = own.check
    elif asked.name == "apigateway:invoke":
        from express.tasks.http import gateway

        check = gateway.check
    elif asked.service.startswith("aws-sdk:"):
        check = aws_sdk.check
    elif asked.service in aws_optimised.SERVICES:
        check = aws_optimised.check
    else:
        return
    try:
        troubles = list(check(asked, state.parameters))
    except aws_models.Unknown as error:
        yield Problem("ERROR", UNKNOWN_OPERATION, f"{state.location}/Resource", f"{error}, as far as the installed botocore knows")
        return
    field = "Arguments" if state.jsonata else "Parameters"
    for trouble in troubles:
        yield Problem("ERROR", _KINDS[trouble.kind], f"{state.location}/{field}", trouble.message)

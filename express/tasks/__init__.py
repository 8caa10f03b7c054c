"""What a Task state can call. One file per kind of resource over the contract below."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, Literal

from express.options import Connection
from express.runtime.suspensions import Binding


class ResourceMissing(LookupError):  # noqa: N818 - named for what happened
    """Nothing here provides a resource. The message is one sentence for the definition's author.

    ``code`` and ``field`` are those of the problem: the field of the state, or below its Parameters or Arguments.
    """

    code = "RESOURCE_MISSING"
    field = "Resource"


# Who binds what calls over a network: by the resource's ``service:action``, or by the service alone (``aws-sdk`` for all of them). Each
# is ``bind(resource: Resource, parameters, connections) -> Binding``, and raises ResourceMissing with a sentence when it needs a connection
# that is not there.
INTEGRATIONS: dict[str, str] = {
    "http:invoke": "express.tasks.http:bind",
    "apigateway:invoke": "express.tasks.http.gateway:bind",
    "express:kafka": "express.tasks.kafka:bind",
    "express:redis": "express.tasks.redis:bind",
    "express:queue": "express.tasks.queue:bind",
    "aws-sdk": "express.tasks.aws_sdk:bind",
    **dict.fromkeys(
        (
            "athena", "batch", "bedrock", "codebuild", "databrew", "dynamodb", "ecs", "eks", "emr-containers", "emr-serverless", "events",
            "glue", "mediaconvert", "sagemaker", "sns", "sqs", "states",
        ),
        "express.tasks.aws_optimised:bind",
    ),
}  # fmt: skip


def bind(
    resource: str,
    parameters: Any,
    functions: Mapping[str, Callable[..., Any]],
    missing: Literal["error", "defer"] = "error",
    connections: Mapping[str, Connection] | None = None,
    workflows: Mapping[str, Any] | None = None,
) -> Binding:
    """The binding of a Task's ``resource``, given its Parameters (an expression of the model, or None), the functions there are and the
    named connections that it may use.

    ``functions`` maps names or ARNs to callables or to what ``@express.function`` made. Without a provider: ResourceMissing, or with
    ``missing="defer"`` a binding that fails as AWS does when it is reached.
    """
    from express.tasks import lambdas, waiting

    if resource.endswith(waiting.SUFFIX):  # the extension is on, or the definition would have been refused
        plain = resource.removesuffix(waiting.SUFFIX)
        return waiting.Waiting(resource, bind(plain, parameters, functions, missing, connections, workflows))
    binding: Binding | None = lambdas.bind(resource, parameters, functions)
    if binding is not None:
        return binding
    refused, reason = ResourceMissing(lambdas.missing(resource, parameters, functions)), None
    try:
        binding = _workflow(resource, parameters, workflows or {}, connections or {}) or _integration(
            resource, parameters, connections or {}
        )
    except ResourceMissing as error:
        refused, reason = error, str(error)
    if binding is not None:
        return binding
    if missing == "defer":
        return lambdas.Missing(resource, parameters, reason)
    raise refused


def _workflow(resource: str, parameters: Any, workflows: Mapping[str, Any], connections: Mapping[str, Connection]) -> Binding | None:
    """The binding of what starts another workflow of this process, None if ``resource`` is nothing of the kind."""
    from express.tasks import integration, launching, nested

    if nested.RESOURCE.fullmatch(resource):
        return nested.bind(resource, parameters, workflows)
    found = integration.resource(resource)
    return None if found is None else launching.bind(found, parameters, workflows, connections)


def _integration(arn: str, parameters: Any, connections: Mapping[str, Connection]) -> Binding | None:
    """The binding of what calls over a network, None if ``arn`` is nothing of the kind."""
    from express.tasks.integration import resource

    found = resource(arn)
    if found is None:
        return None
    where = INTEGRATIONS.get(found.name) or INTEGRATIONS.get(found.service) or INTEGRATIONS.get(found.service.partition(":")[0])
    if where is None:
        return None
    binder: Callable[..., Binding] = pkgutil.resolve_name(where)
    return binder(found, parameters, connections)


__all__ = ["INTEGRATIONS", "Binding", "ResourceMissing", "bind"]

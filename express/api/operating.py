"""The name of an operation and a body in, the body of the answer out: which function does what, and where it runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from express.api import aliases, calling_back, defining, shapes, starting, tagging, trying, versions
from express.api.answers import encode
from express.api.machines import Machines
from express.api.starting import Starting
from express.api.syncing import Syncing
from express.api.validation import decoder
from express.errors import RequestError

Answered = bytes | Awaitable[bytes]
Operation = Callable[[bytes, str | None], Answered]

# The rest of AWS's operations: they concern what Express workflows do not have
ELSEWHERE = frozenset({
    "CreateActivity", "DeleteActivity", "DescribeActivity", "GetActivityTask", "ListActivities", "DescribeMapRun", "ListMapRuns",
    "UpdateMapRun",
})  # fmt: skip
_TRACE = re.compile(r"[\x20-\x7e]{1,256}")  # what of X-Amzn-Trace-Id may be given back


class Operating:
    """Every operation of the API that concerns Express workflows."""

    def __init__(self, machines: Machines, syncing: Syncing, starts: Starting) -> None:
        self._syncing = syncing
        known = machines

        def asked(shape: type[Any], work: Callable[[Any], Any]) -> Operation:
            """Answered at once, or by a coroutine."""
            decode = decoder(shape)

            def answer(body: bytes, trace: str | None) -> Answered:
                found = work(decode(body))
                return encode(found) if isinstance(found, dict) else _encoded(found)

            return answer

        def changed(shape: type[Any], work: Callable[[Machines, Any], Any]) -> Operation:
            return asked(shape, lambda request: work(known, request))

        start = decoder(shapes.StartExecution)
        validate = decoder(shapes.ValidateStateMachineDefinition)
        self._operations: dict[str, Operation] = {
            "CreateStateMachine": changed(shapes.CreateStateMachine, defining.create),
            "UpdateStateMachine": changed(shapes.UpdateStateMachine, defining.update),
            "DescribeStateMachine": changed(shapes.DescribeStateMachine, defining.describe),
            "ListStateMachines": changed(shapes.ListStateMachines, defining.listed),
            "DeleteStateMachine": changed(shapes.DeleteStateMachine, defining.delete),
            "PublishStateMachineVersion": changed(shapes.PublishStateMachineVersion, versions.publish),
            "ListStateMachineVersions": changed(shapes.ListStateMachineVersions, versions.listed),
            "DeleteStateMachineVersion": changed(shapes.DeleteStateMachineVersion, versions.delete),
            "CreateStateMachineAlias": changed(shapes.CreateStateMachineAlias, aliases.create),
            "UpdateStateMachineAlias": changed(shapes.UpdateStateMachineAlias, aliases.update),
            "DescribeStateMachineAlias": changed(shapes.DescribeStateMachineAlias, aliases.describe),
            "ListStateMachineAliases": changed(shapes.ListStateMachineAliases, aliases.listed),
            "DeleteStateMachineAlias": changed(shapes.DeleteStateMachineAlias, aliases.delete),
            "TagResource": changed(shapes.TagResource, tagging.tag),
            "UntagResource": changed(shapes.UntagResource, tagging.untag),
            "ListTagsForResource": changed(shapes.ListTagsForResource, tagging.listed),
            # What takes long is done in threads: the loop has others to run
            "ValidateStateMachineDefinition": lambda body, trace: _threaded(lambda: trying.validate(known, validate(body))),
            "TestState": lambda body, trace: _threaded(lambda: trying.test(known, body)),
            "StartExecution": lambda body, trace: _encoded(starts.start(start(body), _trace(trace))),
            "StopExecution": asked(shapes.StopExecution, starting.unknown),
            "DescribeExecution": asked(shapes.DescribeExecution, starting.unknown),
            "DescribeStateMachineForExecution": asked(shapes.DescribeExecution, starting.unknown),
            "GetExecutionHistory": asked(shapes.GetExecutionHistory, starting.unknown),
            "RedriveExecution": asked(shapes.RedriveExecution, starting.unknown),
            "ListExecutions": changed(shapes.ListExecutions, starting.listed),
            "SendTaskSuccess": asked(shapes.SendTaskSuccess, calling_back.succeed),
            "SendTaskFailure": asked(shapes.SendTaskFailure, calling_back.fail),
            "SendTaskHeartbeat": asked(shapes.SendTaskHeartbeat, calling_back.heartbeat),
        }

    def names(self) -> Iterable[str]:
        """Of the operations but StartSyncExecution, which has a way of its own."""
        return self._operations

    def answer(self, operation: str, body: bytes, trace: str | None) -> Answered:
        """RequestError for whatever AWS refuses, too; then or when the coroutine is awaited."""
        if operation == "StartSyncExecution":
            return self._syncing.start(body, _trace(trace))
        found = self._operations.get(operation)
        if found is None:
            sentence = "Express has no activities and no Map Runs" if operation in ELSEWHERE else "there is no such operation"
            raise RequestError(
                "UnknownOperationException", f"{operation[:100]}: {sentence}" if operation else "expected the header X-Amz-Target"
            )
        return found(body, trace)


async def _encoded(answer: Awaitable[dict[str, Any]]) -> bytes:
    return encode(await answer)


async def _threaded(work: Callable[[], dict[str, Any]]) -> bytes:
    return encode(await asyncio.to_thread(work))


def _trace(text: str | None) -> str | None:
    return text if text is not None and _TRACE.fullmatch(text) else None

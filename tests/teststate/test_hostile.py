"""Whatever a request holds: an answer, or RequestError; never anything else, and soon."""

from __future__ import annotations

import copy
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import express
from tests.teststate import test_jsonata, test_jsonpath

BASES = [*test_jsonpath.CASES.values(), *test_jsonata.CASES.values()]
VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 2**70, "", "$", "$.a", "$$", "$$.Map.Item.Value", "{%", "{% $x %}", "{% $states.context.Map.Item.Index %}",
    "States.ALL", "x" * 90, "arn:aws:states:::sqs:sendMessage", [], {}, [None], {"a": 1}, {"x.$": "$.q"},
]  # fmt: skip
FIELDS = [
    "Assign", "Catch", "Retry", "ItemSelector", "Parameters", "Arguments", "Output", "ResultPath", "QueryLanguage", "ItemBatcher",
    "ItemReader", "ResultWriter", "Items", "ItemsPath",
]  # fmt: skip
OPTIONS = {"mock", "variables", "context", "state_configuration"}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything inside a JSON value."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(value[key], (*path, key))


def spoil(request: dict[str, Any], rng: random.Random) -> None:
    """Takes something away, puts something in its place, or something beside it."""
    path = rng.choice(list(places(request)))
    around: Any = request
    for key in path[:-1]:
        around = around[key]
    what = rng.random()
    if what < 0.2:
        del around[path[-1]]
    elif what < 0.35 and isinstance(around, dict):
        around[rng.choice(FIELDS)] = copy.deepcopy(rng.choice(VALUES))
    else:
        around[path[-1]] = copy.deepcopy(rng.choice(VALUES))


def test_nothing_but_request_errors_is_raised() -> None:
    endings = Counter[str]()
    slowest = 0.0
    for seed in range(1500):
        rng = random.Random(seed)
        base = rng.choice(BASES)
        request = copy.deepcopy({"definition": base.state, "input": base.input, "options": base.options})
        for _ in range(rng.choice([1, 1, 2, 3])):
            spoil(request, rng)
        options = request.get("options")
        options = {name: value for name, value in options.items() if name in OPTIONS} if isinstance(options, dict) else {}
        began = time.monotonic()
        try:
            answer = express.test_state(request.get("definition"), request.get("input"), inspection_level="DEBUG", **options)  # type: ignore[arg-type]
        except express.RequestError as error:
            endings[error.code] += 1
        else:
            endings[answer["status"]] += 1
            assert "Traceback" not in str(answer), seed
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 5
    assert set(endings) >= {"InvalidDefinition", "ValidationException", "ParamValidationError", "SUCCEEDED", "FAILED", "RETRIABLE"}
